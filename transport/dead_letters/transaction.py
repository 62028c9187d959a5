"""One transaction of a redrive: requests to their topics, and the mark that names their dead letters, or nothing.

One transactional id belongs to each partition of a dead-letter topic: who starts it ends whatever another one has open
there, and shuts him out for good. After an error a producer is thrown away: whether its transaction has ended cannot be
known, but from the mark.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final, NamedTuple

from aiokafka import AIOKafkaProducer
from aiokafka import errors as kafka_errors
from aiokafka.structs import TopicPartition

from penstock.schemas.errors import TransportError
from penstock.schemas.headers import Header
from penstock.transport.producers import stop
from penstock.transport.publisher import TOO_LARGE

_START_S: Final = 30.0  # what another one has open is ended first
_TRANSACTION_S: Final = 25.0  # before Kafka ends it
_KAFKA_ENDS_IT_MS: Final = 30_000  # the transaction of a process that was killed hides what lies behind it so long
_STOP_S: Final = 2.0
_NO_BOUND: Final = 2**31 - 1  # brokers say what is too large
_FENCED: Final = (kafka_errors.ProducerFenced, kafka_errors.InvalidProducerEpoch)


class TooLarge(Exception):
    """Kafka never takes one of the records; none was written."""


class Written(NamedTuple):
    """A record to write; `partition` is None where it is free."""

    topic: str
    partition: int | None
    key: bytes | None
    value: bytes
    headers: Sequence[Header]


def transactional_id(place: TopicPartition) -> str:
    """Return the transactional id under which dead letters of a partition are sent again."""
    return f"penstock-redrive/{place.topic}/{place.partition}"


@asynccontextmanager
async def redrive_producer(client_options: dict[str, Any], place: TopicPartition) -> AsyncIterator[AIOKafkaProducer]:
    """Start the one producer that may write for a partition, and shut out any other.

    Raises:
        TransportError: Kafka did not answer by the deadline, or refused.
    """
    producer = AIOKafkaProducer(
        **{**client_options, "retry_backoff_ms": 10},  # markers take a moment: NotEnoughReplicas until then
        transactional_id=transactional_id(place),
        transaction_timeout_ms=_KAFKA_ENDS_IT_MS,
        acks="all",
        max_request_size=_NO_BOUND,
    )
    try:
        try:
            async with asyncio.timeout(_START_S):
                await producer.start()
        except (kafka_errors.KafkaError, TimeoutError, OSError) as error:
            raise _failure(place, error) from error
        yield producer
    finally:
        await stop(producer, _STOP_S)


async def write_together(producer: AIOKafkaProducer, place: TopicPartition, records: Sequence[Written]) -> None:
    """Write records in one transaction of a partition's producer. After any error the producer is of no more use.

    Raises:
        TooLarge: one of them is too large for its topic.
        TransportError: Kafka refused, or did not answer by the deadline, and then they may have been written; or
            somebody else has begun to redrive the partition.
    """
    try:
        async with asyncio.timeout(_TRANSACTION_S):
            await producer.begin_transaction()
            sent = [
                await producer.send(each.topic, each.value, each.key, each.partition, headers=list(each.headers))
                for each in records
            ]
            # A commit goes through though a record was refused: each has to be looked at before.
            for future in sent:
                await future
            await producer.commit_transaction()
    except asyncio.CancelledError:
        with contextlib.suppress(Exception):  # else what lies behind is hidden until Kafka ends it
            async with asyncio.timeout(_STOP_S):
                await producer.abort_transaction()
        raise
    except TOO_LARGE as error:
        raise TooLarge from error
    except (kafka_errors.KafkaError, TimeoutError, OSError) as error:
        raise _failure(place, error) from error


def _failure(place: TopicPartition, error: Exception) -> TransportError:
    where = f"{place.topic}/{place.partition}"
    if isinstance(error, _FENCED):
        return TransportError(f"somebody else has begun to redrive {where}, and goes on alone.\nNothing is sent twice.")
    if isinstance(error, kafka_errors.TransactionalIdAuthorizationFailed):
        return TransportError(
            f"not authorized: this user needs the rights WRITE and DESCRIBE on the transactional id\n"
            f"{transactional_id(place)} (kafka-acls.sh --transactional-id)."
        )
    if isinstance(error, kafka_errors.TopicAuthorizationFailedError):
        return TransportError(
            f"not authorized: this user needs the right WRITE on {place.topic}, which remembers what was\n"
            "sent, and on the topics that requests go back to (kafka-acls.sh --operation Write)."
        )
    why = "no answer in time" if isinstance(error, TimeoutError) else repr(error)
    return TransportError(f"{where} could not be redriven: {why}.\nCall it again: nothing is sent twice.")
