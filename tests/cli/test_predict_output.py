"""How predictions read: which outputs stand out, and what a table or JSON makes of rows."""

import io
from collections.abc import Mapping
from typing import Any

import numpy as np
import orjson
import pytest

from penstock.cli.predict.answers import Failure, cells_of, rows_of
from penstock.cli.predict.asking import Answer, is_hopeless
from penstock.cli.predict.failures import Failures, remedy
from penstock.cli.predict.output import JsonLines, JsonList, Printer, Summary
from penstock.cli.predict.rows import Block, Source
from penstock.cli.predict.table import OnceIfAlike, RowTable
from penstock.producer.prediction import Prediction
from penstock.schemas.errors import PenstockError, RequestTimeout, ServiceError, TransportError

FP32 = np.float32
UNKNOWN = ServiceError("UNKNOWN_MODEL", "no model 'm' here")


def answer(outcome: Mapping[str, Any] | PenstockError, rows: int = 1) -> Answer:
    block = Block({"": [[0]] * rows}, "row", range(1, rows + 1))
    if isinstance(outcome, PenstockError):
        return Answer(block, outcome, 0.5)
    outputs = {name: np.asarray(array) for name, array in outcome.items()}
    return Answer(block, Prediction("iris", "3", outputs, "id-1", "requests/0/7", -1), 0.0042)


def cells(**outputs: Any) -> dict[str, str]:
    (row,) = rows_of(answer({name: np.asarray(array)[np.newaxis] for name, array in outputs.items()}), 1)
    return cells_of(row)


@pytest.mark.parametrize(
    "label", [np.int64(2), np.array([2]), np.array("setosa", object), np.array(["setosa"], object)]
)
def test_whole_number_or_string_beside_floats_is_a_class_and_its_scores(label: Any) -> None:
    found = cells(variable=label, anything=np.array([0.25, 0.75], FP32))
    assert found == {"label": "2" if np.asarray(label).dtype.kind == "i" else "setosa", "scores": "0.2500 0.7500"}
    assert cells(anything=np.array([0.25, 0.75], FP32), variable=label) == found


def test_of_many_scores_the_highest_are_shown_with_their_places() -> None:
    scores = np.array([0.05, 0.6, 0.0, 0.3, 0.05], FP32)
    assert cells(label=1, scores=scores)["scores"] == "[1] 0.6000, [3] 0.3000, [0] 0.0500, ..."


def test_scores_that_are_no_probabilities_keep_their_digits() -> None:
    assert cells(label=1, scores=np.array([-3.14159, 12345.678], FP32))["scores"] == "-3.142 1.235e+04"


def test_one_float_is_a_value() -> None:
    assert cells(y=FP32(206.1174)) == cells(y=np.array([206.1174], FP32)) == {"value": "206.117"}


def test_one_class_alone_is_a_label() -> None:
    assert cells(y=np.int64(7)) == {"label": "7"}


def test_floats_that_sum_to_one_are_probabilities() -> None:
    assert cells(y=np.array([0.1, 0.9], FP32)) == {"probabilities": "[1] 0.9000, [0] 0.1000"}


@pytest.mark.parametrize(
    ("outputs", "shown"),
    [
        ({"y": np.array([1.0, 2.5, -3.0], FP32)}, {"y": "[1, 2.5, -3]"}),
        ({"y": np.zeros((2, 3), FP32)}, {"y": "[0, 0, 0, 0, 0, 0] (2x3)"}),
        ({"y": np.arange(100)}, {"y": "[0, 1, 2, 3, 4, 5, 6, 7, ...] (100)"}),
        ({"a": np.int64(1), "b": np.array(["x"], object)}, {"a": "1", "b": "x"}),
        ({"a": FP32(1), "b": np.array([0.5, 0.5], FP32)}, {"a": "1", "b": "[0.5, 0.5]"}),
        ({"y": np.array([], FP32)}, {"y": "[]"}),
    ],
)
def test_other_outputs_stand_compactly_under_their_names(outputs: dict[str, Any], shown: dict[str, str]) -> None:
    assert cells(**outputs) == shown


