"""The follower: reads the control topic, to its end before anything is served, and from then on as it grows."""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Final

from penstock.core.metrics import Metrics
from penstock.schemas.control.fold import ControlRecord, ControlState, Entry, Fold, Trust, Verdict
from penstock.schemas.control.resources import Kind
from penstock.schemas.control.status import Refused
from penstock.schemas.errors import TransportError
from penstock.schemas.logger import Logger
from penstock.transport.control.log import ControlLog

log = Logger(__name__)

OnDeployment = Callable[[str, Entry], object]  # the model, and what was accepted
OnState = Callable[[ControlState], object]

_POLL_S: Final = 0.2
_PROBE_S: Final = 3.0  # a client says nothing when no broker answers, so its end is asked for now and then
_PROBE_TIMEOUT_S: Final = 5.0
_RETRY_S: Final = 1.0
_STALE_S: Final = 30.0
_JUDGING_S: Final = 1.0  # what was read by the deadline is judged a little longer
_RECENT: Final = 32
_AT_ONCE: Final = 100  # records that are taken in before the event loop gets its turn


class Follower:
    """Knows what is wanted, as far as it can be known.

    Args:
        client_options: keyword arguments for aiokafka's clients that concern the connection.
        topic: the control topic.
        trust: of which service, and by whom.
        metrics: where commands are counted.
        on_deployment: called for each accepted command about a model, in order; those in a snapshot come first.
        on_state: called when more has been read.

    Attributes:
        refused: the commands that were refused last.
    """

    def __init__(
        self,
        client_options: dict[str, Any],
        topic: str,
        trust: Trust,
        metrics: Metrics,
        *,
        on_deployment: OnDeployment,
        on_state: OnState,
    ) -> None:
        self._options = client_options
        self._topic = topic
        self._trust = trust
        self._metrics = metrics
        self._on_deployment = on_deployment
        self._on_state = on_state
        self._fold = Fold(trust)
        self._log = ControlLog(client_options, topic, trust)
        self._reading = asyncio.Lock()  # the log is for one task at a time
        self._complete_at = float("-inf")  # monotonic seconds
        self._follows = False  # history is read without a word on each command
        self.refused: deque[Refused] = deque(maxlen=_RECENT)

    def __repr__(self) -> str:
        return f"<Follower {self._topic} at {self.state.epoch}>"

    @property
    def state(self) -> ControlState:
        """What is wanted."""
        return self._fold.state

    @property
    def lag_s(self) -> float:
        """Seconds since everything was known to be read."""
        return time.monotonic() - self._complete_at

    @property
    def stale(self) -> str | None:
        """Why what is known may be out of date; None when it is not."""
        if self.lag_s < _STALE_S:
            return None
        return f"the control topic {self._topic} could not be read for {self.lag_s:.0f} s"

    async def start(self, timeout_s: float) -> None:
        """Read the topic to its end, trying again until the deadline.

        Raises:
            ConfigurationError: the topic is missing, or cannot hold commands.
            TransportError: it was not read by the deadline.
        """
        deadline = time.monotonic() + timeout_s
        while True:
            try:
                await self._log.start(deadline - time.monotonic())
                left_s = max(0.1, deadline - time.monotonic())
                async with asyncio.timeout(left_s + _JUDGING_S):
                    await self.catch_up(left_s)
                self._follows = True
                log.info("control topic read", topic=self._topic, epoch=self.state.epoch)
                return
            except TimeoutError:
                await self._log.close()
                raise TransportError(
                    f"the worker does not serve: it has judged the commands of {self._topic} up to offset "
                    f"{self.state.epoch} in {timeout_s:g} s (control.start_timeout_s).\n"
                    "A snapshot makes it quick: penstock control snapshot"
                ) from None
            except TransportError as error:
                await self._log.close()
                if time.monotonic() + _RETRY_S >= deadline:
                    raise TransportError(
                        f"the worker does not serve: it has not read the control topic in {timeout_s:g} s "
                        f"(control.start_timeout_s).\n{error}"
                    ) from error
                log.warning("control topic cannot be read yet; trying again", topic=self._topic, error=str(error))
            await asyncio.sleep(_RETRY_S)
            self._log = ControlLog(self._options, self._topic, self._trust)

    async def catch_up(self, timeout_s: float) -> None:
        """Read to where the topic ends now.

        Raises:
            ConfigurationError, TransportError: the end was not reached by the deadline.
        """
        deadline = time.monotonic() + timeout_s
        try:
            async with asyncio.timeout(timeout_s):
                await self._reading.acquire()
        except TimeoutError:
            raise TransportError(f"{self._topic} is still being read") from None
        try:
            began = time.monotonic()
            records = await self._log.read_to_end(max(0.1, deadline - time.monotonic()))
            await self._take_in(records)
            self._complete_at = began
        finally:
            self._reading.release()

    async def run(self) -> None:
        """Follow until cancelled. While the topic cannot be read, the last state stays."""
        failing = False
        while True:
            try:
                if self.lag_s > _PROBE_S:
                    await self.catch_up(_PROBE_TIMEOUT_S)
                else:
                    async with self._reading:
                        await self._take_in(await self._log.poll(_POLL_S))
                if failing:
                    log.info("control topic is read again", topic=self._topic)
                failing = False
            except Exception as error:  # whatever it is, the last state stays, and it is tried again
                if not failing:
                    log.error("control topic cannot be read; the last state stays", topic=self._topic, error=str(error))
                failing = True
                await asyncio.sleep(_RETRY_S)

    async def close(self) -> None:
        """Disconnect."""
        await self._log.close()

    async def _take_in(self, records: Sequence[ControlRecord]) -> None:
        restored = self._fold.restore(self._log.snapshot)
        if restored:
            for about, entry in self.state.entries.items():
                if about.kind is Kind.DEPLOYMENT:
                    self._on_deployment(about.name, entry)
        for number, record in enumerate(records, 1):
            self._judge(record)
            if number % _AT_ONCE == 0:
                await asyncio.sleep(0)
        self._metrics.control_epoch.set(self.state.epoch)
        if records or restored:
            self._on_state(self.state)

    def _judge(self, record: ControlRecord) -> None:
        verdict = self._fold.apply(record)
        command, refused = verdict.command, verdict.refused
        if refused is not None:
            self._refuse(verdict)
        elif command is not None:
            self._metrics.commands.labels("accepted").inc()
            if self._follows:
                log.info("command accepted", offset=record.offset, resource=command.resource, issuer=command.issuer)
            if command.about.kind is Kind.DEPLOYMENT:
                self._on_deployment(command.about.name, self.state.entries[command.about])

    def _refuse(self, verdict: Verdict) -> None:
        refused, command = verdict.refused, verdict.command
        if refused is None:
            return
        self._metrics.commands.labels("refused").inc()
        if self._follows:
            log.warning("command refused", offset=verdict.offset, code=refused.code.value, why=refused.message)
        self.refused.append(
            Refused(
                offset=verdict.offset,
                id="" if command is None else command.id,
                resource="" if command is None else command.resource,
                code=refused.code.value,
                reason=refused.message,
            )
        )
