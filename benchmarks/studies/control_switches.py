"""Versions are switched, walked through as a canary, and shadowed, while requests flow."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from benchmarks.studies.control_answers import Answers, share_of_keys, sigmas_off, within
from benchmarks.studies.control_generator import Stream
from benchmarks.studies.control_load import Load
from benchmarks.studies.control_models import CANARY, FIRST, MODEL, SHADOW
from benchmarks.studies.control_scene import Order, applied, metric_of, ordered
from benchmarks.studies.flow import longest_gap_s, percentiles_ms
from benchmarks.studies.service import Service
from penstock.producer.control.control import Control

PERCENTS: Final = (1, 10, 50, 100)
WINDOW_S: Final = 1.0  # around a switch
_ROUNDS: Final = 2  # without a shadow and with one, in turn


@dataclass(frozen=True, slots=True)
class Pace:
    """How much is asked, and how long.

    Attributes:
        per_second: requests.
        keys: distinct ones.
        versions: that are switched to, in turn. What follows are seconds:
        between: two switches.
        step: of the canary.
        shadow: with a shadow, and as long without, each time.
    """

    per_second: float
    keys: int
    versions: Sequence[str]
    between: float
    step: float
    shadow: float


@dataclass(frozen=True, slots=True)
class Told:
    """What was ordered while requests flowed; monotonic seconds.

    Attributes:
        begun: the first request.
        switches, steps: the orders, in their turn; back is the one that takes the canary back.
        with_shadow, without_shadow: beginnings and ends.
    """

    begun: float
    switches: list[Order]
    steps: list[Order]
    back: Order
    with_shadow: list[tuple[float, float]]
    without_shadow: list[tuple[float, float]]


async def switched(services: Sequence[Service], load: Load, control: Control, pace: Pace) -> dict[str, Any]:
    """Play it, and return the figures."""
    begun = time.monotonic()
    await load.begin(Stream(pace.per_second, pace.keys))
    await asyncio.sleep(pace.between)
    switches = []
    for version in pace.versions:
        switches.append(applied(await ordered(control, control.deploy(MODEL, version))))
        await asyncio.sleep(pace.between)
    steps = []
    for percent in PERCENTS:
        order = control.promote(MODEL) if percent == 100 else control.deploy(MODEL, CANARY, canary=percent)
        steps.append(applied(await ordered(control, order)))
        await asyncio.sleep(pace.step)
    back = applied(await ordered(control, control.rollback(MODEL, stable=True)))
    quiet, shadowed = await _shadowed(control, pace)
    answers = await load.end()
    told = Told(begun, switches, steps, back, shadowed, quiet)
    shadow = await asyncio.to_thread(_shadow_counts, services)
    applied(await ordered(control, control.deploy(MODEL, FIRST)))
    return figures_of(answers, told) | {"asked_per_s": pace.per_second, "shadow": shadow | _shadow_p99(answers, told)}


async def _shadowed(control: Control, pace: Pace) -> tuple[list[tuple[float, float]], list[tuple[float, float]]]:
    """Set and take a shadow in turn, and return when there was none, and when there was one."""
    quiet, shadowed = [], []
    serving = pace.versions[-1]
    for _ in range(_ROUNDS):
        await asyncio.sleep(WINDOW_S)
        quiet.append((time.monotonic(), time.monotonic() + pace.shadow))
        await asyncio.sleep(pace.shadow)
        order = applied(await ordered(control, control.deploy(MODEL, serving, shadows=[SHADOW])))
        await asyncio.sleep(WINDOW_S)
        shadowed.append((order.acked + WINDOW_S, order.acked + WINDOW_S + pace.shadow))
        await asyncio.sleep(pace.shadow)
        applied(await ordered(control, control.deploy(MODEL, serving, shadows=())))
    return quiet, shadowed


def figures_of(answers: Answers, told: Told) -> dict[str, Any]:
    """Return what the orders have done to the requests."""
    flow = answers.flow
    windows = [_window(order) for order in told.switches]
    during, others = within(flow.between(told.begun, windows[-1][1]), windows)
    spans = zip([told.begun, *(end for _, end in windows)], (start for start, _ in windows), strict=False)
    ends = [order.asked for order in (*told.steps[1:], told.back)]
    steps = []
    for percent, order, end in zip(PERCENTS, told.steps, ends, strict=True):
        found = share_of_keys(answers, int(CANARY), order.acked, end)
        off = sigmas_off(found["of_version"], found["keys"], percent / 100)
        steps.append({"percent": percent, **found, "sigmas_off": off})
    return {
        **answers.counts(),
        "p50_ms": percentiles_ms(flow, 50)[0],
        "switch_p99_ms": percentiles_ms(during, 99)[0],
        "other_p99_ms": percentiles_ms(others, 99)[0],
        "gaps_ms": [longest_gap_s(flow.came, *window) * 1000 for window in windows],
        "other_gaps_ms": [longest_gap_s(flow.came, *span) * 1000 for span in spans if span[1] > span[0]],
        "acked_s": [order.acked - order.asked for order in (*told.switches, *told.steps, told.back)],
        "written_s": [order.written - order.asked for order in (*told.switches, *told.steps, told.back)],
        "steps": steps,
    }


def _window(order: Order) -> tuple[float, float]:
    """Return the second around a switch: it lies between the command's place in the log and the last ack."""
    middle = (order.written + order.acked) / 2
    return min(order.written, middle - WINDOW_S / 2), max(order.acked, middle + WINDOW_S / 2)


def _shadow_p99(answers: Answers, told: Told) -> dict[str, float]:
    shadowed, _ = within(answers.flow, told.with_shadow)
    quiet, _ = within(answers.flow, told.without_shadow)
    return {"p99_ms": percentiles_ms(shadowed, 99)[0], "without_p99_ms": percentiles_ms(quiet, 99)[0]}


def _shadow_counts(services: Sequence[Service]) -> dict[str, float]:
    name = "penstock_shadow_requests_total"
    answered = sum(metric_of(service, name) for service in services)
    good = sum(metric_of(service, name, outcome="ok") for service in services)
    dropped = sum(metric_of(service, "penstock_shadow_dropped_total") for service in services)
    return {"answered": good, "failed": answered - good, "dropped": dropped}
