"""Publish a version: built aside, loaded and warmed up there, so that nothing broken appears; it never changes."""

import platform
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from penstock.core.model import Signature
from penstock.core.repository import ModelRepository
from penstock.core.repository_layout import VERSION
from penstock.core.repository_location import parse_location
from penstock.core.settings import NAME
from penstock.core.store.aliases import check_alias
from penstock.core.store.local_writer import LocalWriter
from penstock.core.store.manifest import MANIFEST, FileDigest, Manifest, Runtime, digest_of, document_of
from penstock.core.store.model_file import FoundVersion, open_file
from penstock.core.store.onnx_external import external_files
from penstock.core.store.remote import Remote
from penstock.core.store.remote_writer import RemoteWriter
from penstock.core.store.verification import CACHED_CODE, files_in, refuse_code, sha256_of
from penstock.schemas.errors import ModelError

Writer = LocalWriter | RemoteWriter

_CPU: Final = ("CPUExecutionProvider",)
_LEFT_OUT: Final = shutil.ignore_patterns(CACHED_CODE, ".*", MANIFEST)


@dataclass(frozen=True, slots=True)
class Published:
    """What came of it.

    Attributes:
        manifest: of the new version.
        digest: sha256 of the manifest's file in hexadecimal.
        place: folder or URL of the version.
    """

    manifest: Manifest
    digest: str
    place: str


def open_writer(location: Path | str) -> Writer:
    """Open a repository to write to; a folder that is missing is made.

    Raises:
        ConfigurationError: it cannot be made, or what opens such a URL is not installed.
    """
    where = parse_location(location)
    return LocalWriter(where) if isinstance(where, Path) else RemoteWriter(Remote(where))


def publish(
    writer: Writer, name: str, source: Path, *, version: str | None = None, lineage: Mapping[str, str] | None = None
) -> Published:
    """Publish a version of a model.

    Args:
        writer: the repository.
        name: of the model.
        source: an ONNX file, a Python file, or a folder with model.onnx, model.py or MLflow's MLmodel.
        version: its number; None is one more than the highest that was ever used.
        lineage: where it comes from.

    Raises:
        ModelError: it cannot be loaded or run, holds what runs code when it is read, or the number is taken.
    """
    if not NAME.fullmatch(name) or (version is not None and not VERSION.fullmatch(version)):
        raise ModelError(f"{name}@{version or 1} is no name of a version: letters and digits, and a number from 1 on")
    if not source.exists():
        raise ModelError(
            f"{source} does not exist: it is to be an ONNX file, a Python file, or a folder that holds one"
        )
    taken = writer.taken(name)
    if version is not None and int(version) in taken:
        raise _is_there(name, version)
    with writer.aside() as aside:
        number = version or str(max(taken, default=0) + 1)
        folder = aside / name / number
        _copy(f"{name}@{number}", source, folder)
        try:
            manifest = _checked(aside, folder, writer.config(name), lineage or {})
        except ModelError as error:
            raise ModelError(_told(str(error), folder, source, writer)) from error
        while True:
            content = manifest.encode()
            (folder / MANIFEST).write_bytes(content)
            if writer.put(folder, name, number):
                return Published(manifest, digest_of(content), f"{writer.place}/{name}/{number}")
            if version is not None:
                raise _is_there(name, version)
            number = str(max(*writer.taken(name), int(number)) + 1)
            folder = folder.rename(folder.with_name(number))
            manifest = manifest.model_copy(update={"version": number})


def set_alias(writer: Writer, repository: ModelRepository, name: str, alias: str, version: str | None) -> None:
    """Let an alias mean a version; None removes the alias.

    Raises:
        ModelError: it is no alias, or there is no such version or alias.
    """
    check_alias(alias)
    there = repository.versions(name)
    if version is not None and version not in there:
        raise ModelError(f"model {name!r} has no version {version!r}; it has {', '.join(there)}")

    def change(aliases: dict[str, str]) -> None:
        if version is not None:
            aliases[alias] = version
        elif aliases.pop(alias, None) is None:
            raise ModelError(f"model {name!r} has no alias {alias!r}; it has {', '.join(aliases) or 'none'}")

    writer.change_aliases(name, change)


def _told(error: str, folder: Path, source: Path, writer: Writer) -> str:
    """Name files as the publisher knows them, not where they were tried."""
    if source.is_file():
        error = error.replace(str(folder / f"model{source.suffix}"), str(source))
    return error.replace(str(folder), str(source)).replace(str(folder.parent.parent), writer.place)


def _is_there(name: str, version: str) -> ModelError:
    return ModelError(f"{name}@{version} is there already, and a version never changes; leave --version out")


def _copy(who: str, source: Path, folder: Path) -> None:
    try:
        if source.is_dir():
            shutil.copytree(source, folder, ignore=_LEFT_OUT)
            return
        refuse_code(who, source.name, source)
        if source.suffix not in (".onnx", ".py"):
            raise ModelError(f"{source} is neither .onnx nor .py, nor a folder that holds one")
        folder.mkdir(parents=True)
        shutil.copyfile(source, folder / f"model{source.suffix}")
        for path in external_files(who, source, source.parent) if source.suffix == ".onnx" else ():
            target = folder / path.relative_to(source.parent.resolve())
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
    except OSError as error:  # shutil.Error too
        raise ModelError(f"{source} cannot be copied: {error}") from error


def _checked(aside: Path, folder: Path, config: bytes | None, lineage: Mapping[str, str]) -> Manifest:
    """Load and warm up what was built, as a worker would, and return its manifest."""
    name, version = folder.parent.name, folder.name
    found = ModelRepository(aside).found(name, version)
    for path in files_in(folder, f"{name}@{version}"):
        refuse_code(f"{name}@{version}", path, folder / path)
    manifest = _manifest(found, folder, _signature(found, folder), lineage)
    (folder / MANIFEST).write_bytes(manifest.encode())
    config_file = folder.parent / "config.pbtxt"
    if config is not None:
        config_file.write_bytes(config)
    model = ModelRepository(aside).load(name, version)
    try:
        model.warm_up()
    finally:
        model.close()
        config_file.unlink(missing_ok=True)
    return manifest


def _signature(found: FoundVersion, folder: Path) -> Signature:
    model = open_file(found, folder, None, _CPU, 1)
    try:
        return model.signature
    finally:
        model.close()


def _manifest(found: FoundVersion, folder: Path, signature: Signature, lineage: Mapping[str, str]) -> Manifest:
    who = f"{found.model}@{found.version}"
    files = {path: folder / path for path in sorted(files_in(folder, who))}
    try:
        return Manifest(
            model=found.model,
            version=found.version,
            created=datetime.now(UTC).replace(microsecond=0),
            file=found.file,
            files={name: FileDigest(sha256=sha256_of(path), size=path.stat().st_size) for name, path in files.items()},
            signature=document_of(signature),
            runtime=_runtime(found),
            lineage=dict(lineage),
        )
    except ValueError as error:
        raise ModelError(f"{who} cannot have a manifest: {error}") from error


def _runtime(found: FoundVersion) -> Runtime:
    if found.kind == "python":
        return Runtime(name="python", version=platform.python_version())
    import onnxruntime

    return Runtime(name="onnxruntime", version=onnxruntime.__version__)
