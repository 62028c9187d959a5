"""Snapshots: the whole of what is wanted, written into the control topic, so that a late reader can start there.

A reader that starts at a snapshot has not seen which keys the log has added or revoked. So a snapshot must be signed by
a root key, one that the reader's own settings name. One that the log has revoked still passes: take "snapshot" out of
its scopes in the settings too. A snapshot is never applied: whoever has read what is before it knows better, and the
digests that workers report tell a forged one.
"""

from itertools import pairwise
from typing import Annotated, Any, Final, Literal

import orjson
from pydantic import BaseModel, Field, ValidationError

from penstock.schemas.control.command import Millis, Text, read_spec, refusal
from penstock.schemas.control.past import MOST_PAST, Past
from penstock.schemas.control.refusals import CommandRefused, RefusalCode
from penstock.schemas.control.resources import Kind, Resource, parse_resource
from penstock.schemas.control.signing import Signer, message
from penstock.schemas.control.specs import STRICT, Deployment
from penstock.schemas.control.state import ControlRecord, ControlState, Entry
from penstock.schemas.control.trust import Trust, check_signature, signed_by
from penstock.schemas.errors import PenstockError
from penstock.schemas.headers import Header

SNAPSHOT_V1: Final = "snapshot/1"
SNAPSHOT_KEY: Final = b"snapshot"
SNAPSHOT_SCOPE: Final = "snapshot"
MAX_SNAPSHOT_BYTES: Final = 900_000  # a topic takes 1,048,588 by default, headers included
_DOMAIN: Final = "penstock-snapshot/1"
_HEAD: Final = b'{"penstock":"snapshot/1",'

_Offset = Annotated[int, Field(ge=0, le=2**63 - 1)]


class SnapshotPast(BaseModel):
    """A deployment that another one has followed."""

    model_config = STRICT

    offset: _Offset = Field(description="Of the command in the control topic.")
    spec: Deployment | None = Field(description="What was wanted; null where it was removed.")


class SnapshotEntry(BaseModel):
    """What was last accepted for a resource."""

    model_config = STRICT

    resource: str = Field(max_length=512, description="What it is about, as 'deployment/iris'.")
    sequence: int = Field(ge=1, le=2**53, description="Of the command.")
    offset: _Offset = Field(description="Of the command in the control topic.")
    id: str = Field(pattern=r"^[A-Za-z0-9_-]{8,64}$", description="Of the command.")
    issuer: str = Field(min_length=1, max_length=128, description="Who asked for it.")
    key: str = Field(max_length=128, description="Id of the key that signed it; empty where signing is off.")
    time: Millis = Field(description="When it was issued, epoch milliseconds.")
    reason: Text = Field(default="", description="Why.")
    spec: dict[str, Any] | None = Field(default=None, description="What is wanted; null where it was removed.")
    past: tuple[SnapshotPast, ...] = Field(
        default=(), max_length=MOST_PAST, strict=False, description="Of a deployment: those before it, oldest first."
    )


class Snapshot(BaseModel):
    """The whole of what is wanted, after the record at `epoch`."""

    model_config = STRICT

    penstock: Literal["snapshot/1"] = Field(description="Kind and version of this document; its first member.")
    cluster: str = Field(min_length=1, max_length=64, description="Kafka's id of the cluster it is of.")
    group: str = Field(min_length=1, max_length=249, description="The consumer group of the service it is of.")
    id: str = Field(pattern=r"^[A-Za-z0-9_-]{8,64}$", description="Made up by whoever wrote it.")
    epoch: _Offset = Field(description="Offset of the last record that is folded into it.")
    time: Millis = Field(description="When it was written, epoch milliseconds.")
    state: tuple[SnapshotEntry, ...] = Field(strict=False, description="By resource, those removed too.")


def is_snapshot(record: ControlRecord) -> bool:
    """Tell whether a record is a snapshot, or at least claims to be one."""
    return record.value is not None and record.value.startswith(_HEAD)


