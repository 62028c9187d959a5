"""A worker on a lane, and who sends to it and looks at what becomes of each record. Made once for many tests."""

import secrets
import time
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import orjson
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.structs import TopicPartition

from tests.bad_input.rows import Dead, Error, Headers, Outcome, Request
from tests.support.lane import PARTITIONS, Lane
from tests.support.messages import data_of
from tests.support.waiting import until
from tests.support.worker_inside import InsideWorker

CORRELATIONS = ("penstock-id", "id", "kafka_correlationId", "correlation_id")
MOST_BYTES = 32 * 1024 * 1024


class Desk:
    """Sends requests and finds their outcomes.

    Args:
        lane: its request topic takes records of any size and time.
        worker: serves the lane.

    Attributes:
        other: a topic of replies that requests may name.
        others: the dead-letter topic, and topics to which no reply may go; of one partition each.
        found: `penstock-source` -> the records that name it, on any topic the worker writes to.
    """

    def __init__(self, lane: Lane, worker: InsideWorker) -> None:
        self.lane, self.worker = lane, worker
        self.other = f"{lane.replies}-other"
        self.others = (lane.dead_letters, *(f"{lane.group}-{name}" for name in ("private", "control", "status")))
        self.found: dict[str, list[Any]] = defaultdict(list)
        servers = {"bootstrap_servers": lane.bootstrap}
        self._producer = AIOKafkaProducer(**servers, acks="all", max_batch_size=MOST_BYTES)
        self._consumer = AIOKafkaConsumer(**servers, enable_auto_commit=False, auto_offset_reset="earliest")
        self._admin = AIOKafkaAdminClient(**servers)

    async def __aenter__(self) -> "Desk":
        await self._producer.start()
        await self._consumer.start()
        await self._admin.start()
        sizes = {self.lane.replies: PARTITIONS, self.other: PARTITIONS, **dict.fromkeys(self.others, 1)}
        places = [TopicPartition(topic, number) for topic, count in sizes.items() for number in range(count)]
        self._consumer.assign(places)
        await self._consumer.seek_to_beginning(*places)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._admin.close()
        await self._consumer.stop()
        await self._producer.stop()

    async def send(self, requests: Sequence[Request], partition: int) -> list[str]:
        """Write requests in one record batch and return their sources."""
        batch = self._producer.create_batch()
        for request in requests:
            stamp_ms = request.stamp_ms
            if stamp_ms is None:
                stamp_ms = int((time.time() - request.sent_s_ago) * 1000)
            headers = named(self.lane, request.headers)
            assert batch.append(key=request.key, value=request.value, timestamp=stamp_ms, headers=headers) is not None
        first = await (await self._producer.send_batch(batch, self.lane.requests, partition=partition))
        return self.sources(partition, first.offset, len(requests))

    def sources(self, partition: int, first: int, count: int) -> list[str]:
        """The sources of records that lie one after another."""
        return [f"{self.lane.requests}/{partition}/{first + number}" for number in range(count)]

    async def outcomes(self, sources: Sequence[str], within_s: float = 20.0) -> list[Any]:
        """Wait until every record has come to something; return what, one record each."""

        async def all_found() -> bool:
            for records in (await self._consumer.getmany(timeout_ms=20)).values():
                for record in records:
                    self.found[last_headers(record)["penstock-source"].decode()].append(record)
            return all(source in self.found for source in sources)

        missing = lambda: f"outcomes; missing {[source for source in sources if source not in self.found]}"  # noqa: E731
        await until(all_found, within_s=within_s, every_s=0.0, what=missing)
        for source in sources:
            assert len(self.found[source]) == 1, f"{source} has {len(self.found[source])} outcomes"
        return [self.found[source][0] for source in sources]

    async def passed(self, source: str) -> None:
        """Wait until the group has committed an offset beyond a record, and the worker is there still."""
        topic, partition, offset = source.rsplit("/", 2)
        place = TopicPartition(topic, int(partition))

        async def committed() -> bool:
            found = await self._admin.list_consumer_group_offsets(self.lane.group)
            return place in found and found[place].offset > int(offset)

        await until(committed, within_s=15, every_s=0.05, what=f"{source} is committed")
        assert self.worker.worker.state == "running"

    async def have(self, sources: Sequence[str], requests: Sequence[Request], outcomes: Sequence[Outcome]) -> list[Any]:
        """Hold records against their outcomes, once all have come to something and are committed."""
        found = await self.outcomes(sources)
        for request, record, outcome in zip(requests, found, outcomes, strict=True):
            self.check(request, record, outcome)
        await self.passed(sources[-1])
        return found

    def check(self, request: Request, record: Any, outcome: Outcome) -> None:
        """Hold a record against the outcome that a request must have."""
        _same("key", record.key, None if isinstance(outcome, Dead) and outcome.bare else request.key)
        if isinstance(outcome, Dead):
            _same("topic", record.topic, self.lane.dead_letters)
            _same("reason", last_headers(record)["penstock-reason"].decode(), outcome.reason)
            _same("value", record.value, None if outcome.bare else request.value)
            return
        _same("topic", record.topic, self.other if isinstance(outcome, Error) and outcome.other else self.lane.replies)
        sent = [(name, value or b"") for name, value in request.headers if name in CORRELATIONS]
        _same("correlation", [pair for pair in record.headers if pair[0] in CORRELATIONS], sent)
        said = last_headers(record).get("penstock-error", b"").decode()
        _same("error", said, outcome.code if isinstance(outcome, Error) else "")
        if isinstance(outcome, Error):
            _same("code", orjson.loads(record.value)["code"], said)
        elif isinstance(outcome.data, bytes):
            _same("bytes", record.value, outcome.data)
        else:
            _same("data", data_of(record), list(outcome.data))


def fresh(bootstrap: str, name: str) -> Lane:
    """Names of a lane that is not made yet; a given cluster may hold those of earlier runs."""
    label = f"{name}-{secrets.token_hex(3)}"
    return Lane(bootstrap, f"{label}-requests", f"{label}-replies", f"{label}-group")


def named(lane: Lane, headers: Headers) -> list[tuple[str, bytes | None]]:
    """Headers with the lane's names in the place of `{replies}`, `{requests}` and `{group}`."""
    names = {
        b"{replies}": lane.replies.encode(),
        b"{requests}": lane.requests.encode(),
        b"{group}": lane.group.encode(),
    }
    said = []
    for name, value in headers:
        if value and b"{" in value:
            for mark, meant in names.items():
                value = value.replace(mark, meant)  # noqa: PLW2901
        said.append((name, value))
    return said


def _same(what: str, found: Any, wanted: Any) -> None:
    assert found == wanted, f"{what}: {str(found)[:200]} instead of {str(wanted)[:200]}"


def last_headers(record: Any) -> dict[str, bytes]:
    """A record's headers, of each name the last: of a dead letter's, those are the worker's."""
    return dict(record.headers)
