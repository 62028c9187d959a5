"""Laying findings out for a person."""

import io

import pytest
from rich.console import Console

from penstock.cli.doctor.finding import GROUP, KAFKA, Finding
from penstock.cli.doctor.report import as_json, lines, print_report, summary, worst

COMMAND = "kafka-topics.sh --bootstrap-server broker:9092 --alter --topic requests --partitions 8 --command-config a"
FAULT = GROUP.fault("check", "it is broken " * 12, "because it is. " * 9, "mend it. " * 12, (COMMAND,))
WELL, WARNING, SKIPPED = KAFKA.ok("a", "well"), KAFKA.warning("b", "so so", "why"), KAFKA.skipped("c", "unseen")


@pytest.mark.parametrize("width", [60, 80, 100])
def test_no_line_is_wider_than_the_terminal(width: int):
    assert max(len(line.plain) for line in lines(FAULT, width, plain=False)) <= width


def test_commands_can_be_cut_and_pasted():
    shown = [line.plain for line in lines(FAULT, 80, plain=False)]
    first = next(number for number, line in enumerate(shown) if "kafka-topics.sh" in line)
    assert "".join(line.strip().removesuffix("\\") for line in shown[first:]) == COMMAND


@pytest.mark.parametrize(("plain", "mark"), [(True, "x"), (False, "✗")])
def test_marks_are_ascii_where_the_terminal_is(plain: bool, mark: str):
    assert next(iter(lines(FAULT, 80, plain=plain))).plain.startswith(f"  {mark} it is broken")


def test_what_ascii_cannot_say_is_a_question_mark():
    (line,) = lines(KAFKA.ok("a", "modèle"), 80, plain=True)
    assert line.plain == "  + mod?le"


def test_orders_to_the_terminal_are_disarmed():
    evil = GROUP.fault("check", "client \x1b[2J", "because\x07 of it", "mend\x1b]0;x it", ("penstock \x1b[31m",))
    shown = "\n".join(line.plain for line in lines(evil, 80, plain=False))
    assert shown.splitlines() == [
        "  ✗ client ?[2J",
        "    because? of it",
        "    mend?]0;x it",
        "        penstock '?[31m'",
    ]


@pytest.mark.parametrize(("encoding", "mark"), [("utf-8", "✓"), ("ascii", "+"), ("latin-1", "+")])
def test_report_is_printed_in_the_terminals_own_characters(encoding: str, mark: str):
    written = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    print_report([WELL, FAULT], Console(file=written, width=80))
    written.seek(0)
    text = written.read()
    assert text.startswith(f"Kafka\n  {mark} well\nGroup\n")
    assert text.endswith("1 fault, 1 check passed.\n")


@pytest.mark.parametrize(
    ("findings", "level", "text"),
    [
        ([WELL, WELL], "ok", "All is well: 2 checks passed."),
        ([WELL, SKIPPED], "ok", "1 check passed, 1 not made."),
        ([WELL, WARNING, WARNING], "warning", "2 warnings, 1 check passed."),
        ([FAULT, FAULT, WARNING, SKIPPED], "fault", "2 faults, 1 warning, 0 checks passed, 1 not made."),
    ],
)
def test_summary_counts(findings: list[Finding], level: str, text: str):
    assert worst(findings) == level
    assert summary(findings) == text


def test_json_says_whether_the_service_can_serve():
    assert as_json([WARNING])["healthy"] is True
    assert as_json([WARNING, FAULT])["healthy"] is False
    assert as_json([WARNING, FAULT])["counts"] == {"ok": 0, "warning": 1, "fault": 1, "skipped": 0}
