"""Which dead letters are meant, how they are grouped, and how fast they go."""

from dataclasses import replace
from typing import Any

import pytest

from penstock.cli.deadletters.finding import Listed
from penstock.cli.deadletters.listing import grouped
from penstock.cli.deadletters.selection import Selection, parse_time
from penstock.schemas.dead_letters.letter import Coordinates, DeadLetter

LETTER = DeadLetter(
    at=Coordinates("requests-dlt", 0, 1),
    time_ms=1000,
    reason="BAD_OUTPUT",
    message="why",
    digest="00ff00ff00ff00ff",
    model="iris@4",
    source=Coordinates("requests", 0, 7),
    source_time_ms=900,
    group="workers",
    attempts=1,
    payload_kept=True,
    key=None,
    value=None,
    headers=(),
)
NOW_MS = 1_795_400_000_000


@pytest.mark.parametrize(
    ("meant", "taken"),
    [
        ({}, True),
        ({"reason": "bad_output"}, True),
        ({"reason": "BAD_INPUT"}, False),
        ({"model": "iris"}, True),
        ({"model": "iris@4"}, True),
        ({"model": "iris@5"}, False),
        ({"model": "iri"}, False),
        ({"digest": "00FF"}, True),
        ({"digest": "ff"}, False),
        ({"since_ms": 1000, "until_ms": 1001}, True),
        ({"since_ms": 1001}, False),
        ({"until_ms": 1000}, False),
        ({"reason": "BAD_OUTPUT", "model": "other"}, False),
    ],
    ids=str,
)
def test_a_letter_is_meant_when_all_that_is_named_fits(meant: dict[str, Any], taken: bool) -> None:
    assert Selection(**meant).takes(LETTER) is taken


def test_poison_is_asked_for_by_name_alone() -> None:
    poison = replace(LETTER, reason="POISON")
    assert Selection().takes(poison)
    assert not Selection(model="iris").asks_for(poison)
    assert Selection(reason="POISON").asks_for(poison)
    assert Selection(digest="00ff").asks_for(poison)
    assert Selection().asks_for(LETTER)


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("2h", NOW_MS - 7_200_000),
        ("7d", NOW_MS - 7 * 86_400_000),
        ("2026-11-23T04:35:00+00:00", 1_795_408_500_000),
        ("2026-11-23T05:35+01:00", 1_795_408_500_000),
    ],
)
def test_times_are_read_as_people_write_them(text: str, ms: int) -> None:
    assert parse_time(text, NOW_MS) == ms


@pytest.mark.parametrize("text", ["", "soon", "2026-13-01", "0h", "-2h", "9999999d"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is neither a time"):
        parse_time(text, NOW_MS)


def test_equal_faults_are_one_group_and_the_newest_comes_first() -> None:
    letters = [
        Listed(replace(LETTER, time_ms=time_ms, digest=digest, message=f"at {time_ms}"), redriven)
        for time_ms, digest, redriven in [(1, "a", True), (2, "b", False), (3, "a", False), (4, "b", False)]
    ]
    first, second = grouped(letters)
    assert (first.digest, first.count, first.redriven, first.first_ms, first.last_ms) == ("b", 2, 0, 2, 4)
    assert (second.digest, second.count, second.redriven, second.newest.message) == ("a", 2, 1, "at 3")
