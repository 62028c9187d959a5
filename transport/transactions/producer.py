"""One transaction after the other under one transactional id.

    start()    InitProducerId, twice: whoever had the id before is fenced, and what it left open is aborted or completed
    run()      AddPartitionsToTxn, then Produce beside AddOffsetsToTxn and TxnOffsetCommit, then EndTxn

aiokafka's producer is not used: it asks for the end of a transaction again when a connection is lost, and the first
request, delivered late, then ends the next transaction (KAFKA-17754); it commits although a send has failed; and it
sends no abort after an error. Here no request is repeated that may have reached a broker. Whatever is not answered, or
answered with an error, ends the producer's use until `start` is called again, which takes a new epoch: what was sent
under the old one is refused from then on, however late it comes.

Source: Kafka's protocol guide, and KIP-98.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
from typing import Any, Final

from aiokafka import errors as kafka_errors
from aiokafka.protocol.produce import ProduceRequest
from aiokafka.protocol.transaction import (
    AddOffsetsToTxnRequest,
    AddPartitionsToTxnRequest,
    EndTxnRequest,
    InitProducerIdRequest,
    TxnOffsetCommitRequest,
)
from aiokafka.structs import TopicPartition

from penstock.schemas.errors import TransportError
from penstock.transport.by_topic import by_topic
from penstock.transport.record_batch import TransactionalBatch
from penstock.transport.transactions.client import TransactClient
from penstock.transport.transactions.errors import InDoubt, Refused, Verdict, explain, judge, verdict

_PAUSE_S: Final = 0.003  # the markers of the transaction before are written in about that time
_START_PAUSE_S: Final = 0.02
_ALL_REPLICAS: Final = -1
_UNKNOWN_ERROR: Final = -1
_SEQUENCES: Final = 2**31

State = tuple[int, str]  # next offset, metadata
_Coded = Iterable[tuple[TopicPartition, int]]


class TransactionalProducer:
    """Writes record batches and the committed state of one input partition together, or neither.

    Args:
        client: shared by all producers.
        place: the input partition.
        transactional_id: its own; who starts a producer with the same one fences this.
        transaction_timeout_s: after which the coordinator aborts a transaction that nobody ends.
    """

    def __init__(
        self, client: TransactClient, place: TopicPartition, transactional_id: str, *, transaction_timeout_s: float
    ) -> None:
        self._client = client
        self._place = place
        self._id = transactional_id
        self._timeout_s = transaction_timeout_s
        self._producer = (-1, -1)  # id and epoch
        self._sequences: dict[TopicPartition, int] = {}  # of the next record
        self._asked: Verdict | None = None  # how the last request was answered

    def __repr__(self) -> str:
        return f"<TransactionalProducer {self._id} id={self._producer[0]} epoch={self._producer[1]}>"

    async def start(self, timeout_s: float) -> None:
        """Take the transactional id over; afterwards every transaction before has ended.

        Raises:
            Fenced: somebody else is taking it over at this moment.
            TransportError: it was not possible by the deadline, or never is.
        """
        try:
            async with asyncio.timeout(timeout_s):
                await self._init()
                # An offset may be left open by a broker that was stopped between two marks, and nobody could read what
                # is committed. The mark of a transaction that held nothing ends that.
                await self._add_group()
                await self._init()
        except TimeoutError:
            raise TransportError(f"transactional id {self._id} could not be taken over: {self._asked}") from None
        except (kafka_errors.KafkaError, NotImplementedError, OSError) as error:
            raise TransportError(explain(self._id, self._timeout_s, error)) from error

    async def run(self, batches: Mapping[TopicPartition, TransactionalBatch], state: State, timeout_s: float) -> None:
        """Write and commit. After any error `start` comes before the next call.

        Args:
            batches: at most one record batch a partition; none commits the state alone.
            state: of the input partition.
            timeout_s: bound on the whole, below the timeout of the transaction.

        Raises:
            Fenced: another producer has the id; it must not be taken back.
            Refused: Kafka will not take one of the batches; nothing was committed.
            InDoubt: it may have been committed.
            TransportError: nothing was committed.
        """
        ending = False
        try:
            async with asyncio.timeout(timeout_s):
                await self._add_partitions(batches)  # alone: it is refused until the marks before are written
                await _both(self._write(batches), self._write_state(state))
                ending = True
                await self._end()
        except (kafka_errors.KafkaError, NotImplementedError, TimeoutError, OSError) as error:
            kind = InDoubt if ending else TransportError
            raise kind(f"a transaction of {self._id} failed: {error!r}") from error

    async def _init(self) -> None:
        request = InitProducerIdRequest(self._id, round(self._timeout_s * 1000))
        owner = self._client.ask_owner
        response = await self._ask(request, owner, self._one_code, may_move=True, pause_s=_START_PAUSE_S)
        self._producer = (response.producer_id, response.producer_epoch)
        self._sequences = {}

    async def _add_partitions(self, batches: Mapping[TopicPartition, TransactionalBatch]) -> None:
        if not batches:
            return
        request = AddPartitionsToTxnRequest(self._id, *self._producer, by_topic(batches))
        await self._ask(request, self._client.ask_owner, lambda response: _coded(response.errors, batches))

    async def _add_group(self) -> None:
        request = AddOffsetsToTxnRequest(self._id, *self._producer, self._client.group)
        await self._ask(request, self._client.ask_owner, self._one_code)

    async def _write_state(self, state: State) -> None:
        await self._add_group()
        topics = [(self._place.topic, [(self._place.partition, *state)])]
        request = TxnOffsetCommitRequest(self._id, self._client.group, *self._producer, topics)
        try:
            await self._ask(
                request,
                lambda _, request, lane: self._client.ask_group(request, lane),
                lambda response: _coded(response.errors, [self._place]),
                may_move=True,  # also how the group's coordinator says that the last marks are being written
            )
        except Refused as refused:  # the input partition, not where anything is written
            raise TransportError(f"its state cannot be committed: {refused}") from refused

    async def _end(self) -> None:
        await self._ask(EndTxnRequest(self._id, *self._producer, True), self._client.ask_owner, self._one_code)

    async def _ask(
        self,
        request: Any,
        ask: Callable[[str, Any, int], Awaitable[Any]],
        codes: Callable[[Any], _Coded],
        *,
        may_move: bool = False,
        pause_s: float = _PAUSE_S,
    ) -> Any:
        """Ask until it is done; what was answered with `not now` has had no effect, and may be asked again.

        Args:
            request: what is asked.
            ask: whom.
            codes: reads the error codes off an answer.
            may_move: another coordinator, should it be one now, may be asked the same.
            pause_s: before asking again.

        Raises:
            NotCoordinatorForGroupError: the coordinator is another now, in the middle of a transaction.
        """
        while True:
            response = await ask(self._id, request, self._place.partition)
            self._asked = found = judge(codes(response))
            if found is Verdict.DONE:
                return response
            if found is Verdict.MOVED:
                self._client.forget_coordinators(self._id)
                if not may_move:  # what it had noted of the transaction, nobody can tell
                    raise kafka_errors.NotCoordinatorForGroupError
            await asyncio.sleep(pause_s)

    async def _write(self, batches: Mapping[TopicPartition, TransactionalBatch]) -> None:
        for place, batch in batches.items():
            batch.belongs_to(*self._producer, self._sequences.get(place, 0))
        left = dict(batches)
        while left:
            by_leader: dict[int, dict[TopicPartition, TransactionalBatch]] = {}
            for place, batch in left.items():
                by_leader.setdefault(await self._leader(place), {})[place] = batch
            for node_id, theirs in by_leader.items():
                for place in await self._write_to(node_id, theirs):
                    self._sequences[place] = (self._sequences.get(place, 0) + len(left.pop(place))) % _SEQUENCES
            if left:
                await asyncio.sleep(_PAUSE_S)

    async def _leader(self, place: TopicPartition) -> int:
        try:
            return await self._client.leader(place)
        except (kafka_errors.UnknownTopicOrPartitionError, kafka_errors.TopicAuthorizationFailedError) as error:
            raise Refused(place, error) from error

    async def _write_to(
        self, node_id: int, batches: Mapping[TopicPartition, TransactionalBatch]
    ) -> list[TopicPartition]:
        """Send record batches to their leader and return the partitions where they were written."""
        topics: dict[str, list[tuple[int, bytes]]] = {}
        for place, batch in batches.items():
            topics.setdefault(place.topic, []).append((place.partition, batch.encoded()))
        request = ProduceRequest(self._id, _ALL_REPLICAS, round(self._timeout_s * 1000), list(topics.items()))
        response = await self._client.ask_leader(node_id, request, self._place.partition)
        codes = [
            (TopicPartition(topic, partition), code)
            for topic, partitions in response.topics
            for partition, code, *_ in partitions
        ]
        if judge(codes) is Verdict.MOVED:
            self._client.refresh_leaders()
        return [place for place, code in codes if verdict(code) is Verdict.DONE]

    def _one_code(self, response: Any) -> _Coded:
        return [(self._place, response.error_code)]


async def _both(first: Coroutine[Any, Any, None], second: Coroutine[Any, Any, None]) -> None:
    """Wait for both; when one fails the other is not left behind."""
    beside = asyncio.ensure_future(second)
    try:
        await first
        await beside
    finally:
        if not beside.done():
            beside.cancel()
        await asyncio.wait([beside])
        if not beside.cancelled():
            beside.exception()  # the first one's is raised


def _coded(errors: Any, wanted: Iterable[TopicPartition]) -> _Coded:
    """Return the codes of an answer, which must speak of every partition that was asked for."""
    found = {TopicPartition(topic, number): code for topic, partitions in errors for number, code in partitions}
    return [(place, found.get(place, _UNKNOWN_ERROR)) for place in wanted]
