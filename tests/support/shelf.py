"""A stock of one model, of which nothing is loaded, and the commands about it as a control topic has them."""

from collections.abc import Sequence

from penstock.consumer.control.tracked_model import TrackedModel
from penstock.consumer.control.wishes import Wishes
from penstock.core.model import Signature, TensorSpec
from penstock.schemas.control.resources import Kind, Resource
from penstock.schemas.control.snapshot import read_snapshot
from penstock.schemas.control.specs import Deployment, WeightedVersion
from penstock.schemas.control.state import Entry
from penstock.schemas.errors import ModelError
from tests.schemas.control.writing import Log, trust

_IRIS = Resource(Kind.DEPLOYMENT, "iris")


def signature(width: int) -> Signature:
    return Signature((TensorSpec("x", "FP32", (width,)),), (TensorSpec("y", "FP32", (width,)),))


class Shelf:
    """The stock, which settings serve the versions 1 and 2 of.

    Args:
        served: instead of those.
        names: what further names mean.

    Attributes:
        meanings: version by name.
        widths: by version; one without cannot be loaded.
        asked: the names that were asked for.
    """

    copies = True

    def __init__(self, served: Sequence[str] = ("1", "2"), **names: str) -> None:
        self._served = served
        self.meanings = {"1": "1", "2": "2", "3": "3", **names}
        self.widths: dict[str, int] = {}
        self.asked: list[str] = []

    def names(self) -> Sequence[str]:
        return ("iris",)

    def served(self, model: str) -> Sequence[str]:
        return self._served

    def resolve(self, model: str, name: str) -> str:
        self.asked.append(name)
        if name not in self.meanings:
            raise ModelError(f"no version {name!r}")
        return self.meanings[name]

    def look_up(self, model: str, version: str) -> tuple[int, Signature | None]:
        width = self.widths.get(version)
        return 1, None if width is None else signature(width)

    def signature(self, model: str, version: str) -> Signature:
        if version not in self.widths:
            raise ModelError("it cannot be loaded")
        return signature(self.widths[version])

    def load(self, model: str, version: str, *, finite: bool) -> TrackedModel:
        raise AssertionError("nothing is loaded to find out what is wished for")

    def close(self) -> None:
        """Hold nothing."""


def deployment(*versions: str, may_change: bool = False) -> Deployment:
    """Of equal weights."""
    return Deployment(
        versions=tuple(WeightedVersion(version=each) for each in versions), signature_may_change=may_change
    )


class Orders:
    """Commands about iris, in a log of their own."""

    def __init__(self) -> None:
        self._log = Log(trust(signing=False))

    def accept(self, offset: int, wanted: Deployment | None) -> Entry:
        """Write a command at an offset, and return what is known of the model then; None removes the deployment."""
        while len(self._log.records) < offset:
            self._log.append(None)
        spec = None if wanted is None else wanted.model_dump(mode="json", exclude_unset=True)
        verdict = self._log.issue("deployment/iris", spec, offset + 1)
        assert (verdict.offset, verdict.refused) == (offset, None)
        return self._log.state.entries[_IRIS]

    def tell(self, wishes: Wishes, offset: int, wanted: Deployment | None) -> None:
        """Write a command, and let a worker read it."""
        wishes.note("iris", self.accept(offset, wanted))

    def at_a_snapshot(self) -> Entry:
        """Return what is known of the model by whoever begins at a snapshot that is written now."""
        return read_snapshot(self._log.snapshot(None), self._log.trust).entries[_IRIS]
