"""What commands and settings ask of each model, and the targets that this comes to."""

from collections.abc import Sequence

from penstock.consumer.control.wishes import Wishes
from penstock.core.deployment_target import Target
from penstock.core.reconciler import Here, failed
from tests.support.shelf import Orders, Shelf, deployment, signature


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
    wishes, orders = Wishes(Shelf(), ["iris"]), Orders()
    orders.tell(wishes, 4, deployment("1"))
    orders.tell(wishes, 7, None)
    orders.tell(wishes, 9, deployment("3"))
    assert seen(asked(wishes, Here())) == [(9, ("3",)), (7, ("1", "2")), (4, ("1",)), (-1, ("1", "2"))]


def test_only_the_last_few_are_remembered_and_the_settings() -> None:
    wishes, orders = Wishes(Shelf(), ["iris"]), Orders()
    for offset in range(100):
        orders.tell(wishes, offset, deployment("1"))
    assert [each.offset for each in asked(wishes, Here())] == [99, 98, 97, 96, 95, 94, 93, 0, -1]


def test_what_is_older_than_what_serves_is_of_no_concern() -> None:
    wishes, orders = Wishes(Shelf(), ["iris"]), Orders()
    for offset, version in ((4, "1"), (5, "2"), (6, "3")):
        orders.tell(wishes, offset, deployment(version))
    serving = Target("iris", 5, (("2", 1.0),))
    assert seen(asked(wishes, Here(serving=serving))) == [(6, ("3",)), (5, ("2",))]


def test_weights_of_what_is_there_change_without_asking_the_store() -> None:
    shelf = Shelf()
    wishes, orders = Wishes(shelf, ["iris"]), Orders()
    here = Here({"1": signature(1), "2": signature(1)}, serving=Target("iris", -1, (("2", 1.0),)))
    orders.tell(wishes, 3, deployment("1", "2"))
    assert seen(asked(wishes, here)) == [(3, ("1", "2")), (-1, ("2",))]
    assert shelf.asked == []


def test_a_name_is_asked_again_when_its_deployment_is_tried_again() -> None:
    shelf, here = Shelf(), Here(serving=Target("iris", -1, (("1", 1.0),)))
    wishes, orders = Wishes(shelf, ["iris"]), Orders()
    orders.tell(wishes, 3, deployment("best"))
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
    wishes, orders = Wishes(shelf, []), Orders()
    for offset, version in ((4, "1"), (5, "2")):
        orders.tell(wishes, offset, deployment(version))
    newest, then, *_ = asked(wishes, Here())
    assert ("version 2 differ from those of 1" in newest.fault, then.needed) == (True, ("1",))
    orders.tell(wishes, 6, deployment("2", may_change=True))
    assert asked(wishes, Here())[0].fault == ""


def test_who_begins_at_a_snapshot_refuses_what_the_others_have_refused() -> None:
    shelf, orders = Shelf(served=()), Orders()
    shelf.widths = {"1": 1, "2": 2}
    orders.accept(0, deployment("1"))
    orders.accept(1, deployment("2"))
    late = Wishes(shelf, [])
    late.note("iris", orders.at_a_snapshot())
    newest, then, *_ = asked(late, Here())
    assert ("version 2 differ from those of 1" in newest.fault, then.needed) == (True, ("1",))


def test_who_begins_at_a_snapshot_serves_what_was_let_in_long_ago() -> None:
    shelf, orders = Shelf(), Orders()
    shelf.widths = {"1": 1, "2": 1, "3": 2}
    orders.accept(0, deployment("3", may_change=True))
    for offset in range(1, 30):
        orders.accept(offset, deployment("1" if offset % 2 else "3"))
    late = Wishes(shelf, ["iris"])
    late.note("iris", orders.at_a_snapshot())
    assert "version 1 differ from those of 3" in asked(late, Here())[0].fault
    orders.tell(late, 31, deployment("3"))
    assert asked(late, Here())[0].fault == ""
