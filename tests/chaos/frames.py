"""Requests to a broker as they pass by: which kind, and whose. Pure.

Source: Kafka protocol guide, "Protocol Primitive Types" and "Request Header v1/v2": a length of 4 bytes, then the
kind and version of 2 bytes each, a correlation id of 4, and the client's id as a string with 2 bytes of length.
"""

import struct
from dataclasses import dataclass
from enum import IntEnum

_HEAD = struct.Struct(">ihhih")


class Kind(IntEnum):
    """The kinds of request that faults look for; numbers are Kafka's."""

    PRODUCE = 0
    FETCH = 1
    OFFSET_COMMIT = 8
    HEARTBEAT = 12
    END_TXN = 26
    TXN_OFFSET_COMMIT = 28


@dataclass(frozen=True)
class Frame:
    """One request: its kind, the client's id, and all its bytes, the length in front included."""

    kind: int
    client_id: str
    raw: bytes


def take_frames(buffer: bytearray) -> list[Frame]:
    """Take the whole requests out of the front of a buffer; what is not whole yet stays."""
    found: list[Frame] = []
    at = 0
    while len(buffer) - at >= 4:
        end = at + 4 + int.from_bytes(buffer[at : at + 4], "big")
        if len(buffer) < end:
            break
        found.append(_frame(bytes(buffer[at:end])))
        at = end
    del buffer[:at]
    return found


def _frame(raw: bytes) -> Frame:
    if len(raw) < _HEAD.size:
        return Frame(-1, "", raw)
    _, kind, _, _, length = _HEAD.unpack_from(raw)
    client_id = raw[_HEAD.size : _HEAD.size + max(length, 0)].decode(errors="replace")
    return Frame(kind, client_id, raw)
