"""A version's model file: what is known of it, and how it is opened."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from penstock.core.model import Model
from penstock.core.onnx_model import OnnxModel
from penstock.core.python_model import load_python_model
from penstock.core.store.manifest import Manifest, digest_of
from penstock.core.store.onnx_external import external_files
from penstock.core.triton_config import TritonConfig


@dataclass(frozen=True, slots=True)
class FoundVersion:
    """A version, before it is loaded.

    Attributes:
        model, version: its names.
        place: its model file, for people: a path, or a URL without a user.
        file: the same inside its folder.
        manifest: what was published; None where nobody has said it.
        content: of the manifest's file; empty where there is none.
        folder: of the version, where it has no manifest.
    """

    model: str
    version: str
    place: str
    file: str
    manifest: Manifest | None
    content: bytes
    folder: Path | None

    @property
    def kind(self) -> Literal["onnx", "python"]:
        """What runs it."""
        return "python" if self.file.endswith(".py") else "onnx"

    @property
    def digest(self) -> str:
        """The sha256 of its manifest in hexadecimal; empty where it has none."""
        return digest_of(self.content) if self.manifest is not None else ""

    @property
    def size(self) -> int:
        """Bytes of all its files."""
        if self.manifest is not None:
            return self.manifest.size
        files = self.folder.rglob("*") if self.folder is not None else ()
        return sum(file.stat().st_size for file in files if file.is_file() and file.suffix != ".pyc")


def open_file(
    found: FoundVersion, folder: Path, config: TritonConfig | None, providers: Sequence[str], intra_op_threads: int
) -> Model:
    """Open a version's model file.

    Args:
        found: the version.
        folder: where its files are on this machine.
        config: narrows the signature.
        providers: ONNX Runtime's execution providers for ONNX models, the preferred first.
        intra_op_threads: threads that share the work of one batch of an ONNX model.

    Raises:
        ModelError: it cannot be loaded, or takes data from outside its folder.
    """
    path = folder / found.file
    if found.kind == "python":
        return load_python_model(found.model, found.version, path, config=config)
    external_files(f"{found.model}@{found.version}", path, folder)
    return OnnxModel(
        found.model, found.version, path, providers=providers, intra_op_threads=intra_op_threads, config=config
    )
