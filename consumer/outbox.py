"""The outbox: everything the worker writes, and what happens when Kafka will not take it.

Each request leaves by one of three ways, and is reported as finished only when Kafka has acknowledged it: a
reply, an error reply, or a dead letter. One that kills whatever runs it leaves by the last two, one after the other.
"""

import asyncio
from collections.abc import Callable, Sequence, Set
from typing import Any, Final

from penstock.consumer.block import RequestBlock
from penstock.consumer.dead_letters import dead_letter
from penstock.consumer.exactly_once.transacting import Transacting
from penstock.consumer.failure_cap.causes import is_own
from penstock.consumer.failure_cap.gate import FailureGate
from penstock.consumer.pending import PendingRequest, finish
from penstock.consumer.reply_builder import ReplyBuilder
from penstock.consumer.routes import ReplyRouter
from penstock.consumer.settings import WorkerSettings
from penstock.core.batch import Batch
from penstock.core.engine import Inference
from penstock.core.metrics import Metrics
from penstock.schemas.errors import ErrorCode, RequestError, TransportError
from penstock.schemas.logger import Logger
from penstock.transport.publisher import TOO_LARGE, Outgoing, RecordPublisher
from penstock.transport.topics import TopicDirectory, create_topics

log = Logger(__name__)

_RETRY_S: Final = 1.0
BATCH_OVERHEAD: Final = 1024  # bytes of a reply's key and headers, and of the batch around it


