"""What is wanted of a service: the outcome of all commands that were accepted so far."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from typing import Any, Final

import orjson

from penstock.schemas.control.past import Past
from penstock.schemas.control.resources import Kind, Resource, Scope, parse_scope
from penstock.schemas.control.specs import Spec
from penstock.schemas.headers import Header

_MARK_BYTES: Final = 16


@dataclass(frozen=True, slots=True)
class ControlRecord:
    """A record of the control topic, as it was read.

    Attributes:
        offset: its place.
        timestamp_ms: when the broker appended it (LogAppendTime), epoch milliseconds.
        key, value, headers: as they are on the wire.
    """

    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[Header]


@dataclass(frozen=True)
class Entry:
    """What was last accepted for a resource.

    Attributes:
        spec: what is wanted; None where the resource was removed.
        sequence: of the command; the next one's must be higher.
        offset: of the command in the control topic.
        id, issuer, time_ms, reason: as the command has them.
        key_id: who signed it; empty where signatures are not looked at.
        past: of a deployment, what was accepted for the model before, the oldest first; see `past.py`.
    """

    spec: Spec | None
    sequence: int
    offset: int
    id: str
    issuer: str
    key_id: str
    time_ms: int
    reason: str
    past: tuple[Past, ...] = ()

    def document(self) -> dict[str, Any]:
        """Return it as JSON. Of the spec there is what the command said, so that no Penstock's defaults get in."""
        said = {
            "sequence": self.sequence,
            "offset": self.offset,
            "id": self.id,
            "issuer": self.issuer,
            "key": self.key_id,
            "time": self.time_ms,
            "reason": self.reason,
            "spec": None if self.spec is None else self.spec.model_dump(mode="json", exclude_unset=True),
        }
        return said | {"past": [each.document() for each in self.past]} if self.past else said

    @cached_property
    def mark(self) -> bytes:
        """16 bytes that stand for all of it."""
        return blake2b(orjson.dumps(self.document()), digest_size=_MARK_BYTES).digest()


@dataclass(frozen=True)
class ControlState:
    """What is wanted after a certain record. Never changes.

    Attributes:
        epoch: offset of the last record read; -1 before the first.
        entries: by resource, those removed too.
    """

    epoch: int
    entries: Mapping[Resource, Entry]

    def deployments(self) -> dict[str, Entry]:
        """Return the deployments that are set, by the name of the model."""
        return dict(self._set(Kind.DEPLOYMENT))

    def throttles(self) -> dict[Scope, Entry]:
        """Return the throttles that are set, by their scope."""
        return {parse_scope(name): entry for name, entry in self._set(Kind.THROTTLE)}

    def lanes(self) -> dict[str, Entry]:
        """Return what is set of request topics, by topic."""
        return dict(self._set(Kind.LANE))

    def keys(self) -> dict[str, Entry]:
        """Return the keys that the log has added and not revoked, by their id. Root keys are not among them."""
        return dict(self._set(Kind.KEY))

    def digest(self) -> str:
        """Return 32 digits that are equal wherever the same commands were accepted, and nowhere else by chance."""
        return self._digest

    @cached_property
    def _digest(self) -> str:
        marked = sorted(str(about).encode() + b"\n" + entry.mark for about, entry in self.entries.items())
        return blake2b(b"".join(marked), digest_size=_MARK_BYTES).hexdigest()

    def _set(self, kind: Kind) -> Iterator[tuple[str, Entry]]:
        for about, entry in self.entries.items():
            if about.kind is kind and entry.spec is not None:
                yield about.name, entry


NOTHING: Final = ControlState(-1, {})
