"""Which fault comes when."""

from itertools import islice

import pytest

from tests.chaos.faults.catalogue import CATALOGUE
from tests.chaos.oracle import Delivery
from tests.chaos.schedule import fits, turns


def ranks(seed: int, count: int) -> list[tuple[int, int]]:
    return [(turn.planned.make().rank, turn.seed) for turn in islice(turns(CATALOGUE, seed), count)]


def test_a_seed_gives_the_same_faults_and_another_one_others() -> None:
    assert ranks(7, 100) == ranks(7, 100)
    assert ranks(7, 100) != ranks(8, 100)


def test_each_fault_comes_once_before_any_comes_again() -> None:
    once = [turn.planned for turn in islice(turns(CATALOGUE, 3), len(CATALOGUE))]
    assert set(map(id, once)) == set(map(id, CATALOGUE))


def test_every_rank_is_there() -> None:
    assert {planned.make().rank for planned in CATALOGUE} == {*range(1, 32), 34}


@pytest.mark.parametrize("rank", [1, 2, 3, 4, 10, 11])
def test_the_gravest_faults_get_a_hundred_thousand_requests(rank: int) -> None:
    assert [each.make().requests for each in CATALOGUE if each.make().rank == rank] == [100_000]


@pytest.mark.parametrize(("delivery", "left_out"), [("at-least-once", {4, 5, 8, 13}), ("exactly-once", set[int]())])
def test_faults_of_transactions_need_transactions(delivery: Delivery, left_out: set[int]) -> None:
    assert {each.make().rank for each in CATALOGUE if not each.suits(delivery)} == left_out


def test_what_does_not_end_in_time_is_not_begun() -> None:
    assert not fits(CATALOGUE[0], CATALOGUE[0].about_s - 1)
    assert fits(CATALOGUE[0], CATALOGUE[0].about_s)
