"""Suspects: requests that ran when a worker process died. Each runs alone, and is cleared or found guilty. Pure."""

from collections import deque
from collections.abc import Iterator, Sequence
from typing import Final

from aiokafka.structs import TopicPartition

from penstock.consumer.block import RequestBlock
from penstock.consumer.narrowing import Part
from penstock.consumer.pending import PendingRequest
from penstock.consumer.suspects.journal import Death, Run
from penstock.core.batch import Batch
from penstock.schemas.record import Record

_REMEMBERED: Final = 64  # deaths of each partition; a request is met by no more than three in a row


class Suspects:
    """What deaths are known, and which requests they cast a suspicion on."""

    def __init__(self) -> None:
        self._runs: dict[TopicPartition, deque[Run]] = {}

    def __len__(self) -> int:
        return sum(map(len, self._runs.values()))

    def __repr__(self) -> str:
        return f"<Suspects of {len(self)} deaths>"

    def add(self, death: Death) -> None:
        """Learn of a death."""
        for run in death:
            place = TopicPartition(run.topic, run.partition)
            self._runs.setdefault(place, deque(maxlen=_REMEMBERED)).append(run)

    def forget(self) -> None:
        """Know of no death any more."""
        self._runs.clear()

    def set_apart(self, batch: Batch[PendingRequest]) -> list[Part]:
        """Cut a batch so that each suspect runs alone, with the number of deaths that it was alone with."""
        if not self._runs:
            return [Part(batch)]
        lone_deaths: dict[int, int] = {}
        start = 0
        for chunk in batch.chunks:
            lone_deaths.update((start + at, deaths) for at, deaths in self._among(batch.key.model, chunk.requests))
            start += len(chunk.requests)
        if not lone_deaths:
            return [Part(batch)]
        return [
            Part(part) if place is None else Part(part, lone_deaths[place], suspect=True)
            for place, part in batch.apart(lone_deaths.keys())
        ]

    def _among(self, model: str, requests: Sequence[PendingRequest]) -> Iterator[tuple[int, int]]:
        """Yield the suspects among the requests of a chunk: where, and their lone deaths."""
        if isinstance(requests, RequestBlock):
            records = requests.records
            runs = self._known(model, requests.progress.place, records[0].offset, records[-1].offset)
            judged = ((at, _lone_deaths(runs, record)) for at, record in enumerate(records)) if runs else iter(())
        else:
            judged = ((at, self._of(model, request)) for at, request in enumerate(requests) if request.rows)
        yield from ((at, deaths) for at, deaths in judged if deaths is not None)

    def _of(self, model: str, request: PendingRequest) -> int | None:
        offset = request.record.offset
        return _lone_deaths(self._known(model, request.progress.place, offset, offset), request.record)

    def _known(self, model: str, place: TopicPartition, first: int, last: int) -> list[Run]:
        known = self._runs.get(place, ())
        return [run for run in known if run.model == model and run.first <= last and first <= run.last]


def _lone_deaths(runs: Sequence[Run], record: Record) -> int | None:
    """Return how many deaths a request was alone with; None where none makes it suspect.

    Its timestamp must agree: a topic that was made anew counts its offsets from the beginning.
    """
    offset = record.offset
    about = [run for run in runs if run.first <= offset <= run.last]
    alone = sum(run.timestamp == record.timestamp for run in about)
    return alone if alone or any(run.timestamp is None for run in about) else None
