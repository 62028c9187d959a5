"""What commands and settings ask of each model, and the targets that this comes to."""

from collections.abc import Sequence

from penstock.consumer.control.tracked_model import TrackedModel
from penstock.consumer.control.wishes import Wishes
from penstock.core.deployment_target import Target
from penstock.core.model import Signature, TensorSpec
from penstock.core.reconciler import Here, failed
from penstock.schemas.control.specs import Deployment, WeightedVersion
from penstock.schemas.errors import ModelError


def signature(width: int) -> Signature:
    return Signature((TensorSpec("x", "FP32", (width,)),), (TensorSpec("y", "FP32", (width,)),))


class Shelf:
    """A stock of one model: what its names mean, and the widths that its manifests tell."""

    copies = True

    def __init__(self, **names: str) -> None:
        self.meanings = {"1": "1", "2": "2", "3": "3", **names}
        self.widths: dict[str, int] = {}
        self.asked: list[str] = []

    def names(self) -> Sequence[str]:
        return ("iris",)

    def served(self, model: str) -> Sequence[str]:
        return ("1", "2")

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
    return Deployment(
        versions=tuple(WeightedVersion(version=each) for each in versions), signature_may_change=may_change
    )


def asked(wishes: Wishes, here: Here) -> Sequence[Target]:
    """The targets, once the store has been asked where it has to be."""
    question = wishes.question("iris", here)
    if question is not None:
        wishes.targets["iris"] = question()
    return wishes.targets["iris"]


def seen(targets: Sequence[Target]) -> list[tuple[int, tuple[str, ...]]]:
    return [(each.offset, each.needed) for each in targets]


def test_without_commands_the_settings_are_followed() -> None:
    assert seen(asked(Wishes(Shelf(), ["iris"]), Here())) == [(-1, ("1", "2"))]


def test_who_begins_gets_all_that_was_asked_the_newest_first() -> None:
    wishes = Wishes(Shelf(), ["iris"])
    wishes.note("iris", 4, deployment("1"))
    wishes.note("iris", 7, None)
    wishes.note("iris", 9, deployment("3"))
    assert seen(asked(wishes, Here())) == [(9, ("3",)), (7, ("1", "2")), (4, ("1",)), (-1, ("1", "2"))]


def test_only_the_last_few_are_remembered_and_the_settings() -> None:
    wishes = Wishes(Shelf(), ["iris"])
    for offset in range(100):
        wishes.note("iris", offset, deployment("1"))
    assert [each.offset for each in asked(wishes, Here())] == [99, 98, 97, 96, 95, 94, 93, 92, -1]


def test_what_is_older_than_what_serves_is_of_no_concern() -> None:
    wishes = Wishes(Shelf(), ["iris"])
    for offset, version in ((4, "1"), (5, "2"), (6, "3")):
        wishes.note("iris", offset, deployment(version))
    serving = Target("iris", 5, (("2", 1.0),))
    assert seen(asked(wishes, Here(serving=serving))) == [(6, ("3",)), (5, ("2",))]


def test_weights_of_what_is_there_change_without_asking_the_store() -> None:
    shelf = Shelf()
    wishes = Wishes(shelf, ["iris"])
    here = Here({"1": signature(1), "2": signature(1)}, serving=Target("iris", -1, (("2", 1.0),)))
    wishes.note("iris", 3, deployment("1", "2"))
    assert seen(asked(wishes, here)) == [(3, ("1", "2")), (-1, ("2",))]
    assert shelf.asked == []


def test_a_name_is_asked_again_when_its_deployment_is_tried_again() -> None:
    shelf, here = Shelf(), Here(serving=Target("iris", -1, (("1", 1.0),)))
    wishes = Wishes(shelf, ["iris"])
    wishes.note("iris", 3, deployment("best"))
    (target, _) = asked(wishes, here)
    assert target.fault == "no version 'best'"
    here.failures[3] = failed(target, here, target.fault, 10.0)
    assert not wishes.is_due("iris", here, 11.0)
    assert wishes.is_due("iris", here, 12.0)
    shelf.meanings["best"] = "3"
    assert asked(wishes, here)[0].needed == ("3",)
    assert not wishes.is_due("iris", here, 12.0)


def test_a_late_worker_reports_as_failed_what_the_others_have_refused() -> None:
    shelf = Shelf()
    shelf.widths = {"1": 1, "2": 2, "3": 1}
    wishes = Wishes(shelf, [])
    for offset, version in ((4, "1"), (5, "2")):
        wishes.note("iris", offset, deployment(version))
    newest, then, *_ = asked(wishes, Here())
    assert ("inputs or outputs differ" in newest.fault, then.needed) == (True, ("1",))
    wishes.note("iris", 6, deployment("2", may_change=True))
    assert asked(wishes, Here())[0].fault == ""