def test_answer_to_several_rows_is_taken_apart() -> None:
    rows = list(rows_of(answer({"label": np.array([1, 2]), "s": np.array([[0.1, 0.9], [0.8, 0.2]])}, rows=2), 11))
    assert [(row.number, cells_of(row)["label"]) for row in rows] == [(11, "1"), (12, "2")]


def test_answer_that_is_not_by_row_stays_whole() -> None:
    (row,) = rows_of(answer({"sum": np.array([6.0])}, rows=3), 1)
    assert (row.number, row.rows) == (1, 3)
    assert row.document()["rows"] == 3


def test_every_row_of_a_request_that_failed_has_failed() -> None:
    rows = list(rows_of(answer(UNKNOWN, rows=3), 5))
    assert [(row.number, str(row.failure)) for row in rows] == [
        (number, "UNKNOWN_MODEL: no model 'm' here") for number in (5, 6, 7)
    ]


def printed(kind: str, *answers: Answer) -> str:
    out = io.StringIO()
    printers: dict[str, Printer] = {
        "json": JsonList(out, lambda: None),
        "jsonl": JsonLines(out, lambda: None, live=False),
        "table": OnceIfAlike(RowTable(out, lambda: None)),
    }
    number = 1
    for each in answers:
        for row in rows_of(each, number):
            printers[kind].add(row)
        number += len(each.block)
    printers[kind].end()
    return out.getvalue()


GOOD = answer({"label": np.array([2]), "scores": np.array([[0.25, 0.75]], FP32)})
BAD = answer(ServiceError("MODEL_FAILED", "it raised", retryable=False))


def test_orders_to_the_terminal_in_labels_and_messages_are_disarmed() -> None:
    label = answer({"label": np.array(["\x1b[2Jcat"], object)})
    failed = answer(ServiceError("MODEL_FAILED", "it said\n\x1b]0;title\x07", retryable=False))
    text = printed("table", label, failed)
    assert "?[2Jcat" in text
    assert "MODEL_FAILED: it said ?]0;title?\n" in text
    assert "\x1b" not in text


def test_json_is_one_document_with_every_row() -> None:
    assert orjson.loads(printed("json", GOOD, BAD)) == [
        {
            "row": 1,
            "model": "iris",
            "version": "3",
            "outputs": {"label": 2, "scores": [0.25, 0.75]},
            "id": "id-1",
            "source": "requests/0/7",
            "latency_ms": 4.2,
        },
        {"row": 2, "error": {"code": "MODEL_FAILED", "message": "it raised", "retryable": False}},
    ]


def test_json_lines_are_the_same_rows() -> None:
    lines = printed("jsonl", GOOD, BAD).splitlines()
    assert [orjson.loads(line) for line in lines] == orjson.loads(printed("json", GOOD, BAD))


def test_json_keeps_short_floats_short_and_strings_whole() -> None:
    document = printed("jsonl", answer({"y": np.array([[0.1]], FP32), "s": np.array([["ü"]], object)}))
    assert '"outputs":{"y":[0.1],"s":["ü"]}' in document


def test_failed_row_stands_in_its_place() -> None:
    assert printed("table", GOOD, BAD, GOOD).splitlines() == [
        "row  label  scores         model",
        "  1  2      0.2500 0.7500  iris@3",
        "  2  MODEL_FAILED: it raised",
        "  3  2      0.2500 0.7500  iris@3",
    ]


def test_same_failure_of_every_row_is_left_to_be_said_once() -> None:
    assert printed("table", BAD, BAD, BAD) == ""


def test_same_failures_at_the_start_are_printed_once_there_is_something_else() -> None:
    lines = printed("table", BAD, BAD, GOOD, BAD).splitlines()
    assert [line.split()[0] for line in lines] == ["row", "1", "2", "3", "4"]
    other = answer(ServiceError("BAD_SHAPE", "it is wrong"))
    assert len(printed("table", BAD, BAD, other).splitlines()) == 3


