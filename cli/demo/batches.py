"""How batches formed, from the workers' metric penstock_batch_rows. Pure."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from penstock.cli.pages.rates import work_between
from penstock.cli.pages.sample import Sample


class Batches(NamedTuple):
    """Batches that ran, and the rows in them."""

    batches: float = 0.0
    rows: float = 0.0

    @property
    def mean_rows(self) -> float:
        """Rows per batch; NaN without batches."""
        return self.rows / self.batches if self.batches else float("nan")


def batches_between(before: Sequence[Sample | None], after: Sequence[Sample | None]) -> Mapping[str, Batches]:
    """Return the batches of each model that ran between two looks at the same processes.

    Args:
        before: one for each process; None for one that did not answer, which is left out.
        after: likewise.
    """
    found: dict[str, Batches] = {}
    for early, late in zip(before, after, strict=True):
        if early is None or late is None:
            continue
        for model, ran in work_between(early, late).batch_rows.items():
            known = found.get(model, Batches())
            found[model] = Batches(known.batches + ran.count, known.rows + ran.sum)
    return found


def together(found: Mapping[str, Batches]) -> Batches:
    """Return the batches of all models as one figure."""
    return Batches(sum(each.batches for each in found.values()), sum(each.rows for each in found.values()))
