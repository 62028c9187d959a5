"""Spans: neighbouring records whose headers say the same, but for the correlation.

Senders write the same headers again and again: address, model, deadline. Those are read once, and remembered; from then
on a record costs a look-up.
"""

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from penstock.consumer.progress import PartitionProgress
from penstock.schemas.envelope import BARE, CORRELATIONS, Envelope, read_envelope
from penstock.schemas.headers import Header
from penstock.schemas.limits import Limits
from penstock.schemas.record import Record

_REMEMBERED: Final = 1024  # kinds of headers; they come from outside
_MEMORABLE: Final = 1024  # bytes of their names and values, but for the value of the correlation
_NO_ECHO: Final = ""


class Span(NamedTuple):
    """Records of one partition, one after another.

    Attributes:
        progress: of the partition.
        envelope: what the headers of all of them say.
        records: at least one.
        echo_name: the name of the correlation header that each has, and that the envelope leaves out; empty when they
            have none, or the envelope has it.
        echoes: its values, one a record, or none.
    """

    progress: PartitionProgress
    envelope: Envelope
    records: list[Record]
    echo_name: str
    echoes: list[bytes]

    def cut(self, count: int) -> "tuple[Span, Span]":
        """Return the first records, and the others."""
        progress, envelope, records, name, echoes = self
        return (
            Span(progress, envelope, records[:count], name, echoes[:count]),
            Span(progress, envelope, records[count:], name, echoes[count:]),
        )


class SpanReader:
    """Reads headers and forms spans.

    Args:
        limits: bounds on the headers of a record.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._known: dict[tuple[str, tuple[Header, ...]], Envelope] = {}

    def read(self, progress: PartitionProgress, records: Sequence[Record]) -> list[Span]:
        """Divide records of one partition into spans; nothing is raised for what a header holds."""
        spans: list[Span] = []
        last: Sequence[Header] | None = None
        envelope, name, echo = BARE, _NO_ECHO, b""
        run, echoes = list[Record](), list[bytes]()
        for record in records:
            headers = record.headers
            if headers != last:
                last = headers
                before = envelope, name
                envelope, name, echo = self._read(headers)
                if run and (envelope, name) != before:
                    spans.append(Span(progress, before[0], run, before[1], echoes))
                    run, echoes = [], []
            run.append(record)
            if name:
                echoes.append(echo)
        if run:
            spans.append(Span(progress, envelope, run, name, echoes))
        return spans

    def _read(self, headers: Sequence[Header]) -> tuple[Envelope, str, bytes]:
        """Return what headers say, and the name and value of a correlation header that is left out of it."""
        if not headers:
            return BARE, _NO_ECHO, b""
        name, echo = headers[0]
        if name in CORRELATIONS and echo is not None:
            key = name, tuple(headers[1:])
        else:
            key, name, echo = (_NO_ECHO, tuple(headers)), _NO_ECHO, b""
        envelope = self._known.get(key)
        if envelope is not None and len(echo) <= self._limits.max_header_bytes - _MEMORABLE:
            return envelope, name, echo
        return self._learn(headers, key)

    def _learn(self, headers: Sequence[Header], key: tuple[str, tuple[Header, ...]]) -> tuple[Envelope, str, bytes]:
        """Read headers in full, and remember them where others may be the same."""
        envelope = read_envelope(headers, self._limits)
        name, rest = key
        lone = len(envelope.echo) == (1 if name else 0)
        size = len(name) + sum(len(each) + len(value or b"") for each, value in rest)
        if envelope.error is not None or not lone or size > min(_MEMORABLE, self._limits.max_header_bytes):
            return envelope, _NO_ECHO, b""
        if len(self._known) >= _REMEMBERED:
            self._known.clear()
        if not name:
            self._known[key] = envelope
            return envelope, _NO_ECHO, b""
        shared = read_envelope(rest, self._limits) if rest else Envelope()
        self._known[key] = shared
        return shared, name, envelope.echo[0][1]


def steps(spans: Sequence[Span], most: int) -> Iterator[list[Span]]:
    """Cut spans into steps of up to `most` records, small enough not to hold up the event loop."""
    step: list[Span] = []
    room = most
    for span in spans:
        left = span
        while len(left.records) >= room:
            head, left = left.cut(room)
            yield [*step, head]
            step, room = [], most
        if left.records:
            step.append(left)
            room -= len(left.records)
    if step:
        yield step
