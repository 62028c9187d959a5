"""The page at the end of the demo: figures to text."""

import json
from pathlib import Path

import orjson
import pytest

from penstock.cli.demo.next_steps import next_steps
from penstock.cli.demo.summary import summary
from penstock.cli.environment import command_name
from tests.support.demo_figures import figures, tally


def test_models_stand_in_a_table_with_what_is_right_and_what_is_true():
    lines = summary(figures())

    assert "  breast-cancer  gradient boosting       171    171   accuracy 95.3 %      1,560" in lines
    assert "  diabetes       linear regression       133    133   R² 0.50              1,535" in lines


def test_latency_and_rate_of_load_and_calm_are_told_apart():
    lines = summary(figures())

    assert [line.split() for line in lines if line.startswith("  1,000 in flight ")] == [
        ["1,000", "in", "flight", "200", "ms", "200", "ms", "200", "ms", "5"]
    ]
    assert [line.split() for line in lines if line.startswith("  one by one ")] == [
        ["one", "by", "one", "4.2", "ms", "4.2", "ms", "4.2", "ms", "5"]
    ]


def test_batches_are_averaged_over_their_number():
    assert "  30 under load (a 40, b 10); 1 one by one" in summary(figures())


def test_an_answer_says_its_version_and_where_its_request_lies():
    text = "\n".join(summary(figures()))

    assert "breast-cancer@1 " in text
    assert "demo-requests/5/17 " in text
    assert "class 1 at 0.9934; scikit-learn: class 1 at 0.9934" in text


def test_last_line_is_the_verdict():
    assert summary(figures())[-1] == "Every answer is right: 40 requests, 40 replies, none double, in 13.8 s."
    assert summary(figures(doubles=1))[-1].startswith("FAILED after 13.8 s")


@pytest.mark.parametrize(
    "found",
    [
        figures(),
        figures(load=tally(latencies_s=[10**exponent for exponent in range(-5, 4)])),
        figures(load=tally(right={"a": 10_000_000}, latencies_s=[0.001] * 10)),
        figures(load=tally(right={}, missing=["no"] * 10, latencies_s=()), example=None, batches={}, calm_batches={}),
    ],
    ids=["good", "wide", "many", "nothing"],
)
def test_page_keeps_to_80_columns_whatever_came(found):
    assert [line for line in summary(found) if len(line) > 80] == []


def test_plain_page_is_ascii():
    assert "\n".join(summary(figures(), plain=True)).isascii()
    assert not "\n".join(summary(figures())).isascii()


def test_figures_are_json_that_holds_no_latency_of_each_request():
    found = json.loads(orjson.dumps(figures().as_json()))

    assert found["good"]
    assert found["phases"]["calm"]["p99_s"] == pytest.approx(0.0042)
    assert found["phases"]["load"]["latency_s"] == [{"low_s": 0.2, "high_s": 0.3, "count": 10}]
    assert found["rows_per_batch"]["load"] == {"all": 30.0, "a": 40.0, "b": 10.0}


HERE = Path("/home/me/penstock")


@pytest.mark.parametrize(
    ("found", "folder", "said"),
    [
        ("/home/me/penstock/.venv/bin/penstock", HERE, "penstock"),
        (None, HERE, ".venv/bin/penstock"),
        ("/usr/bin/penstock", HERE, ".venv/bin/penstock"),
        (None, Path("/home/me/other"), "/home/me/penstock/.venv/bin/penstock"),
        (None, None, "/home/me/penstock/.venv/bin/penstock"),
    ],
)
def test_command_is_named_as_the_shell_finds_it(found, folder, said):
    assert command_name(HERE / ".venv" / "bin" / "penstock", found, folder) == said


def test_command_in_a_folder_with_a_space_is_quoted():
    assert command_name(Path("/my tools/bin/penstock"), None, None) == "'/my tools/bin/penstock'"


def test_next_steps_fit_80_columns_and_name_the_page_where_it_is():
    lines = next_steps(".venv/bin/penstock", Path("docs/quickstart.md"))

    assert all(len(line) <= 80 for line in lines)
    assert lines[-1].split()[0] == "docs/quickstart.md"
    assert next_steps("penstock", None) == [line.replace(".venv/bin/", "") for line in lines[:-1]]
