"""The topic on which supervisors say what a dead process ran, and from which whoever takes over learns it.

It has one partition, and is made when it is first needed. A record's key is the client id of the process, its value
the JSON of a `Death`.
"""

import time
from collections.abc import Awaitable, Callable
from typing import Any, Final

from penstock.consumer.suspects.journal import Death, decode_death, encode_death
from penstock.consumer.suspects.journal_name import suspects_topic
from penstock.consumer.suspects.suspects import Suspects
from penstock.schemas.errors import PenstockError
from penstock.schemas.logger import Logger
from penstock.transport.control.appending import append
from penstock.transport.control.partition_reader import PartitionReader
from penstock.transport.topics import TopicDirectory, create_topics, is_gone

log = Logger(__name__)

_SETTINGS: Final = {"cleanup.policy": "delete", "retention.ms": str(7 * 24 * 3_600_000)}
_LOOK_S: Final = 0.001  # one look is enough


async def publish_death(
    client_options: dict[str, Any], group: str, death: Death, *, client_id: str, timeout_s: float
) -> None:
    """Say what a process ran when it died; the topic is made where it is missing.

    Args:
        client_options: keyword arguments for aiokafka's clients that concern the connection.
        group: whose topic it is.
        death: what ran.
        client_id: of the dead process.
        timeout_s: bound on the whole call.

    Raises:
        TransportError: it could not be written by the deadline.
    """
    topic, deadline = suspects_topic(group), time.monotonic() + timeout_s
    if await is_gone(client_options, topic):  # who has no right to create topics must not need it
        await create_topics(client_options, {topic: 1}, configs=_SETTINGS, timeout_s=timeout_s)
    left_s = max(0.1, deadline - time.monotonic())
    await append(client_options, topic, key=client_id.encode(), value=encode_death(death), timeout_s=left_s)


class SuspectsReader:
    """Reads what was said so far, before partitions are opened.

    What cannot be read is passed over with a warning: a request is then met as if nobody had met it before.

    Args:
        client_options: keyword arguments for aiokafka's clients that concern the connection.
        group: whose topic it is; that need not be there.
        directory: which topics there are.
        before: what else is to be read, and first; called with the same deadline.

    Attributes:
        suspects: what was read.
    """

    def __init__(
        self,
        client_options: dict[str, Any],
        group: str,
        directory: TopicDirectory,
        before: Callable[[float], Awaitable[None]] | None = None,
    ) -> None:
        self._options = client_options
        self._topic = suspects_topic(group)
        self._directory = directory
        self._before = before
        self._reader: PartitionReader[bytes] | None = None
        self.suspects = Suspects()

    async def catch_up(self, timeout_s: float) -> None:
        """Read to where the topic ends now.

        Raises:
            TransportError: what is to be read before could not be.
        """
        if self._before is not None:
            await self._before(timeout_s)
        try:
            if not self._directory.partitions(self._topic):
                await self._directory.wait_for([self._topic], timeout_s=_LOOK_S)
            if self._directory.partitions(self._topic):
                await self._read(time.monotonic() + timeout_s)
        except PenstockError as error:
            log.warning("what dead processes ran cannot be read", topic=self._topic, error=str(error))
            await self.close()

    async def _read(self, deadline: float) -> None:
        reader = self._reader
        if reader is None:
            self.suspects.forget()  # all is read again
            reader = self._reader = PartitionReader(self._options, self._topic, _value)
            await reader.start(deadline - time.monotonic())
        beginning = await reader.beginning(deadline - time.monotonic())
        if reader.position < beginning:  # not read before, or not for so long that it is gone
            reader.seek(beginning)
        for value in await reader.read_until(await reader.end(deadline - time.monotonic()), deadline):
            self.suspects.add(decode_death(value))

    async def close(self) -> None:
        """Disconnect."""
        reader, self._reader = self._reader, None
        if reader is not None:
            await reader.close()


def _value(_: int, record: Any) -> bytes:
    return b"" if record is None else record.value or b""
