"""Who signed a command: Ed25519 (RFC 8032) over the few facts that say what it is and whom it is for.

What is signed is text, so that a client in any language can write it:

    penstock-control/1 LF cluster LF group LF id LF sequence LF expires LF sha256 of the record's value, in hexadecimal
"""

from functools import lru_cache
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from penstock.schemas.control.command import KEY_HEADER, SIGNATURE_HEADER, Command
from penstock.schemas.errors import PenstockError
from penstock.schemas.headers import Header

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

COMMAND_DOMAIN: Final = "penstock-control/1"
PRIVATE_BYTES: Final = 32
SIGNATURE_BYTES: Final = 64


def canonical(command: Command, value: bytes) -> bytes:
    """Return the bytes that the signature of a command is over.

    Args:
        command: as it was read from the value.
        value: the record's value, as it is on the wire.
    """
    return message(value, COMMAND_DOMAIN, command.cluster, command.group, command.id, command.sequence, command.expires)


def message(value: bytes, *facts: str | int) -> bytes:
    """Return the bytes that a signature is over: facts, a line each, and the digest of the value that says them."""
    return "\n".join(map(str, (*facts, sha256(value).hexdigest()))).encode()


class Signer:
    """A private key, and the id by which the workers know its public one.

    Args:
        key_id: as in the workers' file of trusted keys, or in the resource `key/<id>`.
        private_bytes: the 32 bytes of the key (RFC 8032, 5.1.5).

    Raises:
        PenstockError: those are no 32 bytes, or `cryptography` is not installed.
    """

    def __init__(self, key_id: str, private_bytes: bytes) -> None:
        _require_cryptography()
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        if len(private_bytes) != PRIVATE_BYTES:
            raise PenstockError(f"a private key has {PRIVATE_BYTES} bytes; there are {len(private_bytes)}")
        self.key_id = key_id
        self._private = Ed25519PrivateKey.from_private_bytes(private_bytes)

    @classmethod
    def generate(cls, key_id: str) -> "Signer":
        """Make a new key from the system's random numbers."""
        _require_cryptography()
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        return cls(key_id, Ed25519PrivateKey.generate().private_bytes_raw())

    @property
    def private_bytes(self) -> bytes:
        """The 32 bytes of the private key, to be kept in a file that nobody else can read."""
        return self._private.private_bytes_raw()

    @property
    def public_hex(self) -> str:
        """The public key, as the spec of `key/<id>` has it."""
        return self._private.public_key().public_bytes_raw().hex()

    def sign(self, command: Command, value: bytes) -> list[Header]:
        """Return the headers of a command's record."""
        return self.sign_message(canonical(command, value))

    def sign_message(self, signed: bytes) -> list[Header]:
        """Return the headers of a record that is signed by what `message` made of it."""
        signature = self._private.sign(signed).hex().encode()
        return [(KEY_HEADER, self.key_id.encode()), (SIGNATURE_HEADER, signature)]


def verify(public_hex: str, signature: bytes, signed: bytes) -> bool:
    """Tell whether a signature fits.

    Args:
        public_hex: the 32 bytes of the public key, in hexadecimal.
        signature: its 64 bytes.
        signed: what `canonical` made of the command.

    Raises:
        PenstockError: `cryptography` is not installed.
    """
    _require_cryptography()
    from cryptography.exceptions import InvalidSignature

    try:
        _public(public_hex).verify(signature, signed)
    except (InvalidSignature, ValueError):  # ValueError: the key's bytes are no point of the curve
        return False
    return True


@lru_cache(maxsize=256)
def _public(public_hex: str) -> "Ed25519PublicKey":
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    return Ed25519PublicKey.from_public_bytes(bytes.fromhex(public_hex))


@lru_cache(maxsize=1)
def _require_cryptography() -> None:
    try:
        import cryptography  # noqa: F401
    except ImportError:
        raise PenstockError(
            "signed commands need the package cryptography.\nInstall it: pip install 'penstock-kafka[control]'"
        ) from None
