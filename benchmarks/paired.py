"""Contestants that take turns, so that what disturbs the machine disturbs all of them; what is compared is CPU time."""

import gc
import statistics
import time
from collections.abc import Callable, Mapping, Sequence


def measured(calls: Mapping[str, Callable[[], object]], rounds: int, again: int = 1) -> dict[str, list[float]]:
    """Run every contestant in each round, one after another.

    Args:
        calls: what to run, by name.
        rounds: how many.
        again: how often each runs in a round.

    Returns:
        The CPU seconds of one run of each, for each round.
    """
    gc.collect()
    gc.freeze()  # so that a collection does not walk what the program keeps
    found: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            start = time.process_time()
            for _ in range(again):
                call()
            found[name].append((time.process_time() - start) / again)
    return found


def share(seconds: Sequence[float], other: Sequence[float]) -> float:
    """Return how much of another's time one takes: the middle one of the shares within each round."""
    return statistics.median(one / another for one, another in zip(seconds, other, strict=True))
