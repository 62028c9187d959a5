"""A command before it is written: how it is spelled, and what would become of it. Pure."""

import secrets
import time
from typing import Final

import orjson

from penstock.schemas.control.command import COMMAND_V1, decode_command
from penstock.schemas.control.fold import ControlRecord, ControlState, Fold, Trust
from penstock.schemas.control.resources import Resource
from penstock.schemas.control.signing import Signer
from penstock.schemas.control.snapshot import SNAPSHOT_SCOPE, encode_snapshot
from penstock.schemas.control.specs import Spec
from penstock.schemas.headers import Header

_ID_BYTES: Final = 12


class Author:
    """Whoever gives orders to a service.

    Args:
        trust: of which service, and whose orders it takes.
        signer: signs; None where signing is off, or nothing is written.
        name: who it is, for people.
        expires_s: a command that the broker takes in later than this after it was made is void.
    """

    def __init__(self, trust: Trust, signer: Signer | None, name: str, expires_s: float) -> None:
        self._trust = trust
        self._signer = signer if trust.signing else None
        self._name = name
        self._expires_s = expires_s

    def command(
        self, resource: Resource, spec: Spec | None, state: ControlState, reason: str
    ) -> tuple[bytes, list[Header]]:
        """Return value and headers of a command's record, which would be accepted after what has been read.

        Args:
            resource: what it is about.
            spec: what is wanted of it; None removes it.
            state: the control topic as far as it was read.
            reason: why.

        Raises:
            CommandRefused: nobody would follow it.
        """
        before = state.entries.get(resource)
        now_ms = _now_ms()
        document = {
            "penstock": COMMAND_V1,
            "id": secrets.token_urlsafe(_ID_BYTES),
            "sequence": 1 if before is None else before.sequence + 1,
            "cluster": self._trust.cluster,
            "group": self._trust.group,
            "issuer": self._name,
            "time": now_ms,
            "expires": now_ms + round(self._expires_s * 1000),
            "reason": reason,
            "resource": str(resource),
            "action": "remove" if spec is None else "set",
        }
        if spec is not None:  # without defaults: an older worker refuses a field that it does not know
            document["spec"] = spec.model_dump(mode="json", exclude_defaults=True)
        value = orjson.dumps(document)
        command, _ = decode_command(value)
        headers = [] if self._signer is None else self._signer.sign(command, value)
        fold = Fold(self._trust)
        fold.restore(state)
        tried = ControlRecord(state.epoch + 1, now_ms, command.resource.encode(), value, headers)
        refused = fold.apply(tried).refused
        if refused is not None:
            raise refused
        return value, headers

    def snapshot(self, state: ControlState) -> tuple[bytes, list[Header]]:
        """Return value and headers of a snapshot's record. Raises: PenstockError (it would be too large)."""
        return encode_snapshot(
            state,
            self._signer,
            cluster=self._trust.cluster,
            group=self._trust.group,
            id_=secrets.token_urlsafe(_ID_BYTES),
            time_ms=_now_ms(),
        )

    @property
    def may_snapshot(self) -> bool:
        """Whether readers would trust a snapshot of this author: they take those of root keys alone."""
        if not self._trust.signing:
            return True
        root = None if self._signer is None else self._trust.keys.get(self._signer.key_id)
        return root is not None and root.may_change(SNAPSHOT_SCOPE)


def _now_ms() -> int:
    return round(time.time() * 1000)
