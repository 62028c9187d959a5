"""A loaded version that knows how large it is, and when it ran last: what decides who leaves memory."""

import time

from penstock.core.model import Array, Model, Signature, Tensors


class TrackedModel:
    """A model, with an eye on its use.

    Args:
        model: does the work.
        size: bytes of its files.
        keeps: closing it leaves the model open, because it is not ours to open again.

    Attributes:
        size: as given.
        used: when it ran last, or was loaded, monotonic seconds.
        ran: when it ran last for a request, monotonic seconds.
        runs: whether it runs now.
    """

    def __init__(self, model: Model, size: int, *, keeps: bool = False) -> None:
        self._model = model
        self._keeps = keeps
        self.size = size
        self.used = time.monotonic()
        self.ran = float("-inf")
        self.runs = False

    @property
    def name(self) -> str:
        """The name that requests use."""
        return self._model.name

    @property
    def version(self) -> str:
        """The version, as its folder in the repository is called."""
        return self._model.version

    @property
    def signature(self) -> Signature:
        """What the model takes and gives."""
        return self._model.signature

    @property
    def steady(self) -> bool:
        """Whether how long a run takes depends on the shapes of its inputs alone."""
        return self._model.steady

    def run(self, inputs: Tensors) -> dict[str, Array]:
        """Run one batch.

        Raises:
            ModelError: the runtime refused the batch or failed.
        """
        self.runs = True
        try:
            return self._model.run(inputs)
        finally:
            self.used = self.ran = time.monotonic()
            self.runs = False

    def rested(self) -> "TrackedModel":
        """Forget that it ran: what has run so far was its test."""
        self.ran = float("-inf")
        return self

    def warm_up(self) -> None:
        """Run once on made-up rows.

        Raises:
            ModelError: the model cannot run.
        """
        self._model.warm_up()

    def close(self) -> None:
        """Release memory and threads."""
        if not self._keeps:
            self._model.close()

    def __repr__(self) -> str:
        return f"<TrackedModel {self._model!r} {self.size} bytes>"
