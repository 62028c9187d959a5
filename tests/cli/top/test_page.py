"""The page, drawn."""

import io
from dataclasses import replace

import pytest
from rich.console import Console

from penstock.cli.top.page import Page
from penstock.cli.top.view import CodeLine, LaneLine, ModelLine, Times, Totals, View, WorkerLine

BUSY = View(
    time="2026-01-02T12:03:11+00:00",
    window_s=5.0,
    group="predictions",
    kafka="127.0.0.1:9092",
    group_state="Stable",
    ready=1,
    uptime_s=8100,
    totals=Totals(
        answered=123_456_789, answered_per_s=4107.2, errors=1204, errors_per_s=12.0, error_share=0.003, lag=51_856,
        lag_per_s=-6000, clears_s=8.6, arriving_per_s=4400, queue=Times(0.0031, 0.0124),
        inference=Times(0.0003, 0.0012), publish=Times(0.002, 0.245),
        batch_rows=37.6, batch_rows_p99=512, buffered_bytes=31_000_000, buffered_rows=52_120,
        max_bytes=134_217_728, max_rows=100_000, paused=1, rebalances=3,
    ),
    models=(
        ModelLine(
            "breast-cancer", ("2",), ("1", "2"), 20_171, 4107.2, 12.0, 0.0029, (CodeLine("MODEL_FAILED", 9, 12.0),),
            37.6, Times(0.0003, 0.0012),
        ),
        ModelLine("", answered=12, answered_per_s=0.4, errors_per_s=0.4, error_share=1.0),
    ),
    lanes=(LaneLine("requests", 8, 7, 2, 51_856, 4400.0, 4107.0),),
    workers=(
        WorkerLine(
            "http://127.0.0.1:8090", "penstock-host-4242-0-1", 4243, "ready", version="1.0.0", answered_per_s=4107.2,
            cpu=0.97, memory_bytes=123_000_000, partitions=7, lag=51_000, rebalances=3, uptime_s=8100,
        ),
        WorkerLine(
            "http://127.0.0.1:8091", "penstock-host-4242-1-1", 4244, "gone", "nobody listens there", since_s=14.0
        ),
    ),
    errors=(CodeLine("MODEL_FAILED", 1204, 12.0),),
    dead_letters=(CodeLine("REPLY_FORBIDDEN", 3, 0.0),),
    notes=("127.0.0.1:8091 is gone for 14 s: nobody listens there.",),
    rates=tuple(float(n % 7) for n in range(100)),
    lags=tuple(float(n) for n in range(100)),
)  # fmt: skip
QUIET = View(time="2026-01-02T12:03:11+00:00", window_s=5.0, group="?", kafka="localhost:9092")


def drawn(view: View, width: int, height: int = 0, encoding: str = "utf-8") -> list[str]:
    """The lines of the page; with a height as on a screen of that height."""
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    console = Console(record=True, width=width, height=height or 100, file=stream, color_system=None)
    console.print(Page(view, "q ends" if height else None), end="")
    return console.export_text().splitlines()


@pytest.mark.parametrize("width", [80, 119, 120, 150, 200])
def test_page_shows_everything_and_no_line_is_too_long(width):
    lines = drawn(BUSY, width)
    text = "\n".join(lines)

    assert [line for line in lines if len(line) > width] == []
    for wanted in (
        "predictions on 127.0.0.1:9092", "1 of 2 ready", "up 2 h 15 min", "12:03:11",
        "4,107/s", "123.5M in all", "12/s", "0.3 %", "51,856", "clears in 8 s", "4,400/s",
        "3.1 ms", "12.4 ms", "0.30 ms", "1.2 ms", "245 ms", "38", "512", "30 MiB", "52% full",
        "breast-cancer", "(no model)", "100 %",
        "requests", "7/8",
        "127.0.0.1:8090", "4243", "ready", "97%", "117 MiB", "51,000", "gone",
        "MODEL_FAILED", "1,204", "REPLY_FORBIDDEN",
        "127.0.0.1:8091 is gone for 14 s: nobody listens there.",
    ):  # fmt: skip
        assert wanted in text, wanted