def test_row_of_other_outputs_gets_a_heading_of_its_own() -> None:
    lines = printed("table", GOOD, answer({"y": np.array([1.5], FP32)})).splitlines()
    assert [line.split()[0] for line in lines] == ["row", "1", "row", "2"]


def test_long_table_has_one_heading() -> None:
    lines = printed("table", *[GOOD] * 2500).splitlines()
    assert len(lines) == 2501
    assert lines[-1].split() == ["2500", "2", "0.2500", "0.7500", "iris@3"]


def test_summary_has_the_middle_and_the_slowest() -> None:
    summary = Summary()
    for row in rows_of(GOOD, 1):
        summary.add(row)
    for took_s in (0.003, 0.001, 0.002):
        summary.took(took_s)
    assert str(summary) == "1 answered, 0 failed; 2.0 ms p50, 3.0 ms max"


def columns(*names: str, by_column: bool = False) -> Source:
    return Source("rows.csv", iter(()), columns=list(names), alike=True, by_column=by_column)


@pytest.mark.parametrize(
    ("code", "source", "said"),
    [
        ("UNKNOWN_MODEL", columns(), "put it into the workers' repository"),
        ("BAD_SHAPE", columns("age", "label"), "Sent were 2 columns, age to label; --columns and --skip-column pick."),
        ("BAD_INPUT", columns("age"), "--by-column sends"),
        ("BAD_INPUT", columns("age", "city", by_column=True), "--skip-column leaves one out"),
        ("BAD_DTYPE", columns(), "--dtype float32"),
        ("MODEL_FAILED", columns(), "`penstock model verify iris`"),
        ("A_CODE_OF_LATER", columns(), ""),
    ],
)
def test_failure_comes_with_its_remedy(code: str, source: Source, said: str) -> None:
    found = remedy(Failure(code, "why", False), "iris", source)
    assert said in found
    assert bool(found) == bool(said)


def test_request_too_large_for_kafka_is_to_be_made_smaller() -> None:
    refused = Failure.of(TransportError("Kafka refused the request: MessageSizeTooLargeError()"))
    assert "--rows-per-request" in remedy(refused, "iris", columns())


def test_what_the_message_says_already_is_not_said_again() -> None:
    late = Failure.of(RequestTimeout("no reply within 1 s. `penstock doctor` finds out."))
    assert (late.code, late.retryable) == ("TIMEOUT", True)
    assert remedy(late, "iris", columns()) == ""


@pytest.mark.parametrize(
    ("outcome", "alike", "hopeless"),
    [
        (UNKNOWN, False, True),
        (RequestTimeout("late"), False, True),
        (TransportError("refused"), False, True),
        (ServiceError("BAD_SHAPE", "wrong"), True, True),
        (ServiceError("BAD_SHAPE", "wrong"), False, False),
        (ServiceError("MODEL_FAILED", "raised"), True, False),
        (ServiceError("EXPIRED", "late"), True, False),
    ],
)
def test_nothing_more_is_sent_where_nothing_more_can_succeed(
    outcome: PenstockError, alike: bool, hopeless: bool
) -> None:
    assert is_hopeless(outcome, Source("rows", iter(()), alike=alike)) is hopeless


def test_most_frequent_failure_is_the_one_to_advise_on() -> None:
    failures = Failures()
    assert failures.most_frequent() is None
    for code, rows in (("EXPIRED", 2), ("BAD_SHAPE", 5), ("EXPIRED", 1)):
        failures.add(Failure(code, "why", False), rows)
    worst = failures.most_frequent()
    assert worst is not None
    assert (worst.code, failures.alike, failures.rows) == ("BAD_SHAPE", False, 8)


def test_names_of_outputs_say_nothing() -> None:
    misleading = {"probabilities": np.int64(3), "label": np.array([0.5, 0.5], FP32)}
    assert cells(**misleading) == {"label": "3", "scores": "0.5000 0.5000"}
