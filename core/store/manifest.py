"""The manifest of a version: `penstock.json` in its folder says what it is, and holds the digest of each other file.

    {"penstock": "version/1", "model": "iris", "version": "3", "created": "2026-01-31T12:00:00Z",
     "file": "model.onnx", "files": {"model.onnx": {"sha256": "9f86...", "size": 1234}},
     "signature": {"inputs": [{"name": "x", "datatype": "FP32", "shape": [4]}], "outputs": [...], "batched": true},
     "runtime": {"name": "onnxruntime", "version": "1.32.0"}, "lineage": {"git": "4be1c2d"}}

It is written last. Its own sha256 names the version for good: who knows it, knows every byte.
"""

import hashlib
from collections.abc import Iterable
from typing import Annotated, Any, Final, Literal, Self

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)

from penstock.core.model import Signature, TensorSpec
from penstock.schemas.errors import ModelError

MANIFEST: Final = "penstock.json"
MANIFEST_V1: Final = "version/1"
_MOST_BYTES: Final = 4 * 2**20
_STRICT: Final = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False, hide_input_in_errors=True)


def _check_path(path: str) -> str:
    parts = path.split("/")
    if "\\" in path or not path.isprintable() or any(part in ("", ".", "..") for part in parts):
        raise ValueError("a file of a version is named by a plain path inside its folder")
    if parts[0] == MANIFEST:
        raise ValueError("the manifest cannot hold itself")
    return path


InnerPath = Annotated[str, StringConstraints(min_length=1, max_length=512), AfterValidator(_check_path)]
LineageKey = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9._/-]{0,127}$")]
LineageText = Annotated[str, StringConstraints(max_length=4096)]


class FileDigest(BaseModel):
    """What a file holds."""

    model_config = _STRICT

    sha256: str = Field(pattern=r"^[0-9a-f]{64}$", description="Of its content, in hexadecimal.")
    size: int = Field(ge=0, description="Bytes.")


class TensorDocument(BaseModel):
    """An input or output, as `penstock.core.model.TensorSpec` has it."""

    model_config = _STRICT

    name: str
    datatype: str
    shape: tuple[Annotated[int, Field(ge=-1)], ...]


class SignatureDocument(BaseModel):
    """What the model takes and gives by itself, whatever a config.pbtxt says."""

    model_config = _STRICT

    inputs: tuple[TensorDocument, ...]
    outputs: tuple[TensorDocument, ...]
    batched: bool = True
    max_rows: int | None = Field(default=None, ge=1)


class Runtime(BaseModel):
    """What runs the model."""

    model_config = _STRICT

    name: Literal["onnxruntime", "python"]
    version: str = Field(description="The one that it was published with.")


class Manifest(BaseModel):
    """What a version is."""

    model_config = _STRICT

    penstock: Literal["version/1"] = MANIFEST_V1
    model: str = Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$")
    version: str = Field(pattern=r"^[1-9][0-9]{0,18}$")
    created: AwareDatetime
    file: InnerPath = Field(pattern=r"\.(onnx|py)$", description="The model among the files.")
    files: dict[InnerPath, FileDigest] = Field(max_length=10_000, description="All files, but for the manifest.")
    signature: SignatureDocument
    runtime: Runtime
    lineage: dict[LineageKey, LineageText] = Field(
        default={}, max_length=256, description="Where it comes from: source, revision, training data, metrics."
    )

    @model_validator(mode="after")
    def _model_is_a_file(self) -> Self:
        if self.file not in self.files:
            raise ValueError("the model's file is not among the files")
        return self

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(each.size for each in self.files.values())

    def encode(self) -> bytes:
        """Return the content of the file."""
        return self.model_dump_json(indent=1).encode() + b"\n"


def read_manifest(content: bytes, model: str, version: str) -> Manifest:
    """Read the manifest of a version.

    Raises:
        ModelError: it is none, or another version's.
    """
    who = f"{model}@{version}: {MANIFEST}"
    if len(content) > _MOST_BYTES:
        raise ModelError(f"{who} is larger than {_MOST_BYTES} bytes")
    try:
        manifest = Manifest.model_validate_json(content)
        signature_of(manifest)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise ModelError(f"{who} is faulty: {place + ': ' if place else ''}{first['msg']}; publish it anew") from None
    except ValueError as error:
        raise ModelError(f"{who} is faulty: {error}; publish it anew") from None
    if (manifest.model, manifest.version) != (model, version):
        raise ModelError(f"{who} is that of {manifest.model}@{manifest.version}: versions are not copied by hand")
    return manifest


def digest_of(content: bytes) -> str:
    """Return the sha256 of a manifest's content in hexadecimal, by which a version is known."""
    return hashlib.sha256(content).hexdigest()


def signature_of(manifest: Manifest) -> Signature:
    """Return what the model takes and gives by itself.

    Raises:
        ValueError: a datatype is none.
    """
    document = manifest.signature
    return Signature(
        _specs(document.inputs), _specs(document.outputs), batched=document.batched, max_rows=document.max_rows
    )


def document_of(signature: Signature) -> SignatureDocument:
    """Return a signature as a manifest has it."""

    def tensors(specs: Iterable[TensorSpec]) -> tuple[TensorDocument, ...]:
        return tuple(TensorDocument(name=each.name, datatype=each.datatype, shape=each.shape) for each in specs)

    inputs, outputs = tensors(signature.inputs), tensors(signature.outputs)
    return SignatureDocument(inputs=inputs, outputs=outputs, batched=signature.batched, max_rows=signature.max_rows)


def _specs(tensors: Iterable[TensorDocument]) -> tuple[TensorSpec, ...]:
    datatypes: Any = [each.datatype for each in tensors]  # TensorSpec checks them
    return tuple(TensorSpec(each.name, datatype, each.shape) for each, datatype in zip(tensors, datatypes, strict=True))
