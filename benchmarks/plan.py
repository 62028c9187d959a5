"""What is to be measured, as the command line says."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.page import FOLDER
from benchmarks.roster import CONTESTANTS, Contestant, chosen
from benchmarks.workload import WORKLOADS

PARTS = ("rates", "latency", "memory")
COUNTS = {"tj": 200_000, "vj": 50_000, "tb": 200_000, "vb": 100_000}
_QUICK_COUNT, _QUICK_S, _QUICK_BACKLOGS = 5_000, 3.0, [5_000, 20_000]

_DESCRIPTION = """\
Penstock's worker beside its peers, interleaved, on one embedded broker.

    make bench                                                  everything; some 45 minutes on two cores
    make bench ARGS="--quick"                                   a small run that only prints
    make bench ARGS="--parts rates --workloads tj vj"           a part; it replaces that part of the results
    make bench ARGS="--contestants expert penstock quix"        those; ratios need `expert`
    make bench ARGS="--draw"                                    tables and charts again, from the results there are

Absolute figures say little on a shared machine; the ratios, taken round by round in one run, are the result.
"""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to measure.

    Attributes:
        parts, workloads, contestants: which.
        count: requests of a rate run, in place of the defaults.
        rounds: of rates.
        latency_rounds: of latency.
        rates: requests a second, of latency.
        seconds: how long a latency run counts.
        backlogs: requests waiting, of memory.
        quick: print only.
        draw: measure nothing.
        output: folder of the results.
    """

    parts: list[str]
    workloads: list[str]
    contestants: list[Contestant]
    count: int | None
    rounds: int
    latency_rounds: int
    rates: list[int]
    seconds: float
    backlogs: list[int]
    quick: bool
    draw: bool
    output: Path

    def requests(self, workload: str) -> int:
        """Return how many requests a rate run of a workload has."""
        return self.count or COUNTS[workload]


def read_plan(arguments: Sequence[str]) -> Plan:
    """Read the command line; ends the program where it is wrong."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.compare",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    listed = ", ".join(f"{each.name}{' (on request)' if each.on_request else ''}" for each in CONTESTANTS.values())
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS), metavar="PART", help=", ".join(PARTS))
    parser.add_argument(
        "--workloads",
        nargs="+",
        choices=WORKLOADS,
        default=list(WORKLOADS),
        metavar="WORKLOAD",
        help=", ".join(WORKLOADS),
    )
    parser.add_argument("--contestants", nargs="+", choices=CONTESTANTS, metavar="NAME", help=listed)
    parser.add_argument("--count", type=positive, help="requests of a rate run; by default " + _defaults())
    parser.add_argument("--rounds", type=positive, help="rounds of rates; 5 by default")
    parser.add_argument("--latency-rounds", type=positive, help="rounds of latency; 3 by default")
    parser.add_argument("--rates", type=positive, nargs="+", default=[200, 1000], help="requests a second, of latency")
    parser.add_argument("--seconds", type=seconds, help="how long a latency run counts; 15 by default")
    parser.add_argument("--backlogs", type=positive, nargs="+", help="requests waiting, of memory; 100000 and 1000000")
    parser.add_argument("--quick", action="store_true", help="5,000 requests, one round; print only")
    parser.add_argument("--draw", action="store_true", help="measure nothing; write tables and charts again")
    parser.add_argument("--output", type=Path, default=FOLDER, help="folder of the results; docs/benchmarks by default")
    given = parser.parse_args(arguments)
    quick = given.quick
    return Plan(
        parts=given.parts,
        workloads=given.workloads,
        contestants=chosen(given.contestants),
        count=given.count or (_QUICK_COUNT if quick else None),
        rounds=given.rounds or (1 if quick else 5),
        latency_rounds=given.latency_rounds or (1 if quick else 3),
        rates=given.rates,
        seconds=given.seconds or (_QUICK_S if quick else 15.0),
        backlogs=given.backlogs or (_QUICK_BACKLOGS if quick else [100_000, 1_000_000]),
        quick=quick,
        draw=given.draw,
        output=given.output,
    )


def positive(text: str) -> int:
    """Return a whole number above 0."""
    if (number := int(text)) < 1:
        raise ValueError(text)
    return number


def seconds(text: str) -> float:
    """Return a number of seconds from 1 up."""
    if not 1 <= (number := float(text)) <= 3600:
        raise ValueError(text)
    return number


def _defaults() -> str:
    return ", ".join(f"{name} {count:,}" for name, count in COUNTS.items())
