"""The way of layouts: many values at once, and what is wrong among them set apart."""

from itertools import compress
from typing import Final

from penstock.core.decoding.layout import Layout
from penstock.core.decoding.layout_shelf import LayoutShelf
from penstock.core.decoding.step import Gathering

_FEW: Final = 16  # requests that are left to other ways sooner than cut in two again
_PATIENCE: Final = 8  # parts that may fail, over twice what succeeds, before the search for what is wrong is given up

Some = tuple[list[int], list[bytes]]  # places in a step, and the values there


def take(gathering: Gathering, shelf: LayoutShelf, layout: Layout, some: Some) -> Some:
    """Read those of some requests that are of one layout.

    Args:
        gathering: gets them.
        shelf: is told when the layout fits.
        layout: how they are spelt.
        some: at least one.

    Returns:
        The others, in any order: those of other layouts, and the few around each that is not right.
    """
    places, values = some
    tried = layout.fits(values[:1])[0]
    if tried:
        block = layout.read(values)
        if block is not None:
            shelf.fitted(layout, len(places))
            gathering.add(places, block)
            return [], []
    fitting = layout.fits(values)
    if not any(fitting):
        return some
    others = [not fits for fits in fitting]
    own = list(compress(places, fitting)), list(compress(values, fitting))
    left = _take_parts(gathering, shelf, layout, own, halved=tried and all(fitting))
    return list(compress(places, others)) + left[0], list(compress(values, others)) + left[1]


def _take_parts(gathering: Gathering, shelf: LayoutShelf, layout: Layout, some: Some, *, halved: bool) -> Some:
    """Read requests that seem to be of a layout; return the few around one that is wrong, or all where many are."""
    places, values = some
    left: Some = [], []
    middle = len(places) // 2 if halved and len(places) > _FEW else 0
    parts, luck = [(start, stop) for start, stop in ((middle, len(places)), (0, middle)) if start < stop], _PATIENCE
    while parts:
        start, stop = parts.pop()
        block = layout.read(values[start:stop]) if luck >= 0 else None
        if block is not None:
            luck += 2
            shelf.fitted(layout, stop - start)
            gathering.add(places[start:stop], block)
        elif luck < 0 or stop - start <= _FEW:
            left[0].extend(places[start:stop])
            left[1].extend(values[start:stop])
        else:
            luck, middle = luck - 1, (start + stop) // 2
            parts += [(middle, stop), (start, middle)]
    return left
