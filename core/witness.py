"""Who knows what runs, in case that this process dies of it."""

from typing import Any, Protocol

from penstock.core.batch import Batch


class Witness(Protocol):
    """Told of each batch: of its begin by the thread that runs it, of its end by the event loop's. Must not raise."""

    def begins(self, batch: Batch[Any]) -> None:
        """Note that a batch is about to run, or is passed over for it has no rows."""
        ...

    def ends(self, batch: Batch[Any]) -> None:
        """Note that the event loop goes on after a batch, which need not have begun.

        A signal that kills the whole process may reach the main thread a little after the thread that has caused it.
        """
        ...
