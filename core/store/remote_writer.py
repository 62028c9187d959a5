"""Writing to a model repository behind a URL.

A publisher first writes `<model>/.publishing/<version>`, which must not be there: on S3, Google and Azure that is one
step, so a number is never shared; elsewhere another publisher may come in between. The files follow, the manifest
last. A publisher that dies leaves a version without a manifest, which is none; its number is not used again.
"""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from penstock.core.repository_layout import VERSION
from penstock.core.store.aliases import ALIASES, read_aliases, write_aliases
from penstock.core.store.manifest import MANIFEST
from penstock.core.store.remote import Remote
from penstock.core.store.verification import files_in

_CLAIMS: Final = ".publishing"


class RemoteWriter:
    """What `LocalWriter` does, far away."""

    def __init__(self, remote: Remote) -> None:
        """Open a repository."""
        self.place = remote.place
        self._remote = remote

    @contextmanager
    def aside(self) -> Iterator[Path]:
        """Lend a folder of this machine to build in; it is gone afterwards."""
        with tempfile.TemporaryDirectory(prefix="penstock-publishing-") as folder:
            yield Path(folder)

    def config(self, name: str) -> bytes | None:
        """Return the content of the model's config.pbtxt; None where it has none.

        Raises:
            ModelError: it cannot be read.
        """
        return self._remote.read(f"{name}/config.pbtxt")

    def taken(self, name: str) -> set[int]:
        """Return the numbers that were ever used.

        Raises:
            ModelError: the repository cannot be read.
        """
        parts = (path.removeprefix(f"{_CLAIMS}/").partition("/")[0] for path in self._remote.files(name))
        return {int(each) for each in parts if VERSION.fullmatch(each)}

    def put(self, folder: Path, name: str, version: str) -> bool:
        """Make a version appear; tell whether its number was free.

        Args:
            folder: what was built aside.
            name: of the model.
            version: of the model.

        Raises:
            ModelError: it cannot be written.
        """
        where = f"{name}/{version}"
        claimed = self._remote.create(f"{name}/{_CLAIMS}/{version}", b"")
        if not claimed or self._remote.files(where):
            return False
        for path in files_in(folder, where):
            self._remote.upload(folder / path, f"{where}/{path}")
        return self._remote.create(f"{where}/{MANIFEST}", (folder / MANIFEST).read_bytes())

    def change_aliases(self, name: str, change: Callable[[dict[str, str]], None]) -> None:
        """Change the aliases of a model. Of two who change them in the same moment the last one wins.

        Raises:
            ModelError: they cannot be read or written.
        """
        path = f"{name}/{ALIASES}"
        aliases = read_aliases(self._remote.read(path), name)
        change(aliases)
        self._remote.write(path, write_aliases(aliases))
