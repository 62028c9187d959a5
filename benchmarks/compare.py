"""Penstock's worker beside the loop an expert writes by hand, interleaved, on one embedded broker.

    make bench                                  both measurements
    make bench ARGS="--count 100000 --pairs 3"  smaller

Absolute figures say little on a shared machine; the ratios, taken pair by pair in one run, are the result.
"""

import argparse
import asyncio
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.contestants import NAMES, serving
from benchmarks.measure import latencies, rate
from benchmarks.workload import MODEL, PARTITIONS, Workload
from penstock.broker import EmbeddedKafka
from penstock.transport.topics import create_topics


async def main(count: int, pairs: int, rates: list[int], seconds: float) -> None:
    """Run and print everything."""
    with tempfile.TemporaryDirectory(prefix="penstock-bench-") as name:
        folder = Path(name)
        training = [sys.executable, "-m", "penstock.cli.demo.models", str(folder), MODEL]
        await asyncio.to_thread(subprocess.run, training, check=True)
        workload = Workload(folder)
        async with EmbeddedKafka() as kafka:
            bootstrap = kafka.bootstrap_servers
            await create_topics({"bootstrap_servers": bootstrap}, {"requests": PARTITIONS})
            await asyncio.to_thread(workload.fill, bootstrap, "requests", count)
            await _compare_rates(bootstrap, folder, workload, count, pairs)
            for per_second in rates:
                await _compare_latencies(
                    bootstrap, folder, workload, per_second=per_second, seconds=seconds, pairs=pairs
                )


async def _compare_rates(bootstrap: str, folder: Path, workload: Workload, count: int, pairs: int) -> None:
    print(f"\nT J, {count} requests waiting, one process: requests a second")
    ratios = []
    for pair in range(pairs):
        found = {}
        for name in NAMES:
            replies = f"rate-{pair}-{NAMES.index(name)}"
            await _make_replies(bootstrap, replies)
            with serving(name, bootstrap, "requests", replies, folder):
                found[name] = await asyncio.to_thread(rate, bootstrap, replies, workload, count)
            if found[name].missing or found[name].wrong:
                raise SystemExit(f"{name}: {found[name]}")
        ratios.append(found["Penstock"].per_second / found["expert loop"].per_second)
        line = ", ".join(f"{name} {each.per_second:,.0f}" for name, each in found.items())
        print(f"  pair {pair + 1}: {line}; ratio {ratios[-1]:.2f}", flush=True)
    print(f"  ratio: median {statistics.median(ratios):.2f}, {min(ratios):.2f} to {max(ratios):.2f}")


async def _compare_latencies(
    bootstrap: str, folder: Path, workload: Workload, *, per_second: int, seconds: float, pairs: int
) -> None:
    print(f"\nT J at {per_second}/s, milliseconds p50 / p99")
    ratios = []
    for pair in range(pairs):
        found = {}
        for name in NAMES:
            tag = f"{per_second}-{pair}-{NAMES.index(name)}"
            await create_topics({"bootstrap_servers": bootstrap}, {f"asked-{tag}": PARTITIONS})
            await _make_replies(bootstrap, f"told-{tag}")
            with serving(name, bootstrap, f"asked-{tag}", f"told-{tag}", folder):
                taken = await asyncio.to_thread(
                    latencies, bootstrap, f"asked-{tag}", f"told-{tag}", workload,
                    per_second=per_second, seconds=seconds,
                )  # fmt: skip
            if (taken < 0).any():
                raise SystemExit(f"{name}: {(taken < 0).sum()} requests were not answered")
            found[name] = np.percentile(taken, [50, 99])
        ratios.append(found["Penstock"] / found["expert loop"])
        line = ", ".join(f"{name} {each[0]:.2f} / {each[1]:.1f}" for name, each in found.items())
        print(f"  pair {pair + 1}: {line}; ratio {ratios[-1][0]:.2f} / {ratios[-1][1]:.2f}", flush=True)
    middle = np.median(np.array(ratios), axis=0)
    print(f"  ratio: median {middle[0]:.2f} / {middle[1]:.2f}")


async def _make_replies(bootstrap: str, topic: str) -> None:
    await create_topics(
        {"bootstrap_servers": bootstrap}, {topic: PARTITIONS}, configs={"message.timestamp.type": "LogAppendTime"}
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=200_000, help="requests for the rate")
    parser.add_argument("--pairs", type=int, default=3, help="interleaved pairs of each measurement")
    parser.add_argument("--rates", type=int, nargs="*", default=[200, 1000], help="requests a second for latency")
    parser.add_argument("--seconds", type=float, default=15.0, help="how long each latency run lasts")
    given = parser.parse_args()
    asyncio.run(main(given.count, given.pairs, given.rates, given.seconds))
