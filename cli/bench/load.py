"""A load, and what came of it: the figures that are judged, printed and drawn. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from penstock.cli.bench.histogram import Histogram
from penstock.cli.bench.recorder import Recorder, Window

_SATURATED: Final = 0.95  # of a core: one process with one event loop has no more


@dataclass(frozen=True, slots=True)
class Load:
    """What is sent: at a rate, whatever comes back, or so many at once, each answer followed by the next request.

    Attributes:
        rate: requests a second; None for so many at once.
        concurrency: so many at once; None for a rate.
        seconds: measured.
        warm_up_s: before, not measured.
    """

    rate: float | None
    concurrency: int | None
    seconds: float
    warm_up_s: float


@dataclass(frozen=True, slots=True)
class Ending:
    """How a load ended.

    Attributes:
        at: when sending ended, monotonic seconds.
        cpu_s: processor time of the generator while it was measured.
        still_open: requests on their way.
        stopped: why it ended early; empty where it did not.
        outrun: it ended because the generator could not send so fast.
        interrupted: somebody wanted it to end.
    """

    at: float
    cpu_s: float
    still_open: int = 0
    stopped: str = ""
    outrun: bool = False
    interrupted: bool = False


@dataclass(frozen=True, slots=True)
class Figures:
    """What came of a load. The histograms and messages are those of `Recorder`.

    Attributes:
        load: what was to be sent.
        sent_s: for how many seconds requests were sent and measured.
        answered_s: until the last answer, if that was later.
        sent, answered, lost: requests.
        errors: by code.
        open: on their way when it was stopped.
        cpu: cores that the generator used.
        windows: the timeline.
        window_s: length of a window.
        stopped, outrun, interrupted: see `Ending`.
    """

    load: Load
    sent_s: float
    answered_s: float
    sent: int
    answered: int
    errors: Mapping[str, int]
    messages: Mapping[str, str]
    lost: int
    open: int
    latency: Histogram
    service: Histogram
    late: Histogram
    acknowledged: Histogram
    cpu: float
    windows: tuple[Window, ...]
    window_s: float
    stopped: str
    outrun: bool
    interrupted: bool

    @property
    def sent_per_s(self) -> float:
        """Requests a second."""
        return self.sent / self.sent_s if self.sent_s > 0 else 0.0

    @property
    def answered_per_s(self) -> float:
        """Answers a second."""
        return self.answered / self.answered_s if self.answered_s > 0 else 0.0

    @property
    def failed_share(self) -> float:
        """Errors and lost requests as a part of all whose fate is known, 0 to 1."""
        failed = sum(self.errors.values()) + self.lost
        return failed / (failed + self.answered) if failed else 0.0

    @property
    def saturated(self) -> bool:
        """Whether the generator had no processor time left."""
        return self.cpu >= _SATURATED


def figures_of(load: Load, recorder: Recorder, ending: Ending) -> Figures:
    """Put together what came of a load."""
    sent_s = max(0.0, ending.at - recorder.measured_from)
    since_s = recorder.last_reply - recorder.measured_from if recorder.answered else 0.0
    return Figures(
        load=load,
        sent_s=sent_s,
        answered_s=max(sent_s, since_s),
        sent=recorder.sent,
        answered=recorder.answered,
        errors=dict(recorder.errors),
        messages=dict(recorder.messages),
        lost=recorder.lost,
        open=ending.still_open,
        latency=recorder.latency,
        service=recorder.service,
        late=recorder.late,
        acknowledged=recorder.acknowledged,
        cpu=ending.cpu_s / sent_s if sent_s > 0 else 0.0,
        windows=recorder.windows(),
        window_s=recorder.window_s,
        stopped=ending.stopped,
        outrun=ending.outrun,
        interrupted=ending.interrupted,
    )
