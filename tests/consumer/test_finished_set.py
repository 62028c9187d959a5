"""The finished set: runs of offsets, and their form in a commit's metadata."""

import base64
import random
import zlib
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.consumer.finished_set import MAX_METADATA_BYTES, FinishedSet

RUNS = st.lists(st.tuples(st.integers(0, 60), st.integers(1, 8)), max_size=15)


def filled(runs: list[tuple[int, int]]) -> tuple[FinishedSet, set[int]]:
    """The set, and the plain set of offsets that it stands for."""
    finished, model = FinishedSet(), set[int]()
    for start, length in runs:
        finished.add(start, start + length)
        model |= set(range(start, start + length))
    return finished, model


def offsets(finished: FinishedSet) -> list[int]:
    return [offset for start, stop in finished for offset in range(start, stop)]


@given(RUNS)
def test_it_holds_what_a_plain_set_of_offsets_holds(runs: list[tuple[int, int]]) -> None:
    finished, model = filled(runs)
    assert offsets(finished) == sorted(model)
    assert [offset in finished for offset in range(-1, 70)] == [offset in model for offset in range(-1, 70)]
    found = list(finished)
    assert len(finished) == len(found)
    # Disjoint, sorted, and neighbours merged.
    assert all(one[1] < other[0] for one, other in pairwise(found))


@given(RUNS, st.integers(0, 70))
def test_popping_goes_on_to_the_first_offset_that_is_missing(runs: list[tuple[int, int]], start: int) -> None:
    finished, model = filled(runs)
    reached = finished.pop_from(start)
    wanted = start
    while wanted in model:
        wanted += 1
    assert reached == wanted
    assert offsets(finished) == sorted(offset for offset in model if offset > wanted)


@given(RUNS, st.integers(0, 2**62))
def test_what_is_written_is_read_again(runs: list[tuple[int, int]], base: int) -> None:
    finished = FinishedSet()
    for start, length in runs:
        finished.add(base + 1 + start, base + 1 + start + length)
    metadata = finished.encode(base)
    assert list(FinishedSet.decode(metadata, base)) == list(finished)
    assert (metadata == "") == (len(finished) == 0)


def test_the_form_is_the_documented_one() -> None:
    finished = FinishedSet()
    finished.add(103, 105)
    finished.add(400, 401)
    # Gap 3, length 2, gap 295 in two bytes, length 1.
    assert finished.encode(100) == "1:" + base64.urlsafe_b64encode(bytes([3, 2, 0xA7, 0x02, 1])).decode().rstrip("=")


def test_many_runs_are_compressed() -> None:
    finished = FinishedSet()
    for at in range(2, 20_002, 2):
        finished.add(at, at + 1)
    metadata = finished.encode(0)
    assert metadata.startswith("2:")
    assert len(metadata) < 200
    assert list(FinishedSet.decode(metadata, 0)) == list(finished)
    numbers = zlib.decompress(base64.urlsafe_b64decode(metadata[2:] + "=" * (-len(metadata[2:]) % 4)))
    assert numbers == bytes([2, 1]) + bytes([1, 1]) * 9_999


def test_what_was_compressed_otherwise_is_read_as_well() -> None:
    text = base64.urlsafe_b64encode(zlib.compress(bytes([2, 1, 1, 1]), 1)).decode().rstrip("=")
    assert list(FinishedSet.decode("2:" + text, 5)) == [(7, 8), (9, 10)]


@settings(max_examples=20)
@given(st.integers(0, 99), st.integers(1, 2**40), st.integers(1, 2**20))
def test_metadata_never_grows_beyond_what_a_broker_takes(seed: int, gap: int, length: int) -> None:
    finished, dice = FinishedSet(), random.Random(seed)
    at = 7
    for _ in range(9000):
        start = at + dice.randint(1, gap)
        at = start + dice.randint(1, length)
        finished.add(start, at)
    metadata = finished.encode(7)
    assert len(metadata) <= MAX_METADATA_BYTES
    # What does not fit is left out from the end; what is said is true.
    kept = list(FinishedSet.decode(metadata, 7))
    assert kept == list(finished)[: len(kept)]
    assert kept


@pytest.mark.parametrize(
    "metadata",
    [
        "",
        "hello",
        "2:Aw",
        "2:" + base64.urlsafe_b64encode(zlib.compress(bytes([3]))).decode().rstrip("="),  # a gap without a length
        "2:" + base64.urlsafe_b64encode(zlib.compress(bytes([3, 2]))[:-2]).decode().rstrip("="),  # cut off
        "3:AwI",
        "1:",
        "1:!!!!",
        "1:A",
        "1:Aw",  # a gap without a length
        "1:AwKA",  # a number without an end
        "1:AwA",  # an empty run
        "1:AwI=",  # padded
        "1:Aw I",
        "1:hello world",
        "1:" + "_" * 40,
        "1:////",
        "{\"commitTimestamp\":1}",
    ],
)  # fmt: skip
def test_metadata_of_another_program_are_an_empty_set(metadata: str) -> None:
    assert list(FinishedSet.decode(metadata, 5)) == []


@given(st.text(max_size=30) | st.text("ABCabc019-_=", max_size=30).map("1:".__add__), st.integers(0, 2**62))
def test_any_metadata_are_ours_to_the_letter_or_an_empty_set(metadata: str, base: int) -> None:
    finished = FinishedSet.decode(metadata, base)
    assert not finished or finished.encode(base) == metadata
    assert all(base <= start < stop < 2**63 for start, stop in finished)


def test_repr_shows_the_runs() -> None:
    assert repr(filled([(3, 2), (9, 1)])[0]) == "<FinishedSet [(3, 5), (9, 10)]>"
