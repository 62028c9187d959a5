"""What the options of `penstock bench` say, and what they mean together. Pure."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import typer

from penstock.cli.bench.climb import Steps
from penstock.cli.bench.load import Load
from penstock.cli.bench.objective import Objective, parse, with_defaults

_RATE: Final = 100.0
_SECONDS: Final = (10.0, 5.0)  # of one load, and of each in a ramp
_WARM_UP_S: Final = (2.0, 1.0)
_FACTOR: Final = 2.0
_HALVINGS: Final = 3


@dataclass(frozen=True, slots=True)
class Choice:
    """The options, as they were given; None was not."""

    model: str
    rate: float | None
    concurrency: int | None
    seconds: float | None
    warm_up_s: float | None
    timeout_s: float
    objectives: tuple[str, ...]
    ramp: bool
    factor: float | None
    step: float | None
    up_to: float | None
    halvings: int | None
    rows: str | None
    columns: str | None
    skip: tuple[str, ...]
    by_column: bool
    dtype: str | None
    repository: str | None
    rows_per_request: int
    raw: bool
    max_in_flight: int
    own_topic: bool
    plot: Path | None
    json: bool

    def load(self) -> Load:
        """Return what is to be sent. Raises: typer.BadParameter."""
        if self.concurrency is not None and (self.rate is not None or self.ramp):
            raise typer.BadParameter("is in place of a rate", param_hint="--concurrency")
        if self.concurrency is not None and self.concurrency > self.max_in_flight:
            raise typer.BadParameter(f"is above --max-in-flight {self.max_in_flight}", param_hint="--concurrency")
        seconds = _SECONDS[self.ramp] if self.seconds is None else self.seconds
        warm_up_s = _WARM_UP_S[self.ramp] if self.warm_up_s is None else self.warm_up_s
        rate = self.rate or (None if self.concurrency is not None else _RATE)
        return Load(rate, self.concurrency, seconds, warm_up_s)

    def steps(self) -> Steps | None:
        """Return how a ramp goes up; None where there is none. Raises: typer.BadParameter."""
        given = {"--factor": self.factor, "--step": self.step, "--up-to": self.up_to, "--halvings": self.halvings}
        if not self.ramp:
            for name, value in given.items():
                if value is not None:
                    raise typer.BadParameter("is for a --ramp", param_hint=name)
            return None
        if self.factor is not None and self.step is not None:
            raise typer.BadParameter("one of them is enough", param_hint="--factor, --step")
        first = self.rate or _RATE
        if self.up_to is not None and self.up_to < first:
            raise typer.BadParameter(f"is below the first rate, {first:g}", param_hint="--up-to")
        halvings = _HALVINGS if self.halvings is None else self.halvings
        return Steps(first, self.factor or _FACTOR, self.step, self.up_to, halvings)

    def wanted(self) -> tuple[Objective, ...]:
        """Return what is to hold. Raises: typer.BadParameter."""
        try:
            return with_defaults([parse(text) for text in self.objectives], ramp=self.ramp)
        except ValueError as error:
            raise typer.BadParameter(str(error), param_hint="--objective") from None

    def check_rows(self) -> None:
        """Look whether the options about rows go together. Raises: typer.BadParameter."""
        if self.rows is not None and self.repository is not None:
            raise typer.BadParameter("one of them is enough", param_hint="--rows, --repository")
        of_file = {
            "--columns": self.columns, "--skip-column": self.skip, "--by-column": self.by_column, "--dtype": self.dtype
        }  # fmt: skip
        for name, value in of_file.items():
            if value and self.rows is None:
                raise typer.BadParameter("is for --rows", param_hint=name)
