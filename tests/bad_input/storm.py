"""Many requests of which some are bad: who sends them, and who holds each of them against its outcome.

Nothing here is kept by the request but one byte: what it must come to.
"""

import random
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.structs import TopicPartition
from numpy.typing import NDArray

from tests.bad_input.desk import MOST_BYTES, named
from tests.bad_input.rows import Dead, Error, Outcome, Request, Row
from tests.support.damaged import batch_with_damaged_header_key, produce_raw
from tests.support.lane import PARTITIONS, Lane
from tests.support.waiting import until

BATCH = 500  # records of one batch
_SMALL = 20_000  # bytes; larger rows of the table are for the table's own test
_NONE, _OK = "", "ok"


def small(rows: Sequence[Row]) -> list[Row]:
    """Those rows that do not take the broker's time for their size, and do not depend on when they came."""
    return [
        row
        for row in rows
        if len(row.request.value or b"") + sum(len(name) + len(value or b"") for name, value in row.request.headers)
        <= _SMALL
        and len(row.request.headers) <= 100
    ]


def wanted(outcome: Outcome) -> str:
    """What the record that answers a request says of itself."""
    if isinstance(outcome, Error):
        return outcome.code
    return f"dead {outcome.reason}" if isinstance(outcome, Dead) else _OK


class Storm:
    """Writes requests to a lane, some of them bad, and reads what becomes of them.

    Args:
        lane: whose request topic gets them.
        rows: what the bad ones are drawn from.
        count: how many there are.
        part: how many of them are bad, of one.
        seed: of the drawing.

    Attributes:
        outcomes: how many requests came to what.
        faults: requests that came to something else, or to two things; the first few.
        sent: how many are written.
        answered: how many have an outcome.
    """

    def __init__(self, lane: Lane, rows: Sequence[Row], *, count: int, part: float, seed: int) -> None:
        self._lane = lane
        self._rows = small(rows)
        self._part = part
        self._draw = random.Random(seed)
        kinds = {wanted(row.outcome) for row in self._rows} | {wanted(Dead("UNREADABLE"))}
        self._kinds = [_NONE, _OK, *sorted(kinds - {_OK})]
        self._due: list[NDArray[np.uint8]] = [
            np.zeros(2 * count // PARTITIONS + BATCH, np.uint8) for _ in range(PARTITIONS)
        ]
        self.outcomes: Counter[str] = Counter()
        self.faults: list[str] = []
        self.sent = self.answered = 0
        servers = {"bootstrap_servers": lane.bootstrap}
        self._producer = AIOKafkaProducer(**servers, acks="all", max_batch_size=MOST_BYTES)
        self._consumer = AIOKafkaConsumer(
            **servers, enable_auto_commit=False, auto_offset_reset="earliest", max_poll_records=5000, check_crcs=False
        )

    async def __aenter__(self) -> "Storm":
        await self._producer.start()
        await self._consumer.start()
        lane = self._lane
        sizes = {lane.replies: PARTITIONS, f"{lane.replies}-other": PARTITIONS, lane.dead_letters: 1}
        places = [TopicPartition(topic, number) for topic, size in sizes.items() for number in range(size)]
        self._consumer.assign(places)
        await self._consumer.seek_to_beginning(*places)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._consumer.stop()
        await self._producer.stop()

    async def send(self, batches: int) -> None:
        """Write so many batches, to one partition after another."""
        for _ in range(batches):
            partition = self.sent // BATCH % PARTITIONS
            rows = self._rows
            chosen = [self._draw.choice(rows) if self._draw.random() < self._part else None for _ in range(BATCH)]
            batch = self._producer.create_batch()
            now_ms = int(time.time() * 1000)
            for row in chosen:
                request = _GOOD if row is None else row.request
                stamp_ms = now_ms - int(request.sent_s_ago * 1000)
                headers = named(self._lane, request.headers)
                assert batch.append(key=b"k", value=request.value, timestamp=stamp_ms, headers=headers) is not None
            place = await (await self._producer.send_batch(batch, self._lane.requests, partition=partition))
            due = [_OK if row is None else wanted(row.outcome) for row in chosen]
            self._due[partition][place.offset : place.offset + BATCH] = [self._kinds.index(kind) for kind in due]
            self.sent += BATCH

    async def send_damaged(self, damaged: int) -> None:
        """Write a batch of three, in one of which a header key is not UTF-8."""
        partition = self.sent // BATCH % PARTITIONS
        batch = batch_with_damaged_header_key([_GOOD.value or b""] * 3, damaged)
        first = await produce_raw(self._lane.bootstrap, self._lane.requests, partition, batch)
        due = [_OK if at != damaged else wanted(Dead("UNREADABLE")) for at in range(3)]
        self._due[partition][first : first + 3] = [self._kinds.index(kind) for kind in due]
        self.sent += 3

    async def read(self, within_s: float) -> None:
        """Read until every request that is written has an outcome."""

        async def all_read() -> bool:
            for records in (await self._consumer.getmany(timeout_ms=20)).values():
                for record in records:
                    self._hold(record)
            return self.answered >= self.sent

        missing = lambda: f"{self.sent - self.answered} outcomes are missing; {self.outcomes}"  # noqa: E731
        await until(all_read, within_s=within_s, every_s=0.0, what=missing)

    def _hold(self, record: Any) -> None:
        headers = dict(record.headers)
        source = headers["penstock-source"].decode()
        _, partition, offset = source.rsplit("/", 2)
        if record.topic == self._lane.dead_letters:
            came_to = f"dead {headers['penstock-reason'].decode()}"
        else:
            came_to = headers.get("penstock-error", _OK.encode()).decode()
        due = self._due[int(partition)]
        want = self._kinds[due[int(offset)]]
        due[int(offset)] = 0
        self.answered += 1
        self.outcomes[came_to] += 1
        if came_to != want and len(self.faults) < 20:
            self.faults.append(f"{source} came to {came_to}, not to {want or 'a second outcome'}")


_GOOD = Request()
