"""What a run is to do, and what has come of it."""

from dataclasses import dataclass, field

from penstock.cli.bench.climb import Climb, Steps
from penstock.cli.bench.inputs import Inputs, Pool
from penstock.cli.bench.lag import Lag
from penstock.cli.bench.lane import Lane
from penstock.cli.bench.load import Figures, Load
from penstock.cli.bench.objective import Objective
from penstock.cli.bench.verdict import Verdict
from penstock.transport.settings import KafkaSettings


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done.

    Attributes:
        kafka: the connection.
        lane: where requests go, and what they want.
        group: that serves them; None is not known.
        inputs: rows to send.
        raw: send them as raw tensors.
        own_topic: have replies come to a topic of the run's own.
        load: what to send; of a ramp, each step but for its rate.
        steps: of a ramp; None is no ramp.
        objectives: what is to hold.
        max_in_flight: requests on their way at which a load ends.
    """

    kafka: KafkaSettings
    lane: Lane
    group: str | None
    inputs: Inputs
    raw: bool
    own_topic: bool
    load: Load
    steps: Steps | None
    objectives: tuple[Objective, ...]
    max_in_flight: int


@dataclass(frozen=True, slots=True)
class Step:
    """A load that has ended, and whether it held the objectives."""

    figures: Figures
    verdict: Verdict


@dataclass(slots=True)
class Outcome:
    """What has come of a run so far.

    Attributes:
        model: that answered, as `name@version`; empty as long as none has.
        pool: the requests.
        replies: the topic that they came to.
        steps: the loads, in their order.
        climb: of a ramp.
        lag_before, lag_after: before the first request, and when the last had left.
        late: replies that came after their deadline, or twice.
        cut: why it ended before its time; empty where it did not.
    """

    model: str = ""
    pool: Pool | None = None
    replies: str = ""
    steps: list[Step] = field(default_factory=list)
    climb: Climb | None = None
    lag_before: Lag | None = None
    lag_after: Lag | None = None
    late: int = 0
    cut: str = ""
