"""Where outcomes come from: the requests that they answer, and their offsets."""

from collections.abc import Iterator, Sequence

from penstock.consumer.block import RequestBlock
from penstock.consumer.pending import PendingRequest
from penstock.schemas.errors import ErrorCode
from penstock.transport.parcels import Parcel


def offset_of(tokens: Sequence[PendingRequest], at: int) -> int:
    """Return the offset of one request."""
    return (tokens.records[at] if isinstance(tokens, RequestBlock) else tokens[at].record).offset


def runs_of(tokens: Sequence[PendingRequest]) -> Iterator[tuple[int, int]]:
    """Yield the offsets of requests as runs `[start, stop)`, in the order of the requests."""
    if not tokens:
        return
    if isinstance(tokens, RequestBlock):  # its offsets ascend
        start, stop = tokens.records[0].offset, tokens.records[-1].offset + 1
        if stop - start == len(tokens):
            yield start, stop
            return
    start = stop = offset_of(tokens, 0)
    for at in range(len(tokens)):
        if (offset := offset_of(tokens, at)) != stop:
            yield start, stop
            start = offset
        stop = offset + 1
    yield start, stop


def is_to_be_buried(request: PendingRequest) -> bool:
    """Tell whether a dead letter has to follow the error reply, and has not been written yet."""
    return request.error is not None and request.error.code is ErrorCode.POISON and not request.burials


def parts_of(parcel: Parcel) -> Iterator[Parcel]:
    """Divide a parcel by the partitions that its requests came from, in order; who is to be buried stands alone."""
    tokens = parcel.tokens
    if isinstance(tokens, RequestBlock):
        yield parcel
        return
    start = 0
    for at in range(1, len(tokens) + 1):
        last, following = tokens[at - 1], tokens[at] if at < len(tokens) else None
        if following is not None and _go_together(last, following):
            continue
        yield Parcel(parcel.records[start:at], tokens[start:at], parcel.timestamp_ms)
        start = at


def _go_together(one: PendingRequest, other: PendingRequest) -> bool:
    return one.progress is other.progress and not is_to_be_buried(one) and not is_to_be_buried(other)
