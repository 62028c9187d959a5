"""The peers: what the other workers of the service say of themselves on the status topic."""

import asyncio
import time
from typing import Any, Final

from penstock.schemas.control.status import INTERVALS_UNTIL_GONE, WorkerStatus
from penstock.schemas.errors import PenstockError
from penstock.schemas.logger import Logger
from penstock.transport.control.statuses import Report, StatusReader, as_of, last_reports

log = Logger(__name__)

_START_S: Final = 10.0
_POLL_S: Final = 0.5
_RETRY_S: Final = 2.0


class Peers:
    """Knows who else is alive.

    Args:
        client_options: keyword arguments for aiokafka's clients that concern the connection.
        topic: the status topic.
        worker: the name of this worker, which is left out.
    """

    def __init__(self, client_options: dict[str, Any], topic: str, worker: str) -> None:
        self._options = client_options
        self._topic = topic
        self._worker = worker
        self._last: dict[str, tuple[WorkerStatus, float]] = {}  # by worker, with the monotonic time it is good until

    def __repr__(self) -> str:
        return f"<Peers {', '.join(self._last)}>"

    def live(self, now: float) -> list[WorkerStatus]:
        """Return the last word of each worker that is alive, without this one's.

        Args:
            now: monotonic seconds.
        """
        return [status for status, until in self._last.values() if now <= until and status.state != "stopped"]

    async def run(self) -> None:
        """Listen until cancelled; whoever is not heard of is taken for gone after a while."""
        while True:
            reader = StatusReader(self._options, self._topic)
            try:
                await reader.start(_START_S)
                self._hear(await reader.read_to_end(_START_S), reader.now_ms())
                while True:
                    self._hear(await reader.poll(_POLL_S), reader.now_ms())
            except PenstockError as error:
                log.warning("other workers' reports cannot be read; trying again", error=str(error))
                await asyncio.sleep(_RETRY_S)
            finally:
                await reader.close()

    def _hear(self, reports: list[Report], now_ms: int) -> None:
        now = time.monotonic()
        for report, said in last_reports(reports):
            status = as_of(report, said, now_ms)
            if status is said and status.worker != self._worker:
                self._last[status.worker] = status, now + INTERVALS_UNTIL_GONE * status.interval_s
        self._last = {worker: each for worker, each in self._last.items() if now <= each[1]}
