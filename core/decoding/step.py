"""A step: up to `STEP` requests of one model, decoded into columns."""

from itertools import chain
from typing import Final

import numpy as np

from penstock.core.decoding.general_way import Decoded
from penstock.core.decoding.layout import Block
from penstock.core.model import Array
from penstock.schemas.oip import Wanted

# Enough that what a call of numpy costs is spread thin; few enough not to hold up the event loop.
STEP: Final = 512


class DecodedStep:
    """What became of up to `STEP` values. Requests that have a place in the columns are common, the others odd.

    Attributes:
        ids: the JSON text of each common request's id, quotes included, in the order of the values; None where there
            is none. Meaningless at the places of `odd`.
        odd: place -> what became of the request there: an error, or arrays that go with no others.
        columns: input name -> the rows of all common requests one after another, in the model's dtype, shape
            [rows, *row]; empty when there are none. Read-only where it lies in a record's own memory.
        rows: rows of each value in order, meaningless at the places of `odd`; None when each has one.
        outputs: names of the outputs that each common request wants, in the order of the values; None where nobody
            names any. Meaningless at the places of `odd`.
    """

    __slots__ = ("columns", "ids", "odd", "outputs", "rows")

    def __init__(
        self,
        ids: list[bytes | None],
        columns: dict[str, Array],
        rows: list[int] | None = None,
        outputs: list[Wanted] | None = None,
        odd: dict[int, Decoded] | None = None,
    ) -> None:
        self.ids = ids
        self.columns = columns
        self.rows = rows
        self.outputs = outputs
        self.odd = odd or {}


class Gathering:
    """Puts together a step from blocks that were read in any order.

    Args:
        count: how many values the step has.
    """

    def __init__(self, count: int) -> None:
        self._count = count
        self._blocks: list[tuple[list[int], Block]] = []
        self._single: list[tuple[int, Decoded]] = []
        self._odd: dict[int, Decoded] = {}

    def add(self, places: list[int], block: Block) -> None:
        """Add requests that were read together."""
        self._blocks.append((places, block))

    def add_single(self, place: int, decoded: Decoded, *, common: bool) -> None:
        """Add a request that was read by itself; when `common`, its rows join the columns."""
        if common:
            self._single.append((place, decoded))
        else:
            self._odd[place] = decoded

    def step(self) -> DecodedStep:
        """Return the whole."""
        blocks = self._blocks + ([_joined(self._single)] if self._single else [])
        if not blocks:
            return DecodedStep([None] * self._count, {}, odd=self._odd)
        places = blocks[0][0] if len(blocks) == 1 else list(chain.from_iterable(places for places, _ in blocks))
        if places == list(range(self._count)):
            return self._concatenated([block for _, block in blocks])
        return self._scattered(blocks)

    @staticmethod
    def _concatenated(blocks: list[Block]) -> DecodedStep:
        """Write blocks that are in order, and all there is, one after another."""
        ids, rows, columns, outputs = blocks[0]
        if len(blocks) > 1:
            ids = list(chain.from_iterable(block.ids for block in blocks))
            rows = list(chain.from_iterable(block.rows for block in blocks))
            columns = {name: np.concatenate([block.columns[name] for block in blocks]) for name in columns}
            outputs = list(chain.from_iterable(map(_wanted, blocks))) if _any_named(blocks) else None
        return DecodedStep(ids, columns, None if rows.count(1) == len(rows) else rows, outputs)

    def _scattered(self, blocks: list[tuple[list[int], Block]]) -> DecodedStep:
        """Write each block's rows where its requests are."""
        ids: list[bytes | None] = [None] * self._count
        outputs: list[Wanted] | None = [None] * self._count if _any_named([block for _, block in blocks]) else None
        rows = np.zeros(self._count, np.intp)
        for places, block in blocks:
            rows[places] = block.rows
            for place, request_id in zip(places, block.ids, strict=True):
                ids[place] = request_id
            if outputs is not None:
                for place, wanted in zip(places, _wanted(block), strict=True):
                    outputs[place] = wanted
        ends = rows.cumsum()
        whole = {
            name: np.empty((ends[-1], *column.shape[1:]), column.dtype) for name, column in blocks[0][1].columns.items()
        }
        for places, block in blocks:
            # For each row of the block: its request's last row in the whole, less how many of the request's follow.
            to = np.repeat(ends[places] - np.cumsum(block.rows), block.rows) + np.arange(sum(block.rows))
            for name, column in block.columns.items():
                whole[name][to] = column
        alike = (rows[rows > 0] == 1).all()
        return DecodedStep(ids, whole, None if alike else rows.tolist(), outputs, self._odd)


def _joined(singles: list[tuple[int, Decoded]]) -> tuple[list[int], Block]:
    """Make a block of requests that were read one by one."""
    bounds = [decoded.bound for _, decoded in singles if decoded.bound is not None]
    rows = [bound.rows for bound in bounds]
    columns = {name: np.concatenate([bound.inputs[name] for bound in bounds]) for name in bounds[0].inputs}
    outputs = [bound.outputs for bound in bounds] if any(bound.outputs for bound in bounds) else None
    return [place for place, _ in singles], Block([decoded.id for _, decoded in singles], rows, columns, outputs)


def _any_named(blocks: list[Block]) -> bool:
    return any(block.outputs is not None for block in blocks)


def _wanted(block: Block) -> list[Wanted]:
    """Return what each request of a block wants."""
    return [None] * len(block.ids) if block.outputs is None else block.outputs
