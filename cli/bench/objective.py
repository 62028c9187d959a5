"""What a service is to hold, as `p99=50ms` or `errors=1%`. Pure."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from penstock.cli.bench.histogram import Histogram
from penstock.cli.figures import duration
from penstock.cli.top.figures import share

_FORM: Final = re.compile(
    r"(?:p(?P<share>\d{1,2}(?:\.\d+)?)|(?P<word>max|errors))=(?P<number>\d+(?:\.\d+)?)(?P<unit>us|ms|s|%)"
)
_SECONDS: Final = {"us": 1e-6, "ms": 1e-3, "s": 1.0}
DEFAULT: Final = "p99=100ms"
DEFAULT_ERRORS: Final = "errors=0.1%"


@dataclass(frozen=True, slots=True)
class Objective:
    """A bound on a percentile of the latency, on its maximum, or on the share of requests that fail.

    Attributes:
        text: as it was given.
        kind: of what.
        share: the percentile, 0 to 100; 100 for the maximum.
        limit: seconds, or the share of failures from 0 to 1.
    """

    text: str
    kind: Literal["latency", "errors"]
    share: float
    limit: float

    def holds(self, latency: Histogram, failed_share: float) -> bool:
        """Tell whether it holds; a latency of nothing does not."""
        if self.kind == "errors":
            return failed_share <= self.limit
        return latency.percentile_s(self.share) <= self.limit

    def broken(self, latency: Histogram, failed_share: float) -> str:
        """Say how it does not hold, as `p99 84.1 ms, over 50.0 ms`."""
        if self.kind == "errors":
            return f"{share(failed_share)} failed, over {share(self.limit)}"
        name = self.text.partition("=")[0].strip()
        return f"{name} {duration(latency.percentile_s(self.share))}, over {duration(self.limit)}"

    def allowed(self, count: int) -> int:
        """Return how many of so many requests may take longer than the limit, or fail."""
        return int(count * (self.limit if self.kind == "errors" else (100 - self.share) / 100) + 1e-9)


def parse(text: str) -> Objective:
    """Read an objective.

    Raises:
        ValueError: it is none; what one looks like.
    """
    found = _FORM.fullmatch(text.replace(" ", ""))
    errors = found is not None and found["word"] == "errors"
    if found is None or errors != (found["unit"] == "%") or (found["share"] and float(found["share"]) == 0):
        raise ValueError(f"{text!r} is no objective; p99=50ms, p99.9=1s, max=2s and errors=1% are some")
    number = float(found["number"])
    if errors:
        return Objective(text, "errors", 0.0, number / 100)
    if number == 0:
        raise ValueError(f"{text!r}: no answer takes no time")
    return Objective(text, "latency", float(found["share"] or 100), number * _SECONDS[found["unit"]])


def with_defaults(given: Sequence[Objective], *, ramp: bool) -> tuple[Objective, ...]:
    """Return the objectives that hold: a ramp needs one on latency, and failures never count as answers."""
    kinds = {each.kind for each in given}
    more = [parse(DEFAULT)] if ramp and "latency" not in kinds else []
    more += [parse(DEFAULT_ERRORS)] if (ramp or given) and "errors" not in kinds else []
    return (*given, *more)
