"""The commands: a tenant is held back while a second version comes, which gets a tenth, nothing, then everything."""

import asyncio
import time
from collections.abc import Awaitable
from typing import Final

from penstock.cli.demo.answers import InForce, misplaced, rate, versions
from penstock.cli.demo.commanded import Commanded, Scene
from penstock.cli.demo.flow import TENANT, Flow
from penstock.cli.demo.keys import KEY_FILE, TRUSTED_FILE
from penstock.cli.demo.listening import Listener
from penstock.cli.demo.load import Tally
from penstock.cli.demo.models import SECOND, SWITCHED
from penstock.cli.demo.publishing import publishing
from penstock.cli.demo.service import Service
from penstock.cli.demo.steps import Steps
from penstock.cli.demo.workers import GROUP
from penstock.core.routing import Split, all_to
from penstock.producer.client import Client
from penstock.producer.control.control import Control
from penstock.producer.control.results import Change
from penstock.schemas.control.specs import Deployment

LIMIT: Final = 500.0  # rows a second
_BURST: Final = 50.0  # that come at once, of a tenant that has rested
_CANARY: Final = 10.0  # percent
_LOOK_S: Final = 0.3  # at the answers after a command
_LOOK_AT_RATE_S: Final = 1.0
_SETTLE_S: Final = 0.4  # until the burst is over, and the workers share the rate


async def command(service: Service, client: Client, steps: Steps) -> tuple[Scene, Tally]:
    """Give the commands while requests flow, and say what became of them and of the requests.

    Raises:
        DemoError: the second version could not be published.
        PenstockError: a command could not be given.
    """
    flow = Flow(client, {"1": service.held_out[SWITCHED], "2": service.second})
    control = Control(
        service.bootstrap_servers, GROUP, key=service.folder / KEY_FILE, trusted_keys=service.folder / TRUSTED_FILE
    )
    with steps.step("Commands") as step:
        listener, scope = Listener(control, len(service.workers.urls)), f"tenant:{TENANT}"
        async with control, listener.listening(), flow.flowing():
            operator = _Operator(listener, flow)
            async with publishing(service.folder):
                await operator.limits(f"throttle {scope} {LIMIT:g}", control.throttle(scope, LIMIT, _BURST), LIMIT)
            await operator.limits(f"throttle {scope} --remove", control.unthrottle(scope), None)
            await operator.deploys(f"deploy {SWITCHED}@1", control.deploy(SWITCHED, "1"))
            await operator.deploys(
                f"deploy {SWITCHED}@2 --canary {_CANARY:g}", control.deploy(SWITCHED, "2", canary=_CANARY)
            )
            await operator.deploys(f"rollback {SWITCHED}", control.rollback(SWITCHED))
            await operator.deploys(f"deploy {SWITCHED}@2", control.deploy(SWITCHED, "2"))
        lost = misplaced(flow.answers, operator.deployments)
        applied = sum(not each.faults for each in operator.commanded)
        step.result = (
            f"{applied} of {len(operator.commanded)} done by all, {flow.tally.right.total():,} of "
            f"{flow.tally.wanted:,} answers right"
        )
    return Scene(operator.commanded, len(lost), _second(service)), flow.tally


class _Operator:
    """Gives commands, waits for the workers and looks at the answers."""

    def __init__(self, listener: Listener, flow: Flow) -> None:
        self._listener = listener
        self._flow = flow
        self.commanded: list[Commanded] = []
        self.deployments = [InForce(all_to("1"), float("-inf"))]  # as the settings say: all there was at the start

    async def deploys(self, said: str, order: Awaitable[Change]) -> None:
        """Give an order about versions, and look which of them answer."""
        start = time.monotonic()
        issued = await order
        split = _split(issued)
        before = self.deployments[-1]
        self.deployments.append(InForce(split, start))
        done = await self._acknowledged(issued)
        before.until = acked = time.monotonic()
        await asyncio.sleep(_LOOK_S)
        answered = versions(self._flow.answers, acked, time.monotonic())
        shares = {version: answered[version] / max(1, answered.total()) for version in split.versions}
        self.commanded.append(Commanded(said, *done, acked - start, shares=shares))

    async def limits(self, said: str, order: Awaitable[Change], limit: float | None) -> None:
        """Give an order about a limit, and look how many answers come."""
        start = time.monotonic()
        done = await self._acknowledged(await order)
        acked = time.monotonic()
        if limit is not None:
            await asyncio.sleep(_SETTLE_S)
        since = time.monotonic()
        await asyncio.sleep(_LOOK_S if limit is None else _LOOK_AT_RATE_S)
        found = rate(self._flow.answers, since, time.monotonic())
        self.commanded.append(Commanded(said, *done, acked - start, per_second=found, limit=limit))

    async def _acknowledged(self, issued: Change) -> tuple[int, int, list[str]]:
        """Return how many workers there are, how many did it, and what the others said."""
        acks = await self._listener.acks(issued)
        unlike = [f"{ack.worker} {ack.kind} {ack.reason}".rstrip() for ack in acks if ack.kind != "applied"]
        return len(acks), len(acks) - len(unlike), unlike


def _split(issued: Change) -> Split:
    assert isinstance(issued.after, Deployment)
    given = issued.after.versions
    return Split(tuple(each.version for each in given), tuple(each.weight for each in given), issued.after.salt)


def _second(service: Service) -> str:
    """Return what is told of the second version, with the first one's score beside its own."""
    first, second = (
        rows.score({row: rows.expected(row) for row in range(len(rows))})
        for rows in (service.held_out[SWITCHED], service.second)
    )
    return f"Version 2 was published meanwhile: {SECOND.algorithm}, R² {second:.3f}, before {first:.3f}"
