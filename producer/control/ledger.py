"""The control topic as whoever gives orders needs it: read to its end before, and to the order itself after."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from penstock.producer.control.changes import spec_of
from penstock.producer.control.drafts import Author
from penstock.producer.control.history import accepted
from penstock.producer.control.results import Change, Conflict, Issued
from penstock.schemas.control.fold import ControlRecord, ControlState, Fold, Trust, Verdict
from penstock.schemas.control.refusals import CommandRefused, RefusalCode
from penstock.schemas.control.resources import Resource
from penstock.schemas.control.snapshot import SNAPSHOT_KEY, SNAPSHOT_SCOPE, is_snapshot, read_snapshot
from penstock.schemas.control.specs import Spec
from penstock.schemas.errors import PenstockError, TransportError
from penstock.schemas.headers import Header
from penstock.schemas.logger import Logger
from penstock.transport.control.appending import append
from penstock.transport.control.log import ControlLog

log = Logger(__name__)

Wanted = Spec | Mapping[str, Any] | None
"""What a resource is to be; None removes it."""

Make = Callable[[Spec | None, Sequence[Spec | None]], Wanted]
"""Makes what is wanted of what is wanted now, and of all that was wanted, the present last, where that is asked for."""

SNAPSHOT_EVERY: Final = 1000  # offsets
_POLL_S: Final = 0.1
_AT_ONCE: Final = 100  # records that are judged before the event loop gets its turn; signatures take 0.1 ms each


class Ledger:
    """Reads commands, and writes them. Made inside of an event loop; calls wait for each other.

    Args:
        client_options: keyword arguments for aiokafka's clients that concern the connection.
        topic: the control topic.
        trust: of which service, and whose orders it takes.
        author: who writes.
        timeout_s: bound on each step: reading to the end, writing, reading what was written.
    """

    def __init__(
        self, client_options: dict[str, Any], topic: str, trust: Trust, author: Author, *, timeout_s: float
    ) -> None:
        self._options = client_options
        self._topic = topic
        self._trust = trust
        self._author = author
        self._timeout_s = timeout_s
        self._fold = Fold(trust)
        self._log = ControlLog(client_options, topic, trust)
        self._snapshot_epoch = -1  # of the newest snapshot
        self._turn = asyncio.Lock()

    async def start(self) -> None:
        """Connect. Raises: ConfigurationError, TransportError."""
        await self._log.start(self._timeout_s)

    async def close(self) -> None:
        """Disconnect."""
        await self._log.close()

    async def read(self) -> ControlState:
        """Return what is wanted now. Raises: ConfigurationError, TransportError."""
        async with self._turn:
            return await self._read()

    async def replay(self) -> list[Verdict]:
        """Judge every record that there still is, and return what became of it. Raises: as `read`."""
        everything = ControlLog(self._options, self._topic)
        try:
            await everything.start(self._timeout_s)
            records = await everything.read_to_end(self._timeout_s)
        finally:
            await everything.close()
        fold = Fold(self._trust)
        if everything.beginning > 0:  # what was before it is known from a snapshot, if at all
            fold.restore(next((state for record in records if (state := self._snapshot_in(record)) is not None), None))
        verdicts = []
        for number, record in enumerate(records):
            verdicts.append(fold.apply(record))
            if number % _AT_ONCE == 0:
                await asyncio.sleep(0)
        return [verdict for verdict in verdicts if verdict.command is not None or verdict.refused is not None]

    async def change(
        self,
        resource: Resource,
        make: Make,
        *,
        past: bool = False,
        expect: int | None = None,
        dry_run: bool = False,
        reason: str = "",
    ) -> Change:
        """Write an order, and see it accepted.

        Args:
            resource: what it is about.
            make: the order, of what is there.
            past: whether it wants to know what was there before, for which the whole topic is read.
            expect: offset of the last command accepted for it, as `Change.seen`; None is any.
            dry_run: judge it, and write nothing.
            reason: why, for people.

        Returns:
            `Issued`, or a plain `Change` for a dry run.

        Raises:
            CannotChange: `make` says so.
            CommandRefused: it would be refused, or was. Nothing changed.
            Conflict: another command came first.
            ConfigurationError, TransportError: as `read`; or Kafka refused, or has not said that it was written.
        """
        async with self._turn:
            state = await self._read()
            before = state.entries.get(resource)
            seen = -1 if before is None else before.offset
            if expect is not None and expect != seen:
                raise Conflict(resource, before)
            present = None if before is None else before.spec
            verdicts = await self.replay() if past else []
            wanted = make(present, accepted((each for each in verdicts if each.offset <= state.epoch), resource))
            spec = None if wanted is None else spec_of(resource, wanted)
            value, headers = self._author.command(resource, spec, state, reason)
            change = Change(resource, present, spec, seen)
            return change if dry_run else await self._write(change, value, headers)

    async def snapshot(self) -> int:
        """Write what is wanted now as a snapshot, and return its offset.

        Raises:
            CommandRefused: OUT_OF_SCOPE, for nobody would trust it.
            ConfigurationError, TransportError: as `change`.
        """
        if not self._author.may_snapshot:
            whose = f"by a key of their own file, control.trusted_keys, with scope {SNAPSHOT_SCOPE!r}"
            raise CommandRefused(RefusalCode.OUT_OF_SCOPE, f"workers trust no other snapshot than one {whose}")
        async with self._turn:
            return await self._write_snapshot(await self._read())

    async def _write(self, change: Change, value: bytes, headers: Sequence[Header]) -> Issued:
        offset = await self._append(str(change.resource).encode(), value, headers)
        verdict = await self._read_to(offset)
        if verdict.refused is not None:
            raise self._refusal(change.resource, verdict.refused)
        if verdict.command is None:
            raise TransportError(f"offset {offset} of {self._topic} holds another record than was written")
        await self._write_snapshot_if_due()
        return Issued(change.resource, change.before, change.after, change.seen, offset=offset, command=verdict.command)

    def _refusal(self, resource: Resource, refused: CommandRefused) -> PenstockError:
        """Return what to raise for a command that was good when it was written."""
        if refused.code is RefusalCode.OUT_OF_SEQUENCE:
            return Conflict(resource, self._fold.state.entries.get(resource))
        if refused.code is RefusalCode.EXPIRED:
            what_to_do = "Is this machine's clock right? If it is, ask again, and let it expire later."
            return CommandRefused(refused.code, f"{refused.message}.\n{what_to_do}")
        return refused

    async def _write_snapshot_if_due(self) -> None:
        state = self._fold.state
        if state.epoch - self._snapshot_epoch < SNAPSHOT_EVERY or not self._author.may_snapshot:
            return
        try:
            await self._write_snapshot(state)
        except PenstockError as error:  # the command stands; whoever gives the next one tries again
            log.warning("no snapshot of the control topic could be written", topic=self._topic, why=str(error))

    async def _write_snapshot(self, state: ControlState) -> int:
        offset = await self._append(SNAPSHOT_KEY, *self._author.snapshot(state))
        self._snapshot_epoch = state.epoch
        return offset

    async def _append(self, key: bytes, value: bytes, headers: Sequence[Header]) -> int:
        return await append(
            self._options, self._topic, key=key, value=value, headers=headers, timeout_s=self._timeout_s
        )

    async def _read(self) -> ControlState:
        records = await self._log.read_to_end(self._timeout_s)
        if self._fold.restore(self._log.snapshot):
            self._snapshot_epoch = self._fold.state.epoch
        self._apply(records)
        return self._fold.state

    async def _read_to(self, offset: int) -> Verdict:
        deadline = time.monotonic() + self._timeout_s
        while time.monotonic() < deadline:
            verdicts = self._apply(await self._log.poll(_POLL_S))
            if offset in verdicts:
                return verdicts[offset]
        raise TransportError(
            f"the command was written to {self._topic} at offset {offset}, and could not be read again in time.\n"
            "An open transaction may hide it. Look at the log before you ask again."
        )

    def _apply(self, records: Sequence[ControlRecord]) -> dict[int, Verdict]:
        snapshots = [state for record in records if (state := self._snapshot_in(record)) is not None]
        self._snapshot_epoch = max([self._snapshot_epoch, *(state.epoch for state in snapshots)])
        return {record.offset: self._fold.apply(record) for record in records}

    def _snapshot_in(self, record: ControlRecord) -> ControlState | None:
        try:
            return read_snapshot(record, self._trust) if is_snapshot(record) else None
        except CommandRefused:
            return None
