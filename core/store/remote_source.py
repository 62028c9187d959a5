"""A model repository behind a URL: only what was published is in it, and a version is downloaded to be loaded."""

from pathlib import Path

from penstock.core.repository_layout import VERSION
from penstock.core.settings import NAME
from penstock.core.store.aliases import ALIASES
from penstock.core.store.cache import Held, VersionCache
from penstock.core.store.manifest import MANIFEST, Manifest, digest_of
from penstock.core.store.remote import Remote
from penstock.core.store.verification import verify
from penstock.core.triton_config import TritonConfig
from penstock.core.triton_parser import parse_config
from penstock.schemas.errors import ModelError


class RemoteSource:
    """The versions behind a URL that have a manifest: it is written last, so one without is not there yet."""

    def __init__(self, remote: Remote, cache: VersionCache) -> None:
        """Open a repository.

        Args:
            remote: where it is.
            cache: keeps what was downloaded.
        """
        self.remote = remote
        self._cache = cache

    @property
    def place(self) -> str:
        """The URL, for messages."""
        return self.remote.place

    def names(self) -> list[str]:
        """Return the names of the models that have a version, in order; they may still be bad names.

        Raises:
            ModelError: the repository cannot be read.
        """
        paths = (path.split("/") for path in self.remote.files(""))
        return sorted({parts[0] for parts in paths if len(parts) == 3 and parts[2] == MANIFEST})

    def versions(self, name: str) -> list[str]:
        """Return the versions of a model that were published, ascending.

        Raises:
            ModelError: there is no such model, it has no version, or the repository cannot be read.
        """
        files = self.remote.files(_checked(name))
        folders = {path.partition("/")[0] for path in files if "/" in path}
        found = [each for each in folders if VERSION.fullmatch(each) and f"{each}/{MANIFEST}" in files]
        if found:
            return sorted(found, key=int)
        if not files:
            there = ", ".join(self.names())
            raise ModelError(f"there is no model {name!r} in {self.place}{f'; there is {there}' if there else ''}")
        raise ModelError(
            f"model {name!r} has no version in {self.place}: "
            f"`penstock model publish {name} FILE --to {self.place}` makes one"
        )

    def misplaced(self) -> str | None:
        """Say nothing: of a folder far away nobody guesses which one was meant."""
        return None

    def config(self, name: str) -> TritonConfig:
        """Return what the model's config.pbtxt says, or the defaults where there is none.

        Raises:
            ModelError: the file is faulty or cannot be read.
        """
        path = f"{_checked(name)}/config.pbtxt"
        place, content = f"{self.place}/{path}", self.remote.read(path)
        if content is None:
            return TritonConfig(place=place)
        return parse_config(content.decode(errors="replace"), model=name, place=place)

    def aliases(self, name: str) -> bytes | None:
        """Return the content of the model's aliases; None where it has none.

        Raises:
            ModelError: the file cannot be read.
        """
        return self.remote.read(f"{_checked(name)}/{ALIASES}")

    def manifest(self, name: str, version: str) -> bytes | None:
        """Return the content of a version's manifest; None where it has none.

        Raises:
            ModelError: the file cannot be read.
        """
        return self.remote.read(f"{_checked(name)}/{version}/{MANIFEST}")

    def hold(self, name: str, version: str, manifest: Manifest | None, content: bytes) -> Held:
        """Return the folder of a version on this machine, verified; it stays until it is let go.

        Raises:
            ModelError: it is not there, cannot be downloaded, or is not what was published.
        """
        if manifest is None:
            raise ModelError(f"{name}@{version} has no {MANIFEST} in {self.place}: it was never published")

        def fetch(folder: Path) -> None:
            for path in manifest.files:
                (folder / path).parent.mkdir(parents=True, exist_ok=True)
                self.remote.download(f"{name}/{version}/{path}", folder / path)
            (folder / MANIFEST).write_bytes(content)

        key = f"{name}@{version}-{digest_of(content)[:16]}"
        return self._cache.hold(key, manifest.size, fetch, lambda folder: verify(folder, manifest))

    def file(self, name: str, version: str, config: TritonConfig) -> tuple[Path, Path]:
        """Refuse: a version without a manifest is none here.

        Raises:
            ModelError: always.
        """
        raise ModelError(f"{name}@{version} has no {MANIFEST} in {self.place}: it was never published")


def _checked(name: str) -> str:
    if not NAME.fullmatch(name):
        raise ModelError(f"{name!r} is no model name: it may have letters, digits, '.', '_' and '-'")
    return name
