"""Versions that have left memory and are asked for: when they are tried, and what requests get meanwhile."""

from penstock.consumer.control.returning import Returning
from penstock.consumer.control.served_models import ServedModels
from penstock.core.evicted_model import EvictedModel
from penstock.core.model_memory import NoRoomNow
from penstock.core.model_table import ModelTable
from penstock.schemas.errors import ModelError
from tests.support.shelf import signature

PLACE = ("iris", "1")


def evicted() -> tuple[ModelTable, Returning]:
    """A table whose only version has left memory, and what knows when it comes back."""
    table = ModelTable()
    table.add(EvictedModel(*PLACE, signature(1)))
    returning = Returning(ServedModels(table, 1000))

    def on_wanted(model: str, version: str) -> None:
        returning.want(model, version)

    table.on_wanted = on_wanted
    return table, returning


def test_requests_wait_for_the_load_and_not_after_it_has_failed_until_it_may_be_tried_again() -> None:
    table, returning = evicted()
    assert (table.is_ready("iris", None), returning.next(0.0)) == (False, PLACE)
    returning.failed(*PLACE, ModelError("the disk is gone"), 100.0)
    assert (table.is_ready("iris", None), returning.next(101.9)) == (True, None)
    assert (returning.next(102.0), returning.soonest) == (None, float("inf"))  # nobody asks
    assert (table.is_ready("iris", None), returning.next(102.0)) == (False, PLACE)
    returning.failed(*PLACE, ModelError("the disk is gone"), 200.0)
    assert returning.soonest == 204.0


def test_requests_wait_for_room_but_not_for_ever() -> None:
    table, returning = evicted()
    assert returning.want(*PLACE)
    tries = 0
    while not table.is_ready("iris", None):
        returning.failed(*PLACE, NoRoomNow("what runs takes the room"), float(tries))
        tries += 1
    assert tries == 10


def test_what_is_retired_meanwhile_is_forgotten() -> None:
    table, returning = evicted()
    assert returning.want(*PLACE)
    table.remove(*PLACE)
    returning.failed(*PLACE, ModelError("the disk is gone"), 0.0)
    assert (returning.next(0.0), returning.soonest) == (None, float("inf"))