class Outbox:
    """Publishes outcomes and reports their acknowledgement.

    Args:
        settings: topics and sizes.
        client_options: keyword arguments for aiokafka's clients that concern the connection.
        directory, router: where answers may go.
        metrics: where outcomes are counted.
        gate: is told which outcomes are the service's own failures.
        on_finished: called with the rows and bytes of requests whose outcome Kafka has acknowledged.
        transacting: writes what there is in transactions; None where a publisher of the outbox's own writes it.
    """

    def __init__(
        self,
        settings: WorkerSettings,
        client_options: dict[str, Any],
        *,
        directory: TopicDirectory,
        router: ReplyRouter,
        metrics: Metrics,
        gate: FailureGate,
        on_finished: Callable[[int, int], None],
        transacting: Transacting | None = None,
    ) -> None:
        self._settings = settings
        self._options = client_options
        self._directory = directory
        self._router = router
        self._metrics = metrics
        self._gate = gate
        self._on_finished = on_finished
        self._builder = ReplyBuilder(settings.max_reply_bytes)
        self._publisher = transacting or RecordPublisher(
            client_options,
            on_acked=self._acked,
            on_refused=self._refused,
            max_batch_bytes=settings.max_reply_bytes + BATCH_OVERHEAD,
        )
        if transacting is not None:
            transacting.report_to(acked=self._acked, refused=self._refused, dropped=self._dropped, bury=self.bury)
        self._burials: set[asyncio.Task[None]] = set()
        self._buried = 0  # dead letters not yet handed to the publisher

    def __repr__(self) -> str:
        return f"<Outbox {self._publisher!r} dead letters waiting={self._buried}>"

    @property
    def pending(self) -> int:
        """Records whose acknowledgement is awaited."""
        return self._publisher.pending + self._buried

    async def start(self) -> None:
        """Connect.

        Raises:
            TransportError: Kafka could not be reached.
        """
        await self._publisher.start()

    async def close(self, timeout_s: float) -> None:
        """Flush and disconnect by the deadline."""
        for task in list(self._burials):
            task.cancel()
        await self._publisher.close(timeout_s)

    async def look_up_reply_topics(self, named: Set[str | None]) -> None:
        """Make sure that the directory knows the reply topics which requests name and the service may answer to."""
        topics = {topic for topic in named if topic is not None and self._router.may_answer(topic)}
        if topics:
            await self._directory.look_up(topics)

    def answer(self, batch: Batch[PendingRequest], inference: Inference) -> None:
        """Publish the replies of a batch."""
        for (topic, partition), parcel in self._builder.build(batch, inference):
            self._publisher.add_parcel(topic, partition, parcel)
        self._count(batch, inference)

    def bury(self, requests: list[PendingRequest]) -> None:
        """Write dead letters for requests that cannot be answered."""
        self._buried += len(requests)
        self._gate.count_buried(requests)
        task = asyncio.get_running_loop().create_task(self._bury(requests))
        self._burials.add(task)
        task.add_done_callback(self._burials.discard)

    async def _bury(self, requests: list[PendingRequest]) -> None:
        by_topic: dict[str, list[PendingRequest]] = {}
        for request in requests:
            by_topic.setdefault(self._dead_letter_topic(request), []).append(request)
        for topic, dead in by_topic.items():
            count = await self._partitions_of(topic)
            for request in dead:
                # Kafka has refused the first one: what fitted the request topic need not fit with our headers.
                again = request.burials > 0
                if request.burials > 1:
                    await asyncio.sleep(_RETRY_S)
                if not again:
                    reason = request.error.code if request.error else ErrorCode.UNREADABLE
                    self._metrics.dead_letters.labels(reason.value).inc()
                request.burials += 1
                keep = self._settings.dead_letter_payload == "keep"
                record: Outgoing = dead_letter(
                    request, self._settings.group_id, coordinates_only=again, with_payload=keep
                )
                self._buried -= 1
                self._publisher.add(topic, request.progress.place.partition % count, [record])

    async def _partitions_of(self, topic: str) -> int:
        """Return the partition count of a dead-letter topic, having made it if need be; waits as long as it takes.

        Until the topic is there the requests stay unfinished and their offsets do not move.
        """
        while not (count := self._directory.partitions(topic)):
            try:
                if await create_topics(self._options, {topic: -1}):
                    log.warning("dead-letter topic created", topic=topic)
            except TransportError as error:
                log.error("dead letters cannot be written; trying again", topic=topic, error=str(error))
                await asyncio.sleep(_RETRY_S)
            await self._directory.look_up([topic])
            if not self._directory.partitions(topic):
                await asyncio.sleep(_RETRY_S)
        return count

    def _dead_letter_topic(self, request: PendingRequest) -> str:
        return self._settings.dead_letter_topic_of(request.progress.place.topic)

    def _acked(self, requests: Sequence[PendingRequest], took_s: float) -> None:
        self._metrics.publish_seconds.observe(took_s)
        if isinstance(requests, RequestBlock):
            requests.finish()
            self._on_finished(requests.held_rows, requests.weight)
        else:
            self._on_finished(*finish(self._done_with(requests)))

    def _dropped(self, requests: Sequence[PendingRequest]) -> None:
        """Forget requests of a partition that is another worker's by now."""
        if isinstance(requests, RequestBlock):
            self._on_finished(requests.held_rows, requests.weight)
        else:
            self._on_finished(sum(each.held_rows for each in requests), sum(each.weight for each in requests))

    def _done_with(self, requests: Sequence[PendingRequest]) -> Sequence[PendingRequest]:
        """Return those whose outcome is complete: an error reply POISON is followed by a dead letter."""
        poison = [each for each in requests if each.error and each.error.code is ErrorCode.POISON and not each.burials]
        if not poison:
            return requests
        self.bury(poison)
        return [each for each in requests if each not in poison]

    def _refused(self, request: PendingRequest, error: Exception) -> None:
        """Find another way out for a request whose outcome Kafka will not take."""
        if request.error is None and isinstance(error, TOO_LARGE) and request.route is not None:
            reply = self._builder.error_reply(request, RequestError(ErrorCode.REPLY_TOO_LARGE, _explain(error)))
            self._publisher.add(*request.route, [reply])
            return
        request.error = request.error or RequestError(ErrorCode.REPLY_FORBIDDEN, _explain(error))
        self.bury([request])

    def _count(self, batch: Batch[PendingRequest], inference: Inference) -> None:
        model = batch.key.model
        good = failed = 0
        for chunk in batch.chunks:
            if isinstance(chunk.requests, RequestBlock):
                good += len(chunk.requests)
                continue
            for request in chunk.requests:
                if request.error is None:
                    good += 1
                else:
                    self._metrics.requests.labels(model, request.error.code.value).inc()
                    failed += is_own(request.error.code)
        if good:
            self._metrics.requests.labels(model, "ok").inc(good)
        if good or failed:
            self._gate.count(model, good, failed)
        if batch.rows:
            self._metrics.observe_batch(model, batch.rows, inference.waited_s, inference.ran_s)


def _explain(error: Exception) -> str:
    return f"the reply topic does not take the reply: {type(error).__name__}"
