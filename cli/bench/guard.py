"""When a load is ended early: nobody answers, too much is on its way, or the objective is lost already. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from penstock.cli.bench.flights import Flights
from penstock.cli.bench.load import Load
from penstock.cli.bench.objective import Objective
from penstock.cli.bench.recorder import Recorder
from penstock.cli.figures import duration

_SILENT: Final = 3  # lost requests in a row, and no reply for as long as one is waited for


@dataclass(frozen=True, slots=True)
class Guard:
    """What ends a load before its time.

    Attributes:
        timeout_s: how long a reply is waited for.
        max_in_flight: requests on their way; more would only pile up.
        objectives: given up as soon as they cannot be held any more; empty goes on to the end.
    """

    timeout_s: float
    max_in_flight: int
    objectives: Sequence[Objective] = ()

    def reason(self, load: Load, recorder: Recorder, flights: Flights, now: float) -> str:
        """Return why a load should end; empty where it should go on."""
        silent_s = now - recorder.last_reply
        if recorder.silent >= _SILENT and silent_s > self.timeout_s:
            return f"nobody has answered for {duration(silent_s)}"
        if len(flights) >= self.max_in_flight:
            return f"{len(flights):,} requests are on their way without an answer"
        for objective in self.objectives:
            if load.rate is not None and self._lost(objective, load.rate * load.seconds, recorder, flights, now):
                return f"{objective.text} cannot be held any more"
        return ""

    def _lost(self, objective: Objective, count: float, recorder: Recorder, flights: Flights, now: float) -> bool:
        """Tell whether more requests of a step than may have broken an objective, whatever becomes of the others."""
        allowed = objective.allowed(int(count))
        if objective.kind == "errors":
            return recorder.failed > allowed
        if now < recorder.measured_from + objective.limit:
            return False
        slow = recorder.latency.count_over(objective.limit)
        # What is on its way and over the limit was due since measuring began, but for a rest of the warm-up.
        before = flights.older_than(recorder.measured_from, len(flights))
        over = flights.older_than(now - objective.limit, before + allowed - slow + 1)
        return slow + max(0, over - before) > allowed
