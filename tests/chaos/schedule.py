"""Which fault comes when: drawn from a seed. Pure, but for the clock that is handed in."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tests.chaos.faults.catalogue import Planned

_DEAREST_FIRST = 12  # of the catalogue: they are shuffled among themselves, and come before the rest


@dataclass(frozen=True)
class Turn:
    """A fault and the seed of what it draws itself."""

    planned: Planned
    seed: int


def turns(catalogue: Sequence[Planned], seed: int) -> Iterator[Turn]:
    """Return faults without end: each once, those at the front of the catalogue first, then at random."""
    rng = random.Random(seed)
    for part in (list(catalogue[:_DEAREST_FIRST]), list(catalogue[_DEAREST_FIRST:])):
        rng.shuffle(part)
        yield from (Turn(planned, rng.randrange(2**32)) for planned in part)
    while True:
        yield Turn(rng.choice(catalogue), rng.randrange(2**32))


def fits(planned: Planned, left_s: float) -> bool:
    """Tell whether a fault ends in time."""
    return planned.about_s <= left_s
