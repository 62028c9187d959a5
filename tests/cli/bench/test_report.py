"""What is printed and drawn of a run."""

import importlib.util
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest
import typer

from penstock.cli.bench.climb import Climb, Steps
from penstock.cli.bench.document import document
from penstock.cli.bench.flights import Leaving
from penstock.cli.bench.inputs import MadeUpInputs, Pool
from penstock.cli.bench.lag import Lag
from penstock.cli.bench.lane import Lane
from penstock.cli.bench.load import Ending, Figures, Load, figures_of
from penstock.cli.bench.objective import parse
from penstock.cli.bench.plan import Outcome, Plan, Step
from penstock.cli.bench.plot import check, write_plot
from penstock.cli.bench.recorder import Recorder
from penstock.cli.bench.report import report
from penstock.cli.bench.verdict import judge
from penstock.cli.extras import explain_missing
from penstock.core.model import Signature
from penstock.transport.settings import KafkaSettings

OBJECTIVES = (parse("p99=50ms"), parse("errors=0.1%"))
PLAN = Plan(
    kafka=KafkaSettings(),
    lane=Lane("requests", "replies", "iris", None, 10.0),
    group="my-service",
    inputs=MadeUpInputs(Signature((), (), batched=False), 1, {}),
    raw=False,
    own_topic=False,
    load=Load(500.0, None, 4.0, 2.0),
    steps=None,
    objectives=OBJECTIVES,
    max_in_flight=100_000,
)
POOL = Pool((b"x" * 110,), 2, False, "rows made up from the model's signature")


def figures(load: Load, took_s: float, *, errors: int = 0, lost: int = 0, stopped: str = "") -> Figures:
    """Of a load whose answers took from half that long up to that long."""
    recorder = Recorder(0.0, load.seconds)
    for second in range(int(load.seconds)):
        leaving = Leaving(float(second), second + 0.0004)
        recorder.leave(leaving, 500)
        dues = second + took_s * np.linspace(0, 0.5, 500)
        recorder.answer([Leaving(due, due + 0.0004) for due in dues], second + took_s)
    recorder.acknowledge(500, 0.002, 1.0)
    for _ in range(errors):
        recorder.fail(leaving, "MODEL_FAILED", "the model raised", 3.0)
    recorder.lose([leaving] * lost, 3.5)
    return figures_of(load, recorder, Ending(load.seconds, 0.4, stopped=stopped))


def outcome(*steps: Figures, **more: Any) -> Outcome:
    made = Outcome("iris@1", POOL, "replies", [Step(each, judge(each, OBJECTIVES)) for each in steps])
    made.lag_before, made.lag_after = Lag(0), Lag(1204)
    return replace(made, **more)


@pytest.fixture
def ramp() -> tuple[Plan, Outcome]:
    loads = [figures(Load(rate, None, 4.0, 1.0), rate / 40_000) for rate in (500.0, 1000.0, 4000.0, 2000.0)]
    climb = Climb(Steps(500.0), held=2000.0, broken=4000.0)
    return replace(PLAN, steps=climb.steps), outcome(*loads, climb=climb)


def test_page_has_every_figure_in_eighty_columns():
    lines = report(PLAN, outcome(figures(PLAN.load, 0.04, errors=1, lost=3)))
    page = "\n".join(lines)
    assert max(map(len, lines)) <= 80
    for text in (
        "iris@1: 500 requests a second for 4 s, after 2 s to warm up",
        "1 different request, 2 rows in 110 B of JSON",
        "MODEL_FAILED",
        "no reply within 10 s",
        "\n  from when it was due ",
        "Lag of my-service: 0 before, 1,204 when the last request had left",
        "Broken by the service: 0.2 % failed, over 0.1 %",
    ):
        assert text in page
    assert "1,000/s rows" in next(line for line in lines if line.startswith("Answered"))


def test_page_of_a_load_without_rate_counts_from_when_requests_left():
    load = Load(None, 64, 4.0, 0.0)
    page = "\n".join(report(replace(PLAN, load=load, objectives=()), outcome(figures(load, 0.04))))
    assert page.startswith("iris@1: 64 requests at once for 4 s\n")
    assert "from when it left" in page
    assert "late" not in page


