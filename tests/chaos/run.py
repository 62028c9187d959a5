"""`make chaos`: every fault, one after the other, on one cluster, until the minutes are over."""

import argparse
import asyncio
import itertools
import logging
import sys
import tempfile
import time
from pathlib import Path

from tests.chaos.cluster import FaultyCluster
from tests.chaos.faults.catalogue import CATALOGUE, Planned
from tests.chaos.models import make_models
from tests.chaos.oracle import Delivery
from tests.chaos.schedule import fits, turns
from tests.chaos.trial import Verdict, attempt

PICTURES = Path("build/chaos")


def main() -> int:
    """Run, and return the exit status: 1 where a fault found something, or had no effect."""
    parser = argparse.ArgumentParser(prog="make chaos", description=__doc__)
    parser.add_argument("--minutes", type=float, default=20.0, help="the whole run, beginning and end included")
    parser.add_argument("--seed", type=int, default=7, help="of the order, and of everything that a fault draws")
    parser.add_argument("--delivery", choices=("at-least-once", "exactly-once"), default="at-least-once")
    parser.add_argument("--only", default="", help="ranks of faults, as 1,2,9; the others are left out")
    parser.add_argument("--picture", action="store_true", help="draw each run, not only those that failed")
    chosen = parser.parse_args()
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # brokers that are away are the point of it
    verdicts = asyncio.run(_run(chosen))
    return summarize(verdicts)


async def _run(chosen: argparse.Namespace) -> list[Verdict]:
    end = time.monotonic() + chosen.minutes * 60
    delivery: Delivery = chosen.delivery
    ranks = {int(rank) for rank in chosen.only.split(",") if rank}
    catalogue = [each for each in CATALOGUE if each.suits(delivery) and (not ranks or each.make().rank in ranks)]
    print(f"seed {chosen.seed}, {chosen.minutes:g} minutes, {delivery}, {len(catalogue)} faults", flush=True)
    verdicts, done = list[Verdict](), list[Planned]()
    with tempfile.TemporaryDirectory(prefix="penstock-chaos-models-") as folder:
        models = make_models(Path(folder) / "models")
        async with FaultyCluster() as cluster:
            for number, turn in enumerate(turns(catalogue, chosen.seed)):
                left_s = end - time.monotonic()
                if not any(fits(planned, left_s) for planned in catalogue) or (ranks and number >= len(catalogue)):
                    break
                if not fits(turn.planned, left_s):
                    continue
                done.append(turn.planned)
                fault = turn.planned.make()
                print(f"{number + 1:3} {fault!r}, seed {turn.seed}", flush=True)
                verdict = await attempt(cluster, fault, models, delivery=delivery, seed=turn.seed, say=_say)
                print(f"    {'FAILED' if verdict.findings else 'held'}: {verdict}", flush=True)
                verdicts.append(verdict)
                if verdict.findings or chosen.picture:
                    draw(verdict)
    for planned in catalogue:
        if planned not in done:
            print(f"left out, for want of time: {planned.make()!r}")
    return verdicts


def _say(line: str) -> None:
    print(line, flush=True)


def draw(verdict: Verdict) -> None:
    """Draw what happened when, and say where that is."""
    if verdict.timeline is not None:
        names = (f"{verdict.fault.rank}-{number}.png" for number in itertools.count(1))
        path = next(PICTURES / name for name in names if not (PICTURES / name).exists())
        verdict.timeline.draw(path, repr(verdict.fault))
        print(f"    drawn: {path}", flush=True)


def summarize(verdicts: list[Verdict]) -> int:
    """Print a line for each fault, and return the exit status."""
    failed = [verdict for verdict in verdicts if verdict.findings]
    print("\nrank  requests  doubles  aborted  seconds  fault")
    for each in sorted(verdicts, key=lambda verdict: verdict.fault.rank):
        state = "" if not each.findings else f"  FAILED, {len(each.findings)} findings"
        counts = f"{each.fault.rank:4}  {each.requests:8,}  {each.doubles:7,}  {each.aborted:7,}  {each.took_s:7.0f}"
        print(f"{counts}  {each.fault.name}{state}")
    total = sum(verdict.requests for verdict in verdicts)
    print(f"{len(verdicts) - len(failed)} of {len(verdicts)} held, {total:,} requests")
    return 1 if failed or not verdicts else 0


if __name__ == "__main__":
    sys.exit(main())
