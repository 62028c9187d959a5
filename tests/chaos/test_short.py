"""The faults that matter most, each once, under a load that two cores carry; `make chaos` is the long form."""

from pathlib import Path

import pytest

from tests.chaos.cluster import FaultyCluster
from tests.chaos.faults.brokers import AllBrokersDown
from tests.chaos.faults.control import VersionSwitch
from tests.chaos.faults.fault import Fault
from tests.chaos.faults.load import BadInputStorm
from tests.chaos.faults.transactions import KillAtEnd, LateEnd, SendFails
from tests.chaos.faults.workers import KillBeforeCommit, KillWorkers, MoreWorkersThanPartitions, Sigterm, Zombie
from tests.chaos.oracle import Delivery
from tests.chaos.run import draw
from tests.chaos.trial import attempt

SHORT = (
    KillWorkers(2),
    Zombie(),
    KillBeforeCommit(),
    SendFails(3.0),
    AllBrokersDown(20.0),
    MoreWorkersThanPartitions(4, 3),
    BadInputStorm(3.0),
    VersionSwitch(3),
    Sigterm(),
)


EXACTLY_ONCE = (KillWorkers(2), KillAtEnd(2), LateEnd())


def named(fault: Fault) -> str:
    return f"{fault.rank}-{type(fault).__name__}"


@pytest.mark.parametrize("fault", SHORT, ids=named)
async def test_nothing_is_lost_wrong_or_out_of_order(faulty_cluster: FaultyCluster, adders: Path, fault: Fault) -> None:
    await _holds(faulty_cluster, adders, fault, "at-least-once")


@pytest.mark.parametrize("fault", EXACTLY_ONCE, ids=named)
async def test_nothing_is_lost_or_doubled_under_exactly_once(
    faulty_cluster: FaultyCluster, adders: Path, fault: Fault
) -> None:
    await _holds(faulty_cluster, adders, fault, "exactly-once")


async def _holds(cluster: FaultyCluster, models: Path, fault: Fault, delivery: Delivery) -> None:
    verdict = await attempt(cluster, fault, models, delivery=delivery, seed=7)
    print(verdict)
    if verdict.findings:
        draw(verdict)
    assert not verdict.findings, str(verdict)
