"""A whole run: connect, look whether anybody answers, send one load or a ramp of them, and disconnect."""

import asyncio
import gc
import selectors
import sys
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from typing import Final

from penstock.cli.bench.climb import Climb, Steps
from penstock.cli.bench.guard import Guard
from penstock.cli.bench.lag import LagReader
from penstock.cli.bench.load import Load
from penstock.cli.bench.measuring import Measuring
from penstock.cli.bench.objective import Objective
from penstock.cli.bench.own_topic import own_reply_topic
from penstock.cli.bench.plan import Outcome, Plan, Step
from penstock.cli.bench.probe import begin, recovered
from penstock.cli.bench.progress import Progress
from penstock.cli.bench.traffic import Traffic
from penstock.cli.bench.verdict import Cause, judge

_RECOVER_S: Final = 60.0
_SWITCH_S: Final = 0.0005  # for how long a thread that draws may keep requests from leaving


def precise_loop() -> asyncio.AbstractEventLoop:
    """Make an event loop that wakes up in time: select takes microseconds, epoll rounds up to milliseconds."""
    return asyncio.SelectorEventLoop(selectors.SelectSelector())


async def bench(plan: Plan, outcome: Outcome, progress: Progress) -> None:
    """Carry a plan out. What has been measured stands in `outcome`, however this ends.

    Raises:
        BenchError, TransportError: there is nothing to measure.
    """
    async with AsyncExitStack() as stack:
        stack.enter_context(progress)
        progress.say("connecting")
        lane = plan.lane
        if plan.own_topic:
            topic = await stack.enter_async_context(own_reply_topic(plan.kafka.client_options(), lane.replies))
            lane = lane._replace(replies=topic)
        outcome.replies = lane.replies
        traffic = Traffic(plan.kafka, lane)
        stack.push_async_callback(traffic.close)
        await traffic.start()
        lag = LagReader(plan.kafka, plan.group, lane.requests)
        stack.push_async_callback(lag.close)
        progress.say("first requests")
        outcome.model, outcome.pool = await begin(traffic, lane, plan.inputs, raw=plan.raw)
        outcome.lag_before = await lag.read()
        stack.enter_context(undisturbed())
        try:
            if plan.steps is None:
                await _one(plan, traffic, lag, outcome, progress)
            else:
                await _ramp(plan, plan.steps, traffic, lag, outcome, progress)
        finally:
            outcome.late = traffic.flights.late


@contextmanager
def undisturbed() -> Iterator[None]:
    """Keep Python from looking through all its objects, and threads from keeping the loop waiting."""
    before_s = sys.getswitchinterval()
    gc.collect()
    gc.freeze()
    sys.setswitchinterval(_SWITCH_S)
    try:
        yield
    finally:
        sys.setswitchinterval(before_s)
        gc.unfreeze()


async def _one(plan: Plan, traffic: Traffic, lag: LagReader, outcome: Outcome, progress: Progress) -> None:
    measuring = Measuring(traffic, plan.load, Guard(plan.lane.timeout_s, plan.max_in_flight))

    async def at_end() -> None:
        outcome.lag_after = await lag.read()

    try:
        await measuring.run(progress.show, at_end)
    finally:
        _keep(outcome, measuring, plan.objectives)


async def _ramp(
    plan: Plan, steps: Steps, traffic: Traffic, lag: LagReader, outcome: Outcome, progress: Progress
) -> None:
    climb = outcome.climb = Climb(steps)
    guard = Guard(plan.lane.timeout_s, plan.max_in_flight, plan.objectives)
    while (rate := climb.next()) is not None:
        load = Load(rate, None, plan.load.seconds, plan.load.warm_up_s)
        measuring = Measuring(traffic, load, guard)
        try:
            await measuring.run(progress.show)
        except asyncio.CancelledError:
            outcome.cut = "it was stopped"
            raise
        step = _keep(outcome, measuring, plan.objectives)
        progress.ended(step.figures, step.verdict)
        climb.took(rate, held=step.verdict.held)
        if step.verdict.cause is Cause.GENERATOR:
            break  # what lies between would be about the generator
        if not step.verdict.held and climb.next() is not None:
            progress.say("waiting until the service has recovered")
            if not await recovered(traffic, _RECOVER_S):
                outcome.cut = f"the service had not recovered after {_RECOVER_S:g} s"
                break
    outcome.lag_after = await lag.read()


def _keep(outcome: Outcome, measuring: Measuring, objectives: tuple[Objective, ...]) -> Step:
    figures = measuring.figures()
    step = Step(figures, judge(figures, objectives))
    if figures.sent or figures.stopped:
        outcome.steps.append(step)
    return step
