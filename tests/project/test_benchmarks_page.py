"""The results of `make bench`: how they are kept, and the page that shows them."""

import re
from pathlib import Path
from typing import Any

import pytest

from benchmarks import page, results, table


def run(contestant: str, turn: int, per_second: float, session: str = "a", **more: Any) -> results.Run:
    return {
        "part": "rate", "workload": "tj", "contestant": contestant, "round": turn, "session": session,
        "requests": 10, "per_second": per_second, **more,
    }  # fmt: skip


def session(name: str) -> dict[str, Any]:
    machine = {"cores": 2, "processor": "a chip", "memory_gib": 8.0, "system": "Linux"}
    return {"id": name, "command": "x", "machine": machine, "kafka": "4", "python": "3", "versions": {}}


EMPTY: results.Results = {"format": results.FORMAT, "sessions": {}, "runs": []}


def test_measuring_again_replaces_the_same_and_keeps_the_rest() -> None:
    first = results.merged(EMPTY, session("a"), [run("expert", 1, 10), run("expert", 2, 20), run("penstock", 1, 30)])
    second = results.merged(first, session("b"), [run("expert", 1, 40, session="b")])
    assert [(each["contestant"], each["per_second"]) for each in second["runs"]] == [("expert", 40), ("penstock", 30)]
    assert list(second["sessions"]) == ["a", "b"]
    third = results.merged(second, session("c"), [run("penstock", 1, 50, session="c")])
    assert list(third["sessions"]) == ["b", "c"]
    assert len(first["runs"]) == 3


def test_ratio_is_of_the_same_round() -> None:
    found = results.with_ratios([run("expert", 1, 10), run("expert", 2, 100), run("penstock", 1, 20)], "expert")
    assert [each["ratio"] for each in found] == [1, 1, 2]
    assert "ratio" not in results.with_ratios([run("penstock", 3, 20), run("expert", 1, 1)], "expert")[0]


def test_spread_is_median_and_range() -> None:
    assert results.spread([5, 1, 3]) == results.Spread(3, 1, 5, 3)
    assert results.spread([]) is None


def test_file_of_results_is_read_as_it_was_written_and_nothing_else_is(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "results.json"
    assert results.load(path) == EMPTY
    written = results.merged(EMPTY, session("a"), [run("expert", 1, 10)])
    results.save(path, written)
    assert results.load(path) == written
    for wrong in ("[]", "{", '{"format": 99}'):
        path.write_text(wrong)
        with pytest.raises(results.ResultsError, match=re.escape(str(path))):
            results.load(path)


def test_tables_tell_rates_ratios_and_what_is_left_out() -> None:
    runs = [
        run("expert", 1, 100_000),
        run("penstock", 1, 150_000),
        run("penstock", 2, 172_345),
        run("mlserver", 1, 4_321),
    ]
    raw_run = {**run("expert", 1, 1000), "workload": "tb"}
    text = table.render(results.merged(EMPTY, session("a"), results.with_ratios([*runs, raw_run], "expert")))
    assert "| **Penstock** | 161 k (150 to 172) | - |" in text
    assert "| MLServer, Kafka | 4.32 k (4.32 to 4.32) | - |" in text
    assert "1.50 (1.50 to 1.50)" in text
    assert "- MLServer, Kafka, T B: its Kafka server parses every value as JSON." in text
    assert "a chip" in text


def test_tables_take_their_place_and_leave_the_text_around_them() -> None:
    before = f"# Title\n\n{table.BEGIN}\nold\n{table.END}\n\nafter\n"
    placed = table.placed(before, "new")
    assert placed == f"# Title\n\n{table.BEGIN}\n\nnew\n\n{table.END}\n\nafter\n"
    assert table.placed(placed, "new") == placed
    for wrong in ("no markers", table.BEGIN, f"{table.END}{table.BEGIN}"):
        with pytest.raises(ValueError, match="no place for figures"):
            table.placed(wrong, "new")


def test_page_shows_the_results_that_lie_beside_it() -> None:
    text = (page.FOLDER / page.PAGE).read_text()
    assert table.placed(text, table.render(results.load(page.FOLDER / page.RESULTS))) == text


def test_links_of_the_page_lead_somewhere() -> None:
    text = (page.FOLDER / page.PAGE).read_text()
    links = re.findall(r"\]\(([^)#]+)\)", text)
    assert [link for link in links if not (page.FOLDER / link).exists()] == []
    anchors = {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in re.findall(r"^#+ (.+)$", text, re.M)}
    assert set(re.findall(r"\]\(#([^)]+)\)", text)) <= anchors