def encode_snapshot(
    state: ControlState, signer: Signer | None, *, cluster: str, group: str, id_: str, time_ms: int
) -> tuple[bytes, list[Header]]:
    """Return the value and the headers of a snapshot's record; its key is `SNAPSHOT_KEY`.

    Args:
        state: after a record, so of an epoch of 0 or more.
        signer: a root key with the scope "snapshot"; None where signing is off.
        cluster: of the service.
        group: of the service.
        id_: made up, never used again.
        time_ms: now, epoch milliseconds.

    Raises:
        PenstockError: nothing has been read yet, or it would be too large.
    """
    if state.epoch < 0:
        raise PenstockError("nothing has been read yet: there is nothing to write a snapshot of")
    entries = sorted(state.entries.items(), key=lambda item: str(item[0]))
    document = {"penstock": SNAPSHOT_V1, "cluster": cluster, "group": group, "id": id_, "epoch": state.epoch}
    value = orjson.dumps(
        document
        | {"time": time_ms, "state": [{"resource": str(about), **entry.document()} for about, entry in entries]}
    )
    if len(value) > MAX_SNAPSHOT_BYTES:
        raise PenstockError(f"a snapshot of {len(value)} bytes; it has at most {MAX_SNAPSHOT_BYTES}")
    if signer is None:
        return value, []
    return value, signer.sign_message(message(value, _DOMAIN, cluster, group, id_, state.epoch, time_ms))


def read_snapshot(record: ControlRecord, trust: Trust) -> ControlState:
    """Read the state in a snapshot. The next record to be applied is that after its epoch, not after the snapshot.

    Raises:
        CommandRefused: it is none, or none to be trusted; whoever looks for one goes further back.
    """
    snapshot = _decode(record)
    trust.check_service(snapshot.cluster, snapshot.group)
    if trust.signing:
        _check_signer(record, snapshot, trust)
    if snapshot.epoch >= record.offset:
        raise CommandRefused(RefusalCode.OUT_OF_SEQUENCE, f"of epoch {snapshot.epoch}, which is not before itself")
    entries: dict[Resource, Entry] = {}
    for each in snapshot.state:
        about, entry = _entry(each)
        offsets = [*(past.offset for past in entry.past), entry.offset, snapshot.epoch + 1]
        if about in entries or any(one >= next_ for one, next_ in pairwise(offsets)):
            raise CommandRefused(RefusalCode.BAD_SPEC, f"{about} is there twice, or its offsets are not in order")
        entries[about] = entry
    return ControlState(snapshot.epoch, entries)


def _decode(record: ControlRecord) -> Snapshot:
    if not is_snapshot(record) or record.value is None:
        raise CommandRefused(RefusalCode.NO_COMMAND, "the record is no snapshot")
    if len(record.value) > MAX_SNAPSHOT_BYTES:
        what = f"{len(record.value)} bytes; a snapshot has at most {MAX_SNAPSHOT_BYTES}"
        raise CommandRefused(RefusalCode.NO_COMMAND, what)
    try:
        return Snapshot.model_validate(orjson.loads(record.value))
    except orjson.JSONDecodeError as error:
        raise CommandRefused(RefusalCode.NO_COMMAND, f"not JSON: {error}") from None
    except ValidationError as error:
        raise refusal(error, RefusalCode.NO_COMMAND) from None


def _check_signer(record: ControlRecord, snapshot: Snapshot, trust: Trust) -> None:
    key_id, signature = signed_by(record.headers)
    key = trust.keys.get(key_id)
    if key is None:
        raise CommandRefused(RefusalCode.UNKNOWN_KEY, f"a snapshot needs a root key; {key_id[:64]!r} is none here")
    facts = (_DOMAIN, snapshot.cluster, snapshot.group, snapshot.id, snapshot.epoch, snapshot.time)
    check_signature(key_id, key, signature, message(record.value or b"", *facts))
    if not key.may_change(SNAPSHOT_SCOPE):
        raise CommandRefused(RefusalCode.OUT_OF_SCOPE, f"key {key_id!r} may not write snapshots")


def _entry(each: SnapshotEntry) -> tuple[Resource, Entry]:
    try:
        about = parse_resource(each.resource)
    except ValueError as error:
        raise CommandRefused(RefusalCode.UNSUPPORTED, str(error)) from None
    spec = None if each.spec is None else read_spec(about, each.spec)
    if each.past and about.kind is not Kind.DEPLOYMENT:
        raise CommandRefused(RefusalCode.BAD_SPEC, f"{about} has a past, as only deployments have")
    past = tuple(Past(one.offset, one.spec) for one in each.past)
    return about, Entry(spec, each.sequence, each.offset, each.id, each.issuer, each.key, each.time, each.reason, past)
