"""A control log in memory, written as clients and attackers write it."""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from penstock.schemas.control.command import KEY_HEADER, SIGNATURE_HEADER, Command
from penstock.schemas.control.fold import ControlRecord, Fold, Trust, Verdict
from penstock.schemas.control.signing import Signer, canonical, message
from penstock.schemas.control.snapshot import SNAPSHOT_KEY, encode_snapshot
from penstock.schemas.control.specs import Key
from penstock.schemas.control.state import ControlState

CLUSTER, GROUP = "cluster-1", "iris-service"
IRIS = {"versions": [{"version": "1"}]}
EXPIRES_MS = 10_000

ROOT = Signer("root", bytes(range(32)))


def trust(*, signing: bool = True, **scopes: tuple[Signer, Sequence[str]]) -> Trust:
    """`ROOT` may do everything; others what is said of them."""
    keys = {"root": Key(public=ROOT.public_hex, scopes=("*",))}
    keys |= {name: key_of(signer, scoped) for name, (signer, scoped) in scopes.items()}
    return Trust(CLUSTER, GROUP, keys, signing)


def key_of(signer: Signer, scopes: Sequence[str]) -> Key:
    return Key(public=signer.public_hex, scopes=tuple(scopes))


def spec_of_key(signer: Signer, *scopes: str) -> dict[str, Any]:
    return {"public": signer.public_hex, "scopes": list(scopes)}


def document(resource: str, spec: Mapping[str, Any] | None, sequence: int, **changed: Any) -> dict[str, Any]:
    """A command as JSON; a member of None is left out."""
    written = {
        "penstock": "command/1",
        "id": "command-1",
        "sequence": sequence,
        "cluster": CLUSTER,
        "group": GROUP,
        "issuer": "anna",
        "time": 1_000,
        "expires": EXPIRES_MS,
        "resource": resource,
        "action": "remove" if spec is None else "set",
        "spec": spec,
        **changed,
    }
    return {name: value for name, value in written.items() if value is not None}


def signed(value: bytes, signer: Signer, key_id: str | None = None) -> list[tuple[str, bytes]]:
    """The headers of a value that a signer signs, whether or not it is a command."""
    try:
        over = canonical(Command.model_validate(orjson.loads(value)), value)
    except ValueError:
        over = message(value, "no command")
    headers = dict(signer.sign_message(over))
    return [(KEY_HEADER, (key_id or signer.key_id).encode()), (SIGNATURE_HEADER, headers[SIGNATURE_HEADER])]


class Log:
    """The topic, and a fold that has read all of it."""

    def __init__(self, trusted: Trust | None = None) -> None:
        self.trust = trusted or trust()
        self.records: list[ControlRecord] = []
        self.fold = Fold(self.trust)

    @property
    def state(self) -> ControlState:
        return self.fold.state

    def append(
        self, value: bytes | None, headers: Sequence[tuple[str, bytes]] = (), *, key: bytes | None = None, at: int = 0
    ) -> Verdict:
        self.records.append(ControlRecord(len(self.records), at or EXPIRES_MS, key, value, headers))
        return self.fold.apply(self.records[-1])

    def issue(
        self, resource: str, spec: Mapping[str, Any] | None, sequence: int, by: Signer = ROOT, **changed: Any
    ) -> Verdict:
        value = orjson.dumps(document(resource, spec, sequence, **changed))
        return self.append(value, signed(value, by), key=resource.encode())

    def snapshot(self, by: Signer | None = ROOT, state: ControlState | None = None, **changed: Any) -> ControlRecord:
        """Append a snapshot of the fold's state, or of another."""
        facts = {"cluster": CLUSTER, "group": GROUP, "id_": "snapshot-1", "time_ms": 5, **changed}
        value, headers = encode_snapshot(self.state if state is None else state, by, **facts)
        verdict = self.append(value, headers, key=SNAPSHOT_KEY)
        assert (verdict.command, verdict.refused) == (None, None)
        return self.records[-1]


def read(records: Sequence[ControlRecord], trusted: Trust, start: ControlState | None = None) -> ControlState:
    """What a worker knows that reads all of these records, perhaps from a snapshot on."""
    fold = Fold(trusted)
    if start is not None:
        fold.restore(start)
    for record in records:
        fold.apply(record)
    return fold.state
