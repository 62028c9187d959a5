"""Requests on their way, and the report of their end."""

from aiokafka.structs import ConsumerRecord, TopicPartition
from hypothesis import given
from hypothesis import strategies as st

from penstock.consumer.pending import PendingRequest, finish
from penstock.consumer.progress import PartitionProgress
from penstock.schemas.envelope import BARE
from penstock.schemas.errors import ErrorCode, RequestError


class Watched(PartitionProgress):
    """A progress that also remembers in which runs it was told."""

    def __init__(self, partition: int) -> None:
        super().__init__(TopicPartition("requests", partition), 0)
        self.runs: list[tuple[int, int]] = []

    def finish(self, start: int, stop: int) -> None:
        self.runs.append((start, stop))
        super().finish(start, stop)


def request_of(progress: PartitionProgress, offset: int, weight: int = 0, rows: int = 0) -> PendingRequest:
    place = progress.place
    record = ConsumerRecord(place.topic, place.partition, offset, 0, 0, None, b"", None, -1, 0, ())
    request = PendingRequest(progress, record, BARE, ("replies", 0))
    request.weight, request.held_rows = weight, rows
    return request


def test_offsets_in_line_are_reported_as_one_run() -> None:
    one, other = Watched(0), Watched(1)
    order = [(one, 0), (one, 1), (other, 2), (other, 3), (one, 2), (one, 5), (one, 4)]
    finish([request_of(progress, offset) for progress, offset in order])
    assert one.runs == [(0, 2), (2, 3), (5, 6), (4, 5)]
    assert other.runs == [(2, 4)]
    assert one.next_offset == 3


@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 20)), unique=True, max_size=30))
def test_every_offset_is_reported_to_its_own_partition(order: list[tuple[int, int]]) -> None:
    both = (Watched(0), Watched(1))
    finish([request_of(both[partition], offset) for partition, offset in order])
    for partition, progress in enumerate(both):
        told = [offset for start, stop in progress.runs for offset in range(start, stop)]
        assert sorted(told) == sorted(offset for each, offset in order if each == partition)


def test_rows_and_bytes_are_handed_back_even_of_those_that_failed() -> None:
    progress = Watched(0)
    requests = [request_of(progress, 0, weight=10, rows=1), request_of(progress, 1, weight=5, rows=3)]
    requests[1].fail(RequestError(ErrorCode.EXPIRED, "late"))
    assert requests[1].rows == 0
    assert finish(requests) == (4, 15)
    assert finish([]) == (0, 0)


def test_repr_shows_coordinates_and_fate() -> None:
    request = request_of(Watched(3), 7)
    assert repr(request) == "<PendingRequest requests/3/7 good>"
    request.fail(RequestError(ErrorCode.EXPIRED, "late"))
    assert repr(request) == "<PendingRequest requests/3/7 late>"
