"""Whether a model can be served well: it runs at every batch size, keeps rows apart, and answers alike each time."""

import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from penstock.cli.model.rows import MOST, made_up, repeated
from penstock.core.model import Array, Model, Tensors
from penstock.schemas.errors import ModelError

_SIZES: Final = (1, 2, 7, MOST)
_ALONE: Final = 7  # rows that are run alone too
_RUNS: Final = 20  # for a time
_TIMING_S: Final = 0.5
# Sums of another order differ in their last digits; a row that is mixed with others differs in its first ones.
_TOLERANCES: Final = {2: (1e-2, 1e-2), 4: (1e-3, 1e-4), 8: (1e-6, 1e-8)}  # bytes of a float -> relative, absolute


@dataclass(slots=True)
class Verified:
    """What came of verifying a version.

    Attributes:
        model: `name@version`.
        load_s: seconds to load and warm it up.
        ms: batch size -> milliseconds of a run, at 1 row and at 64 where it takes as many.
        faults: what is wrong, and what to do about it.
        unchecked: why it could not be run, although nothing may be wrong with it.
    """

    model: str
    load_s: float | None = None
    ms: dict[int, float] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    unchecked: str | None = None


def sizes_of(most_rows: int) -> list[int]:
    """Return the batch sizes to try, where a batch has at most so many rows."""
    return sorted({size for size in (*_SIZES, most_rows) if size <= most_rows})


def check(model: Model, rows: Tensors | None, most_rows: int, verified: Verified, step: Callable[[], None]) -> None:
    """Run a loaded model on rows and note what is wrong.

    Args:
        model: loaded and warm.
        rows: to run it on; None makes some up.
        most_rows: the most rows of a batch.
        verified: gets what is found.
        step: called after each of `len(sizes_of(most_rows)) + 2` steps.
    """
    signature = model.signature
    batched = signature.batched
    sizes = sizes_of(min(most_rows, signature.max_rows or most_rows)) if batched else [1]
    start = rows if rows is not None else made_up(signature, sizes[-1])
    try:
        model.run(repeated(start, 1) if batched else start)
    except ModelError as error:
        _refused(model, error, rows is not None, verified)
        return
    try:
        for size in sizes:
            batch = repeated(start, size) if batched else dict(start)
            verified.faults += _faults_of_batch(model, batch, size if batched else None)
            if size in (1, MOST):
                verified.ms[size] = _time_of(model, batch)
            step()
        if batched:
            verified.faults += _faults_of_mixing(model, start, sizes[-1])
        step()
    except ModelError as error:
        verified.faults.append(f"{error}; batches of this size are made under load, so lower max_batch_size")


def _refused(model: Model, error: ModelError, real: bool, verified: Verified) -> None:
    made_up_may_be_wrong = any(spec.datatype == "BYTES" or -1 in spec.shape for spec in model.signature.inputs)
    if not real and made_up_may_be_wrong:
        verified.unchecked = f"{error}. Made-up rows may be to blame: give real ones with --rows"
    else:
        verified.faults.append(f"{error}; such a request is answered with MODEL_FAILED")


def _faults_of_batch(model: Model, batch: Tensors, size: int | None) -> Iterator[str]:
    first, second = model.run(batch), model.run(batch)
    what = "a run" if size is None else f"a run of {size}"
    for name, array in first.items():
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            yield (
                f"output {name!r} has NaN or infinity in {what}; such rows are answered with BAD_OUTPUT. "
                "Are these rows like those it was trained on? --rows gives others"
            )
        if (difference := _difference(array, second[name])) is not None:
            yield (
                f"output {name!r} differs between two runs on the same rows ({difference}): dropout or a random draw "
                "is left in the model. Export it for inference"
            )


def _faults_of_mixing(model: Model, start: Tensors, most: int) -> Iterator[str]:
    batch = repeated(start, most)
    together = model.run(batch)
    for place in range(min(_ALONE, most)):
        alone = model.run({name: array[place : place + 1] for name, array in batch.items()})
        for name, array in alone.items():
            difference = _difference(array[0], together[name][place])
            if difference is not None:
                yield (
                    f"output {name!r} of a row differs when it runs alone and with {most - 1} others ({difference}): "
                    "the model mixes rows. Set max_batch_size: 0 in its config.pbtxt, so that each request runs alone"
                )
                return


def _difference(one: Array, other: Array) -> str | None:
    """Say how two answers that should be the same differ; None where they do not, within rounding."""
    one, other = np.asarray(one), np.asarray(other)
    if one.dtype.kind != "f":
        return None if np.array_equal(one, other) else f"{_first(one, other)}"
    relative, absolute = _TOLERANCES[one.dtype.itemsize]
    near = np.isclose(one, other, rtol=relative, atol=absolute, equal_nan=True)
    return None if near.all() else f"by up to {np.abs(one - other)[~near].max():.3g}"


def _first(one: Array, other: Array) -> str:
    place = tuple(np.argwhere(one != other)[0])
    return f"{one[place]} and {other[place]}"


def _time_of(model: Model, batch: Tensors) -> float:
    """Return the median time of a run in milliseconds."""
    times: list[float] = []
    end = time.monotonic() + _TIMING_S
    while len(times) < _RUNS and (not times or time.monotonic() < end):
        start = time.perf_counter()
        model.run(batch)
        times.append(time.perf_counter() - start)
    return statistics.median(times) * 1000
