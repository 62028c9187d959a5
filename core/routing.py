"""Routing: which version of a model answers a request that pins none.

Weighted rendezvous hashing: each version draws a score from the request's key, and the highest one answers. So the same
key gets the same version on every worker and after every restart, without a table; and when weights change, only those
keys move that the change is about. Source: Schindelhauer and Schomaker, "Weighted Distributed Hash Tables", SPAA 2005,
the logarithmic method: score = -weight / ln(u), u uniform in (0, 1).

u comes from xxh3-64 of the key, seeded by xxh3-64 of the salt, a zero byte and the version: its upper 53 bits, and a
half, divided by 2 ** 53. docs/control.md has test vectors, for whoever routes outside of Penstock.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

_BITS: Final = 53  # of a double's mantissa


@dataclass(frozen=True)
class Split:
    """How requests are divided among versions.

    Attributes:
        versions: at least one, each once.
        weights: of each version, 0 or above, not all 0; only their proportion counts.
        salt: changes which keys get which version.
    """

    versions: tuple[str, ...]
    weights: tuple[float, ...]
    salt: str = ""

    @cached_property
    def sole(self) -> str | None:
        """The version that gets everything, or None where there are several."""
        given = [version for version, weight in zip(self.versions, self.weights, strict=True) if weight > 0]
        return given[0] if len(given) == 1 else None

    @cached_property
    def first(self) -> str:
        """A version that gets requests."""
        return next(version for version, weight in zip(self.versions, self.weights, strict=True) if weight > 0)

    def share(self, version: str) -> float:
        """Return the part of the requests that a version gets, from 0 to 1."""
        shares = dict(zip(self.versions, self.weights, strict=True))
        return shares.get(version, 0.0) / sum(self.weights)

    def choose(self, keys: Sequence[bytes]) -> NDArray[np.intp]:
        """Return for each key the place of its version in `versions`, shape [keys]."""
        from xxhash import xxh3_64_intdigest

        scores = np.empty((len(self.versions), len(keys)))
        for place, (version, weight) in enumerate(zip(self.versions, self.weights, strict=True)):
            if weight <= 0:
                scores[place] = -1.0
                continue
            seed = xxh3_64_intdigest(f"{self.salt}\0{version}".encode())
            hashes = np.array([xxh3_64_intdigest(key, seed) for key in keys], dtype=np.uint64)
            uniform = ((hashes >> np.uint64(64 - _BITS)) + 0.5) / 2.0**_BITS
            scores[place] = -weight / np.log(uniform)
        chosen: NDArray[np.intp] = scores.argmax(axis=0)
        return chosen


def all_to(version: str) -> Split:
    """Return the split in which one version gets everything."""
    return Split((version,), (1.0,))