def test_narrow_page_has_no_panels_and_the_wide_one_has_charts():
    narrow, wide = "".join(drawn(BUSY, 119)), "".join(drawn(BUSY, 120))

    assert not set("│█") & set(narrow)
    assert set("│█") < set(wide)


def test_widest_page_tells_versions_errors_and_client_ids():
    text = "\n".join(drawn(BUSY, 200))

    assert "1,2" in text
    assert "penstock-host-4242-0-1" in text
    assert "1.0.0" in text
    assert "MODEL_FAILED 12/s" in "\n".join(drawn(BUSY, 240))


def test_what_is_empty_is_hidden():
    text = "\n".join(drawn(replace(BUSY, errors=(), dead_letters=(), notes=()), 80))

    assert "ERROR " not in text
    assert "DEAD LETTER" not in text


@pytest.mark.parametrize("width", [80, 200])
def test_page_that_knows_nothing_can_be_drawn(width):
    assert "? on localhost:9092" in drawn(QUIET, width)[0]


@pytest.mark.parametrize(("width", "height"), [(80, 24), (80, 12), (120, 20), (120, 24), (200, 50)])
def test_page_fits_its_screen_and_ends_with_the_hint(width, height):
    many = replace(BUSY, workers=BUSY.workers * 30, models=BUSY.models * 30, lanes=BUSY.lanes * 20)

    for view in (BUSY, many, QUIET):
        lines = drawn(view, width, height)
        assert len(lines) == height
        assert lines[-1].strip() == "q ends"


def test_worker_that_is_in_trouble_is_the_last_to_be_left_out():
    healthy, gone = BUSY.workers
    view = replace(BUSY, workers=(*[healthy] * 30, gone), notes=())

    lines = drawn(view, 80, 24)

    assert any("4244  gone" in line for line in lines)
    assert any("... 2" in line and line.endswith("more") for line in lines)


def test_figures_stay_where_they_are_while_they_change():
    quick = replace(BUSY.totals, answered_per_s=0.4, lag=7, queue=Times(1.2, 12.5), batch_rows=1.5, answered=3)
    slow, fast = drawn(BUSY, 80), drawn(replace(BUSY, totals=quick), 80)

    for label in ("errors", "arriving", "inference p50", "publish p99", "rebalances"):
        assert next(line.index(label) for line in slow if label in line) == 44
        assert next(line.index(label) for line in fast if label in line) == 44


def test_page_needs_no_characters_beyond_ascii():
    for width in (80, 200):
        text = "\n".join(drawn(BUSY, width, encoding="ascii"))
        assert text.isascii()
        assert "4,107/s" in text


def test_group_and_topic_of_any_length_are_cut_to_their_place():
    view = replace(BUSY, group="g" * 249, lanes=(replace(BUSY.lanes[0], topic="t" * 240 + "-end"),))

    for width in (80, 120, 200):
        lines = drawn(view, width)
        assert max(map(len, lines)) <= width
        assert "12:03:11" in lines[0]
        assert "-end" in "\n".join(lines)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"lag": 0}, "keeping up"),
        ({"lag": 4000}, "keeping up"),
        ({"lag": 51_856, "lag_per_s": 300.0, "clears_s": None}, "growing 300/s"),
        ({"lag": 51_856, "lag_per_s": 0.0, "clears_s": None}, "steady"),
        ({"answered_per_s": 0.0, "lag": 9, "lag_per_s": 0.0, "clears_s": None}, "not moving"),
        ({"lag": None}, " "),
    ],
)
def test_lag_is_put_into_words(changes, said):
    lines = drawn(replace(BUSY, totals=replace(BUSY.totals, **changes)), 80)

    assert said in next(line for line in lines if line.startswith("lag "))


def test_lag_without_kafka_is_not_called_good():
    view = replace(BUSY, kafka_problem="no broker answers", totals=replace(BUSY.totals, lag=0))

    assert "as last known" in "\n".join(drawn(view, 80))
