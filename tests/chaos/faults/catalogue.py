"""Every fault of the long run, by what it is worth to know soonest; pure."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from tests.chaos.faults.brokers import (
    AllBrokersDown,
    KillGroupCoordinator,
    KillTransactionCoordinator,
    RollingRestart,
    TooFewInSync,
)
from tests.chaos.faults.control import CommandsReordered, ControlUnreachable, KillDuringSwitch, VersionSwitch
from tests.chaos.faults.fault import Fault
from tests.chaos.faults.inference import ClockJump, KillMidBatch, LoopBlocked, SlowInference
from tests.chaos.faults.load import BadInputStorm, Burst
from tests.chaos.faults.network import BadNetwork, CutConnections, HalfOpen
from tests.chaos.faults.storm import RebalanceStorm
from tests.chaos.faults.topics import DeadLettersUnavailable, PartitionsAdded, ReplyTopicDeleted, RetentionPasses
from tests.chaos.faults.transactions import KillAtEnd, LateEnd, SendFails, TransactionTimeout
from tests.chaos.faults.unclean import UncleanElection
from tests.chaos.faults.workers import KillBeforeCommit, KillWorkers, MoreWorkersThanPartitions, Sigterm, Zombie
from tests.chaos.oracle import Delivery

MANY: Final = 100_000
_FAST: Final = 2000.0


@dataclass(frozen=True)
class Planned:
    """A fault, and about how long it takes with all that belongs to it, in seconds."""

    make: Callable[[], Fault]
    about_s: float

    def suits(self, delivery: Delivery) -> bool:
        """Tell whether the fault makes sense under a delivery."""
        return self.make().only in (None, delivery)


CATALOGUE: Final = (
    Planned(lambda: KillWorkers(6, MANY, _FAST), 110),
    Planned(lambda: Zombie(2, MANY, _FAST), 75),
    Planned(lambda: KillBeforeCommit(3, MANY, _FAST), 70),
    Planned(lambda: KillAtEnd(4, MANY, _FAST), 90),
    Planned(LateEnd, 25),
    Planned(SendFails, 40),
    Planned(lambda: AllBrokersDown(60.0), 100),
    Planned(lambda: RollingRestart(MANY, _FAST), 110),
    Planned(lambda: MoreWorkersThanPartitions(8, 6, MANY, _FAST), 70),
    Planned(RebalanceStorm, 60),
    Planned(KillGroupCoordinator, 45),
    Planned(KillTransactionCoordinator, 45),
    Planned(TransactionTimeout, 45),
    Planned(SlowInference, 40),
    Planned(LoopBlocked, 50),
    Planned(lambda: BadInputStorm(8.0), 38),
    Planned(KillMidBatch, 30),
    Planned(DeadLettersUnavailable, 50),
    Planned(ReplyTopicDeleted, 30),
    Planned(VersionSwitch, 40),
    Planned(KillDuringSwitch, 35),
    Planned(lambda: ControlUnreachable(45.0), 80),
    Planned(CommandsReordered, 20),
    Planned(HalfOpen, 30),
    Planned(CutConnections, 25),
    Planned(BadNetwork, 40),
    Planned(TooFewInSync, 50),
    Planned(Burst, 45),
    Planned(PartitionsAdded, 15),
    Planned(RetentionPasses, 40),
    Planned(UncleanElection, 40),
    Planned(ClockJump, 28),
    Planned(Sigterm, 30),
)
