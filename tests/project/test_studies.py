"""The studies under benchmarks/studies: their arithmetic, their tables, and the pages that show them."""

import math
import os
import re
import secrets
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.studies import batching_figures, control_figures, scaling_figures
from benchmarks.studies.__main__ import main
from benchmarks.studies.batching import cell_of, measured
from benchmarks.studies.failures import StudyError
from benchmarks.studies.figures import BEGIN, END, markdown, read_json, with_table, write_json
from benchmarks.studies.flow import Flow, flow_of, longest_gap_s, longest_wait_s, percentiles_ms
from benchmarks.studies.lane import Lane
from benchmarks.studies.open_loop import OpenLoop
from benchmarks.studies.openings import Opening, all_open_at, epoch_s, openings_of
from benchmarks.studies.processes import busy_s_of, cpu_s_of, sizes_of, tree, usage
from benchmarks.studies.service import Service
from benchmarks.studies.stage import Stage, train
from benchmarks.workload import Workload
from penstock.cli.pages.rates import work_between
from penstock.cli.pages.sample import Histogram, Sample
from tests.support.pages import ROOT, Page

PAGES = ROOT / "docs" / "benchmarks"
TABLES = {"batching": batching_figures.table, "scaling": scaling_figures.table, "control": control_figures.table}
PICTURES = ("batching-latency.svg", "batching-size.svg", "control.svg", "scaling.svg")


def flow(*latencies_s: float, late_s: float = 0.0) -> Flow:
    """One request a second, each answered so late; NaN for one that is not."""
    due = np.arange(len(latencies_s), dtype=np.float64)
    return Flow(due, due + late_s, due + np.array(latencies_s))


def test_first_reply_counts_and_the_others_are_doubles() -> None:
    found = flow_of(
        [0.0, 1.0, 2.0], [0.0, 1.0, 2.0], [(1, 1.5, True), (1, 1.9, True), (0, 0.2, False), (-3, 0.0, True)]
    )
    assert found.came[:2].tolist() == [0.2, 1.5]
    assert (found.doubles, found.wrong, found.unanswered) == (1, 1, 1)


def test_latency_counts_from_when_a_request_should_have_left() -> None:
    late = flow(0.5, 0.5, late_s=0.4)
    assert percentiles_ms(late, 50) == [500.0]
    assert late.late_p99_s == pytest.approx(0.4)
    assert not late.kept_schedule
    assert flow(0.5, late_s=0.001).kept_schedule


def test_unanswered_requests_are_in_no_percentile_and_wait_for_ever() -> None:
    some = flow(0.1, math.nan, 0.3)
    assert percentiles_ms(some, 100) == [pytest.approx(300.0)]
    assert longest_wait_s(some) == math.inf
    assert longest_wait_s(some.between(2.0, 3.0)) == pytest.approx(0.3)
    assert math.isnan(percentiles_ms(flow(math.nan), 50)[0])


def test_rate_is_that_at_which_requests_left() -> None:
    assert flow(0.1, 0.1, 0.1).sent_per_s == 1.0
    assert flow(0.1).sent_per_s == 0.0


@pytest.mark.parametrize(
    ("came", "gap_s"),
    [([1.0, 1.5, 3.0, 4.0], 1.5), ([3.0, 1.0, 2.0], 1.0), ([], 4.0), ([9.0], 4.0), ([0.5], 3.5)],
    ids=["between", "unsorted", "silence", "outside", "until the end"],
)
def test_longest_gap_has_the_edges_as_replies(came: list[float], gap_s: float) -> None:
    assert longest_gap_s(np.array([*came, np.nan]), 0.0, 4.0) == gap_s


def sample(batches: tuple[float, ...], rows: float, cpu_s: float) -> Sample:
    histogram = Histogram((1.0, 2.0, 4.0, math.inf), batches, rows)
    return Sample("", 0.0, batch_rows={"m": histogram}, queue=histogram, gauges={"cpu_s": cpu_s})


def test_batches_are_those_between_two_looks_at_the_worker() -> None:
    work = work_between(sample((5, 5, 5, 5), 5.0, 1.0), sample((5, 7, 15, 15), 43.0, 1.5))
    cell = cell_of(flow(0.1, 0.2, 0.3, 0.4), work, busy_cores=1.25)
    assert (cell["batches"], cell["rows_mean"], cell["rows_p90"]) == (10, 3.8, 4)
    assert cell["cpu_us_per_request"] == 125_000
    assert (cell["p50_ms"], cell["busy_cores"]) == (pytest.approx(250), 1.25)


def test_batches_of_one_row_have_a_p90_of_one() -> None:
    work = work_between(sample((0, 0, 0, 0), 0.0, 0.0), sample((9, 9, 9, 9), 9.0, 0.1))
    assert cell_of(flow(0.1), work, busy_cores=0.1)["rows_p90"] == 1


def test_worker_without_batches_has_no_figures_of_them() -> None:
    nothing = work_between(sample((5, 5, 5, 5), 5.0, 1.0), sample((5, 5, 5, 5), 5.0, 1.0))
    assert cell_of(flow(math.nan), nothing, busy_cores=0.1)["rows_mean"] is None


def line(at: str, partitions: int, process: int | None = None) -> dict[str, Any]:
    named = {} if process is None else {"process": process}
    return {"event": "partitions opened", "timestamp": f"2026-01-01T00:00:{at}Z", "partitions": partitions, **named}


def test_openings_are_told_by_the_log() -> None:
    first, second = openings_of([line("01.5", 5, 0), {"event": "worker started"}, line("02", 3, 1)], "group")
    assert (first.member, first.partitions, second.member) == ("group/0", 5, "group/1")
    assert second.at - first.at == 0.5
    assert openings_of([line("01", 8)], "alone")[0].member == "alone/0"
    assert epoch_s({"timestamp": "1970-01-01T00:00:10.25Z"}) == 10.25


