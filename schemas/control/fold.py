"""From the records of the control topic to what is wanted: the same on every worker that has read as far.

The rules stand in `Fold._accept`, in the order in which they are judged. No clock is read: expiry is judged by the time
at which the broker appended the record, and a key by its place in the log.
"""

from collections import ChainMap
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from penstock.schemas.control.command import Command, decode_command
from penstock.schemas.control.past import Past, remembered
from penstock.schemas.control.refusals import CommandRefused, RefusalCode
from penstock.schemas.control.resources import Kind, Resource
from penstock.schemas.control.signing import canonical
from penstock.schemas.control.snapshot import is_snapshot
from penstock.schemas.control.specs import Deployment, Key, Spec
from penstock.schemas.control.state import NOTHING, ControlRecord, ControlState, Entry
from penstock.schemas.control.trust import Trust, check_signature, signed_by
from penstock.schemas.errors import without_frames

__all__ = ["ControlRecord", "ControlState", "Entry", "Fold", "Trust", "Verdict"]

_RECENT: Final = 256
# Numbers end at 2 ** 53. Whoever could take the last one would have the last word on a resource: on its own key too.
_MOST_AHEAD: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a record. Neither command nor refused: it was a snapshot, or had been read before.

    Attributes:
        offset: of the record.
        command: what it says; None where it could not be read.
        refused: why it changes nothing; None where it was accepted.
    """

    offset: int
    command: Command | None = None
    refused: CommandRefused | None = None


class Fold:
    """Reads the control topic, one record after the other, and knows what is wanted.

    Args:
        trust: of which service, and by whom.
    """

    def __init__(self, trust: Trust) -> None:
        self._trust = trust
        self._begin(NOTHING)

    def restore(self, snapshot: ControlState | None) -> bool:
        """Go on from what `read_snapshot` has read; the next record to be applied is that after its epoch.

        Returns:
            Whether there is one, and it knows more than was known.
        """
        if snapshot is None or snapshot.epoch <= self._epoch:
            return False
        self._begin(snapshot)
        return True

    def _begin(self, state: ControlState) -> None:
        # Entries in two layers: a view shares the large one and copies the small one, so that it is cheap to make.
        self._settled = dict(state.entries)
        self._recent: dict[Resource, Entry] = {}
        self._epoch = state.epoch
        self._view: ControlState | None = None

    @property
    def state(self) -> ControlState:
        """What is wanted now."""
        if self._view is None:
            entries = ChainMap(self._recent.copy(), self._settled)
            self._view = ControlState(self._epoch, MappingProxyType(entries))
        return self._view

    def apply(self, record: ControlRecord) -> Verdict:
        """Take the next record in. Never raises for what it holds.

        Raises:
            PenstockError: signatures are asked for, and `cryptography` is not installed.
        """
        if record.offset <= self._epoch:
            return Verdict(record.offset)
        self._epoch, self._view = record.offset, None
        if is_snapshot(record):
            return Verdict(record.offset)
        command = None
        try:
            command, spec = decode_command(record.value)
            self._accept(record, command, spec)
        except CommandRefused as refused:
            return Verdict(record.offset, command, without_frames(refused))
        return Verdict(record.offset, command)

    def _accept(self, record: ControlRecord, command: Command, spec: Spec | None) -> None:
        about = command.about
        if record.key is not None and record.key != command.resource.encode():
            raise CommandRefused(RefusalCode.NO_COMMAND, f"the record's key is not its resource, {command.resource!r}")
        self._trust.check_service(command.cluster, command.group)
        key_id = self._signer(record, command, spec) if self._trust.signing else ""
        if record.timestamp_ms > command.expires:
            late_s = (record.timestamp_ms - command.expires) / 1000.0
            raise CommandRefused(RefusalCode.EXPIRED, f"Kafka took it in {late_s:.3f} s after it had expired")
        before = self._entry(about)
        _check_succession(before, about, command)
        entry = Entry(
            spec,
            command.sequence,
            record.offset,
            command.id,
            command.issuer,
            key_id,
            command.time,
            command.reason,
            past=_past_with(before) if about.kind is Kind.DEPLOYMENT else (),
        )
        self._set(about, entry)

    def _signer(self, record: ControlRecord, command: Command, spec: Spec | None) -> str:
        """Return the id of the key that signed a command, which may do what the command does."""
        key_id, signature = signed_by(record.headers)
        key = self._key(key_id)
        check_signature(key_id, key, signature, canonical(command, record.value or b""))
        if not key.may_change(command.resource):
            raise CommandRefused(RefusalCode.OUT_OF_SCOPE, f"key {key_id!r} may not change {command.resource}")
        beyond = [scope for scope in spec.scopes if not key.may_grant(scope)] if isinstance(spec, Key) else []
        if beyond:
            raise CommandRefused(
                RefusalCode.OUT_OF_SCOPE, f"key {key_id!r} has not itself what it gives away: {', '.join(beyond)}"
            )
        return key_id

    def _key(self, key_id: str) -> Key:
        entry = self._entry(Resource(Kind.KEY, key_id))
        if entry is None and key_id in self._trust.keys:
            return self._trust.keys[key_id]
        if entry is None:
            raise CommandRefused(RefusalCode.UNKNOWN_KEY, f"key {key_id[:64]!r} is not trusted here")
        if not isinstance(entry.spec, Key):
            raise CommandRefused(RefusalCode.UNKNOWN_KEY, f"key {key_id!r} was revoked at offset {entry.offset}")
        return entry.spec

    def _entry(self, about: Resource) -> Entry | None:
        return self._recent.get(about) or self._settled.get(about)

    def _set(self, about: Resource, entry: Entry) -> None:
        self._recent[about] = entry
        if len(self._recent) > _RECENT:
            self._settled, self._recent = {**self._settled, **self._recent}, {}


def _past_with(before: Entry | None) -> tuple[Past, ...]:
    """Return the past of what follows a deployment."""
    if before is None:
        return ()
    spec = before.spec if isinstance(before.spec, Deployment) else None
    return remembered(before.past, Past(before.offset, spec))


def _check_succession(before: Entry | None, about: Resource, command: Command) -> None:
    """Refuse a command that may not follow what was last accepted for its resource."""
    last = 0 if before is None else before.sequence
    if command.sequence > last + _MOST_AHEAD:
        raise CommandRefused(
            RefusalCode.OUT_OF_SEQUENCE,
            f"sequence {command.sequence}; {about} is at {last}, and the next one is at most {_MOST_AHEAD:,} higher",
        )
    if before is None:
        return
    if about.kind is Kind.KEY and before.spec is None and command.action == "set":
        raise CommandRefused(
            RefusalCode.REVOKED, f"key {about.name!r} was revoked at offset {before.offset}; choose another id"
        )
    if command.sequence <= before.sequence:
        raise CommandRefused(
            RefusalCode.OUT_OF_SEQUENCE,
            f"sequence {command.sequence}; {about} is at {before.sequence} since offset {before.offset}",
        )
