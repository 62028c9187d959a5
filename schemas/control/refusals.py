"""Why a command changes nothing."""

from enum import StrEnum

from penstock.schemas.errors import PenstockError


class RefusalCode(StrEnum):
    """The closed list of reasons. Every worker that reads the same log finds the same one."""

    NO_COMMAND = "NO_COMMAND"  # null, not JSON, too large, or not what a command looks like
    UNSUPPORTED = "UNSUPPORTED"  # of a newer Penstock: unknown version, kind or field
    BAD_SPEC = "BAD_SPEC"  # the spec has a value that it may not have
    WRONG_SERVICE = "WRONG_SERVICE"  # for another cluster or group
    UNSIGNED = "UNSIGNED"  # no signature where one is required
    UNKNOWN_KEY = "UNKNOWN_KEY"  # signed by a key that is not trusted at this place of the log
    BAD_SIGNATURE = "BAD_SIGNATURE"  # the signature does not fit
    OUT_OF_SCOPE = "OUT_OF_SCOPE"  # the key may not change this resource
    EXPIRED = "EXPIRED"  # the broker took it in after its expiry
    OUT_OF_SEQUENCE = "OUT_OF_SEQUENCE"  # a replay, or somebody else was quicker
    REVOKED = "REVOKED"  # the id of a key that was revoked: it never comes back


class CommandRefused(PenstockError):
    """A command that changes nothing.

    Attributes:
        code: one of `RefusalCode`.
        message: for the person who issued it.
    """

    def __init__(self, code: RefusalCode, message: str) -> None:
        super().__init__(f"{code.value}: {message}")
        self.code = code
        self.message = message