def test_group_is_open_when_its_last_member_has_opened() -> None:
    openings = [Opening(1.0, "a", 8), Opening(3.0, "b", 4), Opening(2.5, "a", 4), Opening(2.4, "extra", 0)]
    assert all_open_at(openings, ["a"], 8, 0.0) == 1.0
    assert all_open_at(openings, ["a", "b"], 8, 0.0) == 3.0
    assert all_open_at(openings, ["a", "b"], 8, 2.8) is None
    assert all_open_at(openings, ["a", "b", "c"], 8, 0.0) is None


def test_group_is_not_open_while_partitions_are_nobodys() -> None:
    assert all_open_at([Opening(1.0, "a", 4), Opening(1.1, "b", 3)], ["a", "b"], 8, 0.0) is None


def test_processor_time_and_memory_are_read_from_proc() -> None:
    assert cpu_s_of("7 (a (b) c) S 1 1 1 0 -1 4 9 0 0 0 150 50 3 3 20 0 1", 100.0) == 2.0
    assert busy_s_of("cpu  100 10 40 999 99 5 5 40 0 0\ncpu0 1 1", 100.0) == 2.0
    assert sizes_of("0-1 ---p [rollup]\nRss:    96 kB\nPss:  10 kB\n") == {"Rss": 96 * 1024, "Pss": 10 * 1024}


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_children_are_part_of_the_tree() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        try:
            assert child.pid in tree(os.getpid())
            used = usage([child.pid, 2**22 + 1])  # the other is nobody's
            assert 0 < used.pss_bytes <= used.rss_bytes
        finally:
            child.send_signal(signal.SIGKILL)


def test_table_stands_between_the_marks_of_a_page() -> None:
    table = markdown(["rate", "p50"], [["50", "1.2"]])
    assert table == "| rate | p50 |\n| --- | ---: |\n| 50 | 1.2 |"
    written = with_table(f"Before.\n{BEGIN}\nold\n{END}\nAfter.\n", table)
    assert written == f"Before.\n{BEGIN}\n\n{table}\n\n{END}\nAfter.\n"
    assert with_table(written, table) == written
    with pytest.raises(StudyError, match="no place for the table"):
        with_table("A page.", table)


def test_figures_are_read_as_they_were_written(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"cells": [{"p50_ms": 1.5}]})
    assert read_json(tmp_path / "a.json") == {"cells": [{"p50_ms": 1.5}]}
    with pytest.raises(StudyError, match="without --redraw"):
        read_json(tmp_path / "b.json")


@pytest.mark.parametrize("name", TABLES)
def test_page_shows_the_figures_of_its_file(name: str) -> None:
    table = TABLES[name](read_json(PAGES / f"{name}.json"))
    page = (PAGES / f"{name}.md").read_text()
    assert with_table(page, table) == page, f'make study ARGS="{name} --redraw" writes it anew'


@pytest.mark.parametrize("name", TABLES)
def test_links_of_a_page_lead_somewhere(name: str) -> None:
    page = Page(f"docs/benchmarks/{name}.md")
    assert [link for link in page.links() if not (page.path.parent / link).exists()] == []
    assert set(re.findall(r"^make ([a-z-]+)", page.blocks("sh")[0].text, re.MULTILINE)) == {"study"}


def test_figures_are_drawn_again_without_measuring(tmp_path: Path) -> None:
    for name in TABLES:
        (tmp_path / f"{name}.json").write_bytes((PAGES / f"{name}.json").read_bytes())
        assert main([name, "--redraw", f"--out={tmp_path}"]) == 0
    assert sorted(path.name for path in tmp_path.glob("*.svg")) == sorted(PICTURES)
    assert all("<title>" in (tmp_path / name).read_text() for name in PICTURES)


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        ([], 2, "Name a study: batching, scaling, control"),
        (["batching", "--redraw"], 1, "Run the study without --redraw"),
    ],
)
def test_wrong_use_is_told_in_a_line(
    arguments: list[str], status: int, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*arguments, f"--out={tmp_path}"] if arguments else []) == status
    assert said in capsys.readouterr().err


async def test_worker_is_measured_by_real_requests(bootstrap: str, tmp_path: Path) -> None:
    await train(tmp_path)
    on = Stage(bootstrap, tmp_path, Workload(tmp_path), threading.Event())
    lane: Lane = await on.lane(f"study-{secrets.token_hex(3)}", 4)
    async with Service("one", tmp_path, bootstrap, lane) as service:
        assert await service.until(service.all_open_at, "its partitions are open") > 0
        with OpenLoop(bootstrap, on.workload, lane) as loop:
            cell = await measured(service, loop, 100, 0.5)
        used = usage(tree(service.pid)) if sys.platform == "linux" else None
    assert (cell["requests"], cell["unanswered"], cell["doubles"], cell["wrong"]) == (50, 0, 0, 0)
    assert 1 <= cell["rows_mean"] <= 50
    assert cell["p99_ms"] >= cell["p50_ms"] > 0
    assert used is None or used.pss_bytes > 10_000_000
    with pytest.raises(StudyError, match="worker one has ended with 0"):
        service.check()


async def test_worker_that_cannot_start_is_told_with_its_last_words(bootstrap: str, tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    async with Service("empty", tmp_path, bootstrap, Lane("nobodys", 4)) as service:
        with pytest.raises(StudyError, match=r"(?s)has ended with 2\. Its log ends:\n.*model repository"):
            await service.until(service.all_open_at, "its partitions are open")
