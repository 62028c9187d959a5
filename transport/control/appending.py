"""Writing one record to a control topic, or to a status topic, and knowing where it is."""

import asyncio
import time
from collections.abc import Sequence
from typing import Any, Final

from aiokafka import errors as kafka_errors

from penstock.schemas.errors import TransportError
from penstock.transport.producers import connect, stop

_MAX_BATCH_BYTES: Final = 1_000_000  # brokers take no larger record unless they are told to
_STOP_S: Final = 2.0


async def append(
    client_options: dict[str, Any],
    topic: str,
    *,
    key: bytes,
    value: bytes,
    headers: Sequence[tuple[str, bytes]] = (),
    timeout_s: float,
) -> int:
    """Append a record to the only partition of a topic that is there, and wait for all replicas in sync.

    Args:
        client_options: keyword arguments for aiokafka's clients that concern the connection.
        topic: looked up before: naming it to a producer may create it.
        key: of the record.
        value: of the record.
        headers: of the record.
        timeout_s: bound on the whole call.

    Returns:
        Its offset.

    Raises:
        TransportError: Kafka refused; or did not answer by the deadline, and then the record may have been written.
    """
    deadline = time.monotonic() + timeout_s
    producer = await connect(client_options, _MAX_BATCH_BYTES, timeout_s)
    try:
        async with asyncio.timeout(deadline - time.monotonic()):
            written = await producer.send_and_wait(topic, value, key=key, partition=0, headers=list(headers))
    except kafka_errors.TopicAuthorizationFailedError as error:
        raise TransportError(
            f"{topic} could not be written to: not authorized.\n"
            "This user needs the right WRITE on it (kafka-acls.sh --operation Write)."
        ) from error
    except (TimeoutError, kafka_errors.RequestTimedOutError, kafka_errors.KafkaConnectionError) as error:
        raise TransportError(
            f"Kafka has not said within {timeout_s:g} s that {topic} was written to.\n"
            "It may have been all the same: look before you do it again."
        ) from error
    except (kafka_errors.KafkaError, OSError) as error:
        raise TransportError(f"{topic} could not be written to: {error!r}") from error
    finally:
        await stop(producer, _STOP_S)
    return int(written.offset)
