"""How large and how deep a request may be before it is refused."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds checked while a request is decoded, before memory is spent on it.

    Attributes:
        max_bytes: bytes of a record's value. Above Kafka's own default of 1 MiB, so that the topic decides.
        max_elements: numbers or strings in one tensor, declared or sent.
        max_depth: nesting of the JSON. A tensor has rank 8 at most in practice; the rest is for parameters.
        max_headers: headers of a record.
        max_header_bytes: bytes of all header names and values of a record together.
    """

    max_bytes: int = 16 * 1024 * 1024
    max_elements: int = 4_000_000
    max_depth: int = 32
    max_headers: int = 64
    max_header_bytes: int = 16 * 1024
