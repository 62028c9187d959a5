"""Whether a version is what was published: all files are there, none else, each with its digest, and none runs code
when it is read or opened.
"""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from penstock.core.store.manifest import MANIFEST, Manifest
from penstock.schemas.errors import ModelError

CACHED_CODE: Final = "__pycache__"  # never read, see `penstock.core.python_model`, so never in a manifest
_PICKLES: Final = frozenset({
    ".pkl", ".pickle", ".joblib", ".dill", ".cloudpickle", ".pt", ".pth", ".ckpt", ".sav",
})  # fmt: skip
_LIBRARIES: Final = frozenset({".so", ".dll", ".dylib", ".pyd"})
_LIBRARY_STARTS: Final = (b"\x7fELF", b"MZ\x90\x00", b"\xcf\xfa\xed\xfe", b"\xce\xfa\xed\xfe", b"\xca\xfe\xba\xbe")
_PICKLE_STARTS: Final = tuple(bytes((0x80, protocol)) for protocol in range(2, 6))
_HEAD: Final = 256


def verify(folder: Path, manifest: Manifest) -> None:
    """Hold a version's folder to its manifest.

    Args:
        folder: of the version.
        manifest: as read from it, or from where the folder came from.

    Raises:
        ModelError: a file is missing, is not in the manifest or not what was published, a link leads out of the
            folder, or a file is a pickle or a library.
    """
    who = f"{manifest.model}@{manifest.version}"
    there = set(files_in(folder, who))
    for name in sorted(manifest.files.keys() - there):
        raise ModelError(f"{who}: {name} is missing from {folder}; publish the version anew")
    for name in sorted(there - manifest.files.keys()):
        raise ModelError(f"{who}: {name} is not in its {MANIFEST}, so nobody published it; remove it from {folder}")
    for name, published in manifest.files.items():
        path = folder / name
        refuse_code(who, name, path)
        try:
            if path.stat().st_size != published.size or sha256_of(path) != published.sha256:
                raise ModelError(f"{who}: {name} is not what was published; publish the version anew")
        except OSError as error:
            raise ModelError(f"{who}: {path} cannot be read: {error.strerror}") from error


def files_in(folder: Path, who: str) -> Iterator[str]:
    """Yield the files of a version as paths inside its folder, without its manifest and Python's cached code.

    Raises:
        ModelError: a link leads out of the folder, or something is neither a file nor a folder.
    """
    root = folder.resolve()
    for parent, folders, names in os.walk(root):
        if CACHED_CODE in folders:
            folders.remove(CACHED_CODE)
        for name in (*folders, *names):
            path = Path(parent, name)
            inner = path.relative_to(root).as_posix()
            if path.is_symlink() and not path.resolve().is_relative_to(root):
                raise ModelError(f"{who}: {inner} is a link that leads out of {folder}; put the file itself there")
            if name in names and inner != MANIFEST:
                if not path.is_file():
                    raise ModelError(f"{who}: {inner} in {folder} is no file")
                yield inner


def refuse_code(who: str, name: str, path: Path) -> None:
    """Refuse a file that runs code when it is read (a pickle) or opened (a library of operators).

    Args:
        who: the model, for messages.
        name: the file's, likewise.
        path: where it is.

    Raises:
        ModelError: it is one, by its name or its first bytes, or it cannot be read.
    """
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD)
            file.seek(max(0, path.stat().st_size - 1))
            last = file.read(1)
    except OSError as error:
        raise ModelError(f"{who}: {path} cannot be read: {error.strerror}") from error
    suffixes = {suffix.lower() for suffix in Path(name).suffixes}
    if suffixes & _PICKLES or (head.startswith(_PICKLE_STARTS) and last == b".") or _holds_objects(head):
        raise ModelError(f"{who}: {name} is a pickle, which runs code when it is read; export the model to ONNX")
    if suffixes & _LIBRARIES or head.startswith(_LIBRARY_STARTS):
        raise ModelError(f"{who}: {name} is a library, which runs code when it is opened; use standard operators")


def _holds_objects(head: bytes) -> bool:
    # numpy's own format holds a pickle where the elements are Python objects. Source: numpy.lib.format.
    return head.startswith(b"\x93NUMPY") and b"'descr': '|O" in head


def sha256_of(path: Path) -> str:
    """Return the digest of a file in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
