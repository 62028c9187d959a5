"""Whom a service belongs to, and who may sign for it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from penstock.schemas.control.command import KEY_HEADER, SIGNATURE_HEADER
from penstock.schemas.control.refusals import CommandRefused, RefusalCode
from penstock.schemas.control.signing import SIGNATURE_BYTES, verify
from penstock.schemas.control.specs import Key
from penstock.schemas.headers import Header


@dataclass(frozen=True, slots=True)
class Trust:
    """What a reader of the control topic knows before it reads. All workers of a service must know the same.

    Attributes:
        cluster: Kafka's id of the cluster.
        group: the consumer group of the service.
        keys: the root keys by their id: trusted from the first record on, until the log revokes them.
        signing: whether signatures are asked for.
    """

    cluster: str
    group: str
    keys: Mapping[str, Key]
    signing: bool

    def check_service(self, cluster: str, group: str) -> None:
        """Refuse what is meant for another service.

        Raises:
            CommandRefused: WRONG_SERVICE.
        """
        if cluster != self.cluster:
            raise CommandRefused(RefusalCode.WRONG_SERVICE, f"for cluster {cluster!r}; this is {self.cluster!r}")
        if group != self.group:
            raise CommandRefused(RefusalCode.WRONG_SERVICE, f"for group {group!r}; this is {self.group!r}")


def signed_by(headers: Sequence[Header]) -> tuple[str, bytes]:
    """Return the id of the key that is said to have signed a record, and the 64 bytes of the signature.

    Raises:
        CommandRefused: UNSIGNED, or BAD_SIGNATURE where it is none.
    """
    named = [value for name, value in headers if name == KEY_HEADER]
    signed = [value for name, value in headers if name == SIGNATURE_HEADER]
    if len(named) != 1 or len(signed) != 1 or not named[0] or not signed[0]:
        raise CommandRefused(
            RefusalCode.UNSIGNED, f"one header {KEY_HEADER} and one header {SIGNATURE_HEADER} are needed"
        )
    try:
        signature = bytes.fromhex(signed[0].decode("ascii"))
        key_id = named[0].decode()
    except ValueError:
        raise CommandRefused(RefusalCode.BAD_SIGNATURE, f"{SIGNATURE_HEADER} is not hexadecimal") from None
    if len(signature) != SIGNATURE_BYTES:
        raise CommandRefused(
            RefusalCode.BAD_SIGNATURE, f"a signature has {SIGNATURE_BYTES} bytes, not {len(signature)}"
        )
    return key_id, signature


def check_signature(key_id: str, key: Key, signature: bytes, signed: bytes) -> None:
    """Refuse what a key has not signed.

    Raises:
        CommandRefused: BAD_SIGNATURE.
    """
    if not verify(key.public, signature, signed):
        raise CommandRefused(RefusalCode.BAD_SIGNATURE, f"the signature is not that of key {key_id!r}")
