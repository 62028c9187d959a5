"""The rounds of each part: all contestants once, then all of them again, so that a slow minute hits every one."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.plan import Plan
from benchmarks.results import Run, spread, with_ratios
from benchmarks.roster import REFERENCE, Contestant
from benchmarks.runs import Bench, alone_run, latency_run, rate_run
from benchmarks.serving import headers_of
from benchmarks.table import ratio, thousands
from benchmarks.workload import MODEL, Workload, named, title


def measure(bench: Bench, plan: Plan, models: Path) -> Iterator[list[Run]]:
    """Measure part by part; each list of runs is whole, and may be kept whatever happens next.

    Raises:
        ContestantError: one did not do its part.
    """
    if "rates" in plan.parts:
        for workload in plan.workloads:
            if any(workload in each.workloads for each in plan.contestants):
                yield rates(bench, plan, workload, named(models, workload))
    if "latency" in plan.parts and any(map(_has_latency, plan.contestants)):
        for per_second in plan.rates:
            yield latencies(bench, plan, named(models, "tj"), per_second)
    if "memory" in plan.parts and any(not each.module for each in plan.contestants):
        yield memory(bench, plan, Workload(models / MODEL))


def rates(bench: Bench, plan: Plan, name: str, workload: Workload) -> list[Run]:
    """Measure the rates of one workload."""
    contestants = [each for each in plan.contestants if name in each.workloads]
    _say(f"\n{title(name)}: {plan.requests(name):,} requests waiting, one process each. Requests a second")
    topics: dict[Any, str] = {}
    runs: list[Run] = []
    for turn in range(1, plan.rounds + 1):
        for who in contestants:
            _say(f"  round {turn}  {who.title:<28}", end="")
            count = max(1, int(plan.requests(name) * who.share))
            if who.in_kafka:
                if (kind := (who.headers, count)) not in topics:
                    topics[kind] = bench.filled(workload, count, headers_of(who, workload))
                found = rate_run(bench, who, workload, topics[kind], count)
            else:
                found = alone_run(who, workload, count)
            runs.append({"part": "rate", "workload": name, "contestant": who.name, "round": turn, **found})
            _say(_rate_line(found))
    bench.topics.drop(*topics.values())
    runs = with_ratios(runs, REFERENCE)
    for who in contestants:
        own = [run for run in runs if run["contestant"] == who.name]
        quotients = spread([run["ratio"] for run in own if "ratio" in run])
        beside = f"; to the expert loop {ratio(quotients)}" if quotients is not None else ""
        _say(f"  all     {who.title:<28}{thousands(spread([run['per_second'] for run in own]))}{beside}")
    return runs


def latencies(bench: Bench, plan: Plan, workload: Workload, per_second: int) -> list[Run]:
    """Measure latency at one rate."""
    _say(f"\nT J at {per_second:,}/s for {plan.seconds:g} s. Milliseconds p50 / p90 / p99")
    runs: list[Run] = []
    for turn in range(1, plan.latency_rounds + 1):
        for who in filter(_has_latency, plan.contestants):
            _say(f"  round {turn}  {who.title:<28}", end="")
            found = latency_run(bench, who, workload, per_second=per_second, seconds=plan.seconds)
            subject = {"part": "latency", "workload": "tj", "contestant": who.name, "at": per_second}
            runs.append({**subject, "round": turn, **found})
            late = f"   (requests left up to {found['late_ms']:.1f} ms late)" if found["late_ms"] > 1 else ""
            _say(f"{found['p50_ms']:7.2f} / {found['p90_ms']:6.2f} / {found['p99_ms']:6.2f}{late}")
    return runs


def memory(bench: Bench, plan: Plan, workload: Workload) -> list[Run]:
    """Measure Penstock's peak memory by the backlog it finds."""
    _say("\nT J, peak memory by the requests that wait")
    runs: list[Run] = []
    for who in (each for each in plan.contestants if not each.module):
        for backlog in plan.backlogs:
            _say(f"  {backlog:>9,} waiting  {who.title:<28}", end="")
            requests = bench.filled(workload, backlog, [])
            found = rate_run(bench, who, workload, requests, backlog)
            bench.topics.drop(requests)
            subject = {"part": "memory", "workload": "tj", "contestant": who.name, "at": backlog}
            runs.append({**subject, "round": 1, **found})
            _say(_rate_line(found))
    return runs


def _has_latency(who: Contestant) -> bool:
    return not who.limit and "tj" in who.workloads


def _rate_line(found: dict[str, Any]) -> str:
    cpu = f"{found['cpu_us']:8.1f} us CPU each" if "cpu_us" in found else " " * 20
    return f"{found['per_second']:>11,.0f}/s {cpu} {found['peak_mib']:8.0f} MiB"


def _say(text: str, end: str = "\n") -> None:
    print(text, end=end, flush=True)
