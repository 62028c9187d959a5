"""What the study of control has found, a row for each thing that was wanted."""

import statistics
from collections.abc import Mapping, Sequence
from typing import Any, Final

Figures = Mapping[str, Any]

COUNTS: Final = {"failed": "failed", "lost": "lost", "doubles": "double", "wrong": "wrong"}


def wanted_rows(figures: Figures) -> list[Sequence[str]]:
    """Return what, how much is wanted, and what was found."""
    return [
        *_of_switches(figures["switches"]),
        *(row for throttle in figures["throttles"] for row in _of_throttle(throttle)),
        *_of_faults(figures["refused"], figures["killed"]),
        *_of_history(figures["history"]),
    ]


def _of_switches(found: Figures) -> list[Sequence[str]]:
    """What happened while versions were switched."""
    shadow = found["shadow"]
    gaps, others, steps = found["gaps_ms"], found["other_gaps_ms"], found["steps"]
    sigmas = [step["sigmas_off"] for step in steps]
    return [
        ("requests failed / lost / answered twice / wrong", "0", " / ".join(f"{found[count]:,}" for count in COUNTS)),
        ("share of keys that the canary got, off by sigmas: the worst step", "3", _shown(_worst(sigmas), ".2f")),
        ("keys that saw both versions within a step", "0", f"{sum(step['both'] for step in steps):,}"),
        ("p99 in the second around a switch / otherwise", "2 x", _ratio(found, "switch_p99_ms", "other_p99_ms")),
        ("longest gap without replies at a switch, ms: min / median / max", "100", _spread(gaps, "{:.0f}")),
        ("the same between switches, ms", "", _spread(others, "{:.0f}")),
        ("from asking to the last ack, s: min / median / max", "1", _spread(found["acked_s"], "{:.2f}")),
        ("of it until the command stands in the log, s", "", _spread(found["written_s"], "{:.2f}")),
        (
            "p99 with a shadow that sleeps and fails / without",
            "same",
            _ratio(shadow, "p99_ms", "without_p99_ms"),
        ),
        (
            "copies that the shadow answered / failed / dropped",
            "",
            " / ".join(f"{shadow[name]:,.0f}" for name in ("answered", "failed", "dropped")),
        ),
    ]


def _of_throttle(found: Figures) -> list[Sequence[str]]:
    where = "one partition" if found["on_one"] else "all partitions"
    off = found["held_per_s"] / found["rows_per_s"] - 1
    beside = _ratio(found, "beside_p99_ms", "alone_p99_ms")
    return [
        (
            f"throttle of {found['rows_per_s']:,.0f} rows/s, {where}: held, rows/s",
            "10 %",
            f"{found['held_per_s']:,.0f} ({off:+.1%})",
        ),
        (f"{where}: refused as THROTTLED, since they could not wait", "", f"{found['errors'].get('THROTTLED', 0):,}"),
        (f"{where}: full rate after the throttle was taken away, s", "2", _shown(found["full_again_s"], ".2f")),
        (f"{where}: p99 of another tenant / alone", "1.5 x", beside),
        *_beside_elsewhere(found),
        (f"{where}: its p99 without that throttle, ms", "", _shown(found["unthrottled_p99_ms"], ".1f")),
        (f"{where}: its longest wait when the throttle is taken away, ms", "", _shown(found["freed_wait_ms"], ".0f")),
    ]


def _beside_elsewhere(found: Figures) -> list[Sequence[str]]:
    if "elsewhere_p99_ms" not in found:
        return []
    ratio = _ratio(found, "beside_p99_ms", "elsewhere_p99_ms")
    return [("one partition: p99 of another tenant / with the flood on a partition beside", "1.5 x", ratio)]


def _of_faults(refused: Figures, killed: Figures) -> list[Sequence[str]]:
    return [
        *((f"a version that is {_a(what)}", "failed", " and ".join(order["acks"])) for what, order in _orders(refused)),
        ("versions that answered meanwhile", "1", ", ".join(map(str, refused["versions"]))),
        ("killed in the middle of a switch and back: same digest and version", "yes", _same(killed)),
        ("from its start to the right state / all partitions served again, s", "", _times(killed)),
    ]


def _of_history(found: Figures) -> list[Sequence[str]]:
    ready, count = found["ready_s"], f"{found['commands']:,} commands"
    return [
        (f"ready with {count}, signed, with snapshots, s", "10", f"{ready['snapshot']:.1f}"),
        (f"ready with {count}, signed, without a snapshot, s", "", f"{ready['signed']:.1f}"),
        (f"ready with {count}, not signed, without a snapshot, s", "", f"{ready['unsigned']:.1f}"),
        ("ready without any command, s", "", f"{ready['empty']:.1f}"),
        (f"the first order after {count} without a snapshot, s", "", f"{ready['command']:.1f}"),
        (f"a rollback, which looks for what was before among {count}, s", "", f"{ready['rollback']:.1f}"),
    ]


def run_rows(figures: Figures) -> list[Sequence[str]]:
    """Return what was asked of each run, and what was counted."""
    throttles = {f"throttle, {'one partition' if each['on_one'] else 'spread'}": each for each in figures["throttles"]}
    named = {"switches": figures["switches"], **throttles, "faults": figures["refused"], "kill": figures["killed"]}
    return [
        [
            name,
            f"{run['asked_per_s']:,.0f}",
            f"{run['sent_per_s']:,.0f}",
            f"{run['late_p99_ms']:.1f}",
            *(f"{run[count]:,}" for count in ("requests", *COUNTS)),
        ]
        for name, run in named.items()
    ]


def step_rows(figures: Figures) -> list[Sequence[str]]:
    """Return the steps of the canary."""
    return [
        (
            f"{step['percent']} %",
            f"{step['keys']:,}",
            f"{step['of_version']:,}",
            _shown(step["sigmas_off"], ".2f"),
            f"{step['both']:,}",
        )
        for step in figures["switches"]["steps"]
    ]


def _orders(refused: Figures) -> list[tuple[str, Figures]]:
    return list(refused["orders"].items())


def _a(what: str) -> str:
    return {"not ONNX": "no ONNX", "tampered": "not what was published", "other inputs": "of other inputs"}[what]


def _same(killed: Figures) -> str:
    right = [["serving", killed["wanted"], 1.0]]
    if len(killed["digests"]) != 1 or any([list(one) for one in each] != right for each in killed["serving"]):
        return "NO"
    return "yes" if killed["in_the_middle"] else "yes, but it had switched before it died"


def _times(killed: Figures) -> str:
    return f"{killed['back_s']:.1f} / {killed['whole_s']:.1f}"


def _worst(values: Sequence[float | None]) -> float | None:
    found = [value for value in values if value is not None]
    return max(found) if len(found) == len(values) else None


def _shown(value: float | None, form: str) -> str:
    """Write a number; JSON has none for what is infinite, or was not there to be measured."""
    return "none" if value is None else format(value, form)


def _ratio(found: Figures, one: str, other: str) -> str:
    ratio = found[one] / found[other] if found[one] and found[other] else None
    return f"{_shown(found[one], '.1f')} / {_shown(found[other], '.1f')} ms: {_shown(ratio, '.2f')} x"


def _spread(values: Sequence[float], form: str) -> str:
    found = (min(values), statistics.median(values), max(values))
    return " / ".join(form.format(value) for value in found)