def test_page_says_why_a_load_ended_early():
    lines = report(PLAN, outcome(figures(PLAN.load, 0.04, stopped="nobody has answered for 12.0 s")))
    assert "Ended after 4.00 s: nobody has answered for 12.0 s." in lines


def test_lag_that_cannot_be_read_is_told():
    made = outcome(figures(PLAN.load, 0.04), lag_before=Lag(None, "not allowed to describe group my-service"))
    assert "Lag of my-service: not known, not allowed to describe group my-service" in report(PLAN, made)


def test_page_of_a_ramp_orders_the_rates_and_names_the_highest_that_held(ramp):
    lines = report(*ramp)
    rates = [line.split() for line in lines if "/s " in line]
    assert [(cells[0], cells[-1]) for cells in rates] == [
        ("500/s", "held"), ("1,000/s", "held"), ("2,000/s", "held"), ("4,000/s", "broken"),
    ]  # fmt: skip
    assert "Highest rate that held p99=50ms and errors=0.1%: 2,000 a second" in lines
    assert any(line.startswith("  4,000 a second did not: p99 ") for line in lines)
    assert max(map(len, lines)) <= 80


def test_page_of_a_ramp_says_when_the_generator_was_the_limit(ramp):
    plan, made = ramp
    broken = replace(made.steps[2].figures, outrun=True, stopped="the generator fell 2.00 s behind its schedule")
    made.steps[2] = Step(broken, judge(broken, OBJECTIVES))
    page = "\n".join(report(plan, made))
    assert "4,000 a second did not: the generator fell 2.00 s behind its schedule" in page
    assert "The generator, not the service, was the limit there" in page


def test_document_is_json_of_plain_numbers(ramp):
    for plan, made in ((PLAN, outcome(figures(PLAN.load, 0.04, lost=1))), ramp):
        read = orjson.loads(orjson.dumps(document(plan, made)))
        assert read["lag"] == {"before": 0, "after": 1204}
        assert read["requests"]["rows"] == 2
    assert (read["mode"], read["highest_rate_held"], read["lowest_rate_broken"]) == ("ramp", 2000, 4000)
    assert [step["broken_by"] for step in read["steps"]] == [None, None, "service", None]


def test_document_of_one_load_has_its_figures_and_a_timeline():
    read = orjson.loads(orjson.dumps(document(PLAN, outcome(figures(PLAN.load, 0.04, errors=2)))))
    assert (read["mode"], read["rate"], read["sent"], read["answered"]) == ("rate", 500, 2000, 2000)
    assert (read["errors"], read["held"]) == ({"MODEL_FAILED": 2}, True)
    assert math.isclose(read["latency_ms"]["max"], 40.0)
    assert [window["at_s"] for window in read["timeline"]] == [0, 1, 2, 3]


@pytest.mark.parametrize("kind", ["one", "ramp"])
def test_plot_names_what_it_shows_as_text(kind, ramp, tmp_path: Path):
    plan, made = ramp if kind == "ramp" else (PLAN, outcome(figures(PLAN.load, 0.04, lost=2)))
    path = tmp_path / "plot.svg"
    write_plot(path, plan, made)
    svg = path.read_text()
    wanted = {"one": "iris@1 at 500 requests a second", "ramp": "iris@1: latency against rate"}[kind]
    for text in (wanted, "p99=50ms", "latency, ms", ">p50<", ">max<"):
        assert text in svg


def test_plot_of_nothing_answered_is_drawn(tmp_path: Path):
    empty = figures_of(PLAN.load, Recorder(0.0, 4.0), Ending(1.0, 0.1))
    write_plot(tmp_path / "plot.png", PLAN, outcome(empty))
    assert (tmp_path / "plot.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("name", ["plot.txt", "nowhere/plot.svg"])
def test_plot_that_cannot_be_written_is_told_beforehand(name, tmp_path: Path):
    with pytest.raises(typer.BadParameter):
        check(tmp_path / name)


def test_plot_without_matplotlib_names_the_extra(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ModuleNotFoundError) as missing:
        check(tmp_path / "plot.svg")
    assert "penstock-kafka[bench]" in (explain_missing(missing.value, "bench") or "")
