"""The commands of the demo: who may answer whom, what is told, and every fault said."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.cli.demo.answers import Answer, InForce, misplaced, rate, versions
from penstock.cli.demo.commanded import scene_page
from penstock.cli.demo.guarded import DemoError
from penstock.cli.demo.held_out import HeldOut
from penstock.cli.demo.models import CANDIDATE, SECOND_HELD_OUT, SWITCHED, build_second
from penstock.cli.demo.publishing import publishing
from penstock.core.routing import Split, all_to
from tests.support.demo_figures import commanded, figures, scene

CANARY = Split(("1", "2"), (90.0, 10.0))
# docs/control.md has these as test vectors: the first one stays, the second one is given to the canary.
STAYS, MOVES = b"customer-7", b"customer-14"


def answer(version: str | None, *, asked: float, came: float, customer: bytes = STAYS) -> Answer:
    return Answer(asked, came, customer, version)


def switched(at: float, done: float) -> list[InForce]:
    """Version 1, and then 2: commanded at a time, and done by all at another."""
    return [InForce(all_to("1"), float("-inf"), done), InForce(all_to("2"), at)]


@pytest.mark.parametrize(
    ("version", "asked", "came", "good"),
    [
        ("1", 1.0, 2.0, True),
        ("2", 1.0, 2.0, False),
        ("1", 9.0, 11.0, True),
        ("2", 9.0, 11.0, True),
        ("1", 11.0, 14.0, True),
        ("1", 12.5, 14.0, False),
        ("2", 12.5, 14.0, True),
        ("3", 11.0, 11.5, False),
        (None, 1.0, 2.0, False),
    ],
)
def test_both_versions_may_answer_only_while_the_workers_switch(version, asked, came, good):
    found = misplaced([answer(version, asked=asked, came=came)], switched(at=10.0, done=12.0))
    assert (found == []) is good


def test_canary_may_answer_its_own_customers_and_nobody_else():
    by_canary = [answer("2", asked=1, came=2, customer=customer) for customer in (STAYS, MOVES)]
    by_other = [answer("1", asked=1, came=2, customer=customer) for customer in (STAYS, MOVES)]

    assert misplaced([*by_canary, *by_other], [InForce(CANARY, 0.0)]) == [by_canary[0], by_other[1]]


@given(st.lists(st.tuples(st.floats(0, 30), st.floats(0, 5)), max_size=40))
def test_no_answer_is_misplaced_twice_or_lost_from_sight(times):
    answers = [answer("2", asked=asked, came=asked + lasts) for asked, lasts in times]
    found = misplaced(answers, switched(at=10.0, done=12.0))

    assert found == [each for each in answers if each.came < 10.0]


def test_versions_are_counted_of_requests_that_began_and_ended_within_the_time():
    answers = [answer("1", asked=1, came=3), answer("1", asked=2, came=4), answer("2", asked=3, came=6)]
    assert versions(answers, 2, 5) == {"1": 1}


def test_rate_counts_what_came_in_the_time_whenever_it_was_asked():
    assert rate([answer("1", asked=0, came=came) for came in (1.0, 2.0, 2.5, 3.9, 4.0)], 2.0, 4.0) == 1.5


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (
            scene(commanded(applied=1, unlike=["w-1 failed no such version"])),
            ["deploy a@2: w-1 failed no such version"],
        ),
        (scene(commanded(workers=0, applied=0)), ["deploy a@2: no worker heard it"]),
        (scene(commanded(per_second=760.0, limit=500.0)), ["deploy a@2: 760 answers a second came all the same"]),
        (scene(commanded(per_second=300.0, limit=500.0)), []),
        (
            scene(misplaced=1200),
            ["control: 1,200 answers by a version that was not commanded for their customer"],
        ),
    ],
    ids=["not done", "nobody", "too many", "few", "misplaced"],
)
def test_each_fault_of_a_command_is_said_and_makes_the_demo_fail(found, said):
    assert figures(scene=found).faults == said
    assert figures(scene=found).as_json()["good"] == (not said)


def test_page_says_who_did_a_command_how_fast_and_what_the_answers_showed():
    lines = scene_page(
        scene(
            commanded(command="deploy iris@2 --canary 10", shares={"2": 0.099, "1": 0.901}, seconds=0.1204),
            commanded(command="throttle tenant:acme 500", applied=1, per_second=1497.6),
        )
    )

    assert "  deploy iris@2 --canary 10      2 of 2 in 120 ms  90 % by version 1, 10 % by 2" in lines
    assert "  throttle tenant:acme 500       1 of 2 in 120 ms  1,498 answers a second" in lines
    assert [line for line in lines if len(line) > 80] == []


def test_page_praises_no_customer_who_met_another_version():
    assert any("Each customer" in line for line in scene_page(scene()))
    assert not any("Each customer" in line for line in scene_page(scene(misplaced=1)))


def test_second_version_answers_otherwise_than_the_first(tmp_path):
    build_second(tmp_path)
    second = HeldOut.read(tmp_path, SECOND_HELD_OUT)

    assert (tmp_path / CANDIDATE).is_file()
    assert not (tmp_path / "models").exists()  # where workers would find it at once
    assert 0.4 < second.score({row: second.expected(row) for row in range(len(second))}) < 0.6


async def test_version_that_cannot_be_published_says_why_in_a_line(tmp_path):
    (tmp_path / CANDIDATE).write_bytes(b"no model")

    with pytest.raises(DemoError) as raised:
        async with publishing(tmp_path):
            pass
    assert re.fullmatch(rf"{SWITCHED}@2 could not be published: .*{CANDIDATE}.*", str(raised.value))
