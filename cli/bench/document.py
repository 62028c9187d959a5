"""What a run found, as JSON has it. Pure."""

import math
from typing import Any

from penstock.cli.bench.histogram import Histogram, Spread
from penstock.cli.bench.lag import Lag
from penstock.cli.bench.load import Figures
from penstock.cli.bench.plan import Outcome, Plan, Step
from penstock.cli.bench.recorder import Window


def document(plan: Plan, outcome: Outcome) -> dict[str, Any]:
    """Return the whole document: of a load its figures, of a ramp those of each step. Times are milliseconds."""
    pool = outcome.pool
    assert pool is not None
    head = {
        "model": outcome.model,
        "mode": "ramp" if plan.steps is not None else "rate" if plan.load.rate is not None else "concurrency",
        "request_topic": plan.lane.requests,
        "reply_topic": outcome.replies,
        "timeout_s": plan.lane.timeout_s,
        "requests": {
            "different": len(pool.values),
            "rows": pool.rows,
            "bytes": round(pool.value_bytes, 1),
            "raw": pool.raw,
            "origin": pool.origin,
        },
        "objectives": [each.text for each in plan.objectives],
        "group": plan.group,
        "lag": {"before": _lag(outcome.lag_before), "after": _lag(outcome.lag_after)},
        "late_replies": outcome.late,
    }
    if plan.steps is None:
        return {**head, **(_step(outcome.steps[0], pool.rows) if outcome.steps else {})}
    climb = outcome.climb
    return {
        **head,
        "highest_rate_held": climb and climb.held,
        "lowest_rate_broken": climb and climb.broken,
        "cut": outcome.cut or None,
        "steps": [_step(step, pool.rows) for step in outcome.steps],
    }


def _step(step: Step, rows: float) -> dict[str, Any]:
    figures, verdict = step.figures, step.verdict
    return {
        "rate": figures.load.rate,
        "concurrency": figures.load.concurrency,
        "seconds": round(figures.sent_s, 3),
        "warm_up_s": figures.load.warm_up_s,
        "sent": figures.sent,
        "answered": figures.answered,
        "errors": dict(figures.errors),
        "messages": dict(figures.messages),
        "lost": figures.lost,
        "in_flight": figures.open,
        "sent_per_s": round(figures.sent_per_s, 2),
        "answered_per_s": round(figures.answered_per_s, 2),
        "rows_per_s": round(figures.answered_per_s * rows, 2),
        "latency_ms": _times(figures.latency),
        "left_late_ms": _times(figures.late),
        "acknowledged_ms": _times(figures.acknowledged),
        "generator_cores": round(figures.cpu, 3),
        "held": verdict.held,
        "broken_by": verdict.cause,
        "reason": verdict.reason or None,
        "stopped": "interrupted" if figures.interrupted else figures.stopped or None,
        "timeline": [_window(window, figures) for window in figures.windows],
    }


def _window(window: Window, figures: Figures) -> dict[str, Any]:
    return {
        "at_s": window.at_s,
        "seconds": figures.window_s,
        "sent": window.sent,
        "answered": window.answered,
        "failed": window.failed,
        "latency_ms": _spread(window.latency),
    }


def _times(times: Histogram) -> dict[str, float | None]:
    return {**_spread(times.spread()), "mean": _ms(times.mean_s)}


def _spread(spread: Spread) -> dict[str, float | None]:
    names = ("p50", "p90", "p99", "p99.9", "max")
    return {name: _ms(each) for name, each in zip(names, spread, strict=True)}


def _ms(seconds: float) -> float | None:
    return None if math.isnan(seconds) else round(seconds * 1000, 3)


def _lag(lag: Lag | None) -> int | None:
    return None if lag is None else lag.waiting
