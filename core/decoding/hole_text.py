"""What stands in the holes of a layout: ids and numbers of rows, cut out of the texts of many requests at once.

The texts are joined by the byte 0, which no JSON holds, so that a few calls on the whole take the place of a few on
each.
"""

from collections.abc import Sequence
from itertools import repeat
from typing import Final

import numpy as np
import orjson

Texts = Sequence[bytes | memoryview]

_BETWEEN: Final = b"\0"
_FEW: Final = 48  # texts that are cut one by one sooner than all at once
_MOST_ROWS: Final = 2**31  # beyond any limit on elements
_DIGITS: Final = b"0123456789"
# What a string may hold as it is. A backslash begins an escape: such an id is spelt anew by the general way.
_PLAIN: Final = bytes(set(range(0x20, 0x100)) - set(b'"\\'))


def cut_short(values: Sequence[bytes], literals: Sequence[bytes]) -> list[Texts] | None:
    """Cut each value at the first place of each literal, one after another.

    Returns:
        What stood before the first literal in each value, what stood before the second, and so on, and what was left;
        None when a value lacks a literal.
    """
    cut: list[Texts] = []
    rest: Sequence[bytes] = values
    for literal in literals:
        inside, found, rest = zip(*map(bytes.partition, rest, repeat(literal)), strict=True)
        if not all(found):
            return None
        cut.append(inside)
    return [*cut, rest]


def cut_long(values: Sequence[bytes], literals: Sequence[bytes]) -> list[Texts] | None:
    """Do what `cut_short` does, without copying what is left."""
    cut: list[Texts] = []
    starts = [0] * len(values)
    for literal in literals:
        ends = list(map(bytes.find, values, repeat(literal), starts))
        if min(ends) < 0:
            return None
        cut.append([value[start:end] for value, start, end in zip(values, starts, ends, strict=True)])
        starts = [end + len(literal) for end in ends]
    return [*cut, [memoryview(value)[start:] for value, start in zip(values, starts, strict=True)]]


def ids_in(texts: Texts, before: bytes, after: bytes) -> list[bytes | None] | None:
    """Return the ids as JSON, in quotes, each as the general way would spell it.

    Args:
        texts: one of each request, from `before` to `after`.
        before: what stands before each id, its opening quote included.
        after: what stands after it, from its closing quote.

    Returns:
        None when one is no string of plain characters.
    """
    bare = _between(texts, before, after, _PLAIN)
    if bare is None:
        return None
    if not bare.isascii():
        try:
            bare.decode()
        except UnicodeDecodeError:
            return None
    return list((b'"%s"' % bare.replace(_BETWEEN, b'"\0"')).split(_BETWEEN))


def rows_in(texts: Texts, before: bytes, after: bytes) -> list[int] | None:
    """Return the numbers of rows; None when one is no number of rows. The arguments are those of `ids_in`."""
    bare = _between(texts, before, after, _DIGITS)
    if bare is None:
        return None
    try:
        found: list[int] = orjson.loads(b"[%s]" % bare.replace(_BETWEEN, b","))
    except orjson.JSONDecodeError:
        return None
    return found if min(found) >= 1 and max(found) <= _MOST_ROWS else None


def _between(texts: Texts, before: bytes, after: bytes, allowed: bytes) -> bytes | None:
    """Return the texts joined, without what stands around each, when the rest is made of allowed bytes alone."""
    joined = _BETWEEN.join(texts)
    if not joined.startswith(before) or not joined.endswith(after) or len(joined) < len(before) + len(after):
        return None
    inside = joined[len(before) : len(joined) - len(after)]
    bare = inside.replace(after + _BETWEEN + before, _BETWEEN)
    if len(inside) - len(bare) != (len(before) + len(after)) * (len(texts) - 1):  # a border is missing, or cut off
        return None
    # Each border was found where it is, because what is left of the borders is one byte for each.
    return bare if bare.translate(None, allowed) == _BETWEEN * (len(texts) - 1) else None


def join_lists(texts: Texts, after: bytes, mark: bytes) -> bytearray | None:
    """Join the elements of many requests into one list: `[0`, a mark, each request's elements and a mark, `0]`.

    Args:
        texts: the elements of each request, and `after`.
        after: what follows the elements in each text.
        mark: what is put between, with its commas.

    Returns:
        The list, spaces in the place of `after`; None when one does not end in `after`.
    """
    if len(texts) <= _FEW:
        size = len(after)
        if not all(text[-size:] == after for text in texts) and after:
            return None
        texts, after = [text[: len(text) - size] for text in texts], b""
    joined = bytearray(mark).join((b"[0", *texts, b"0]"))
    if not after:
        return joined
    lengths = np.fromiter(map(len, texts), np.intp, len(texts))
    ends = (lengths + len(mark)).cumsum() + 2
    # Each place of the text seen as a record that is as long as `after`.
    view = np.ndarray((len(joined) - len(after) + 1,), f"V{len(after)}", joined, 0, (1,))
    places = ends - len(after)
    if lengths.min() < len(after) or view[places].tobytes() != after * len(texts):
        return None
    view[places] = np.void(b" " * len(after))
    return joined
