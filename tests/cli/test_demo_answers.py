"""What the demo makes of answers: right or wrong, true or false, and every fault said."""

from collections import Counter

import numpy as np
import pytest
from sklearn.metrics import r2_score

from penstock.cli.demo.batches import Batches, batches_between, together
from penstock.cli.demo.held_out import HeldOut, describe
from penstock.cli.demo.load import every_row, mixture
from penstock.cli.pages.sample import Histogram, Sample
from tests.support.demo_figures import figures, tally


def classes() -> HeldOut:
    return HeldOut(
        np.zeros((3, 2), dtype=np.float32),
        np.array([0, 1, 1]),
        labels=np.array([0, 1, 0]),
        scores=np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]]),
        trained_on=7,
    )


def numbers() -> HeldOut:
    truth = np.array([1.0, 2.0, 4.0], dtype=np.float32)
    scores = np.array([[1.5], [2.0], [3.0]])
    return HeldOut(np.ones((3, 4), dtype=np.float32), truth, labels=None, scores=scores, trained_on=7)


@pytest.mark.parametrize("held_out", [classes(), numbers()])
def test_answer_of_scikit_learn_is_right_in_float32_too(held_out):
    for index in range(3):
        expected = held_out.expected(index)
        assert held_out.is_right(index, {**expected, "scores": expected["scores"].astype(np.float32)})


@pytest.mark.parametrize("held_out", [classes(), numbers()])
@pytest.mark.parametrize("factor", [1.001, 0.999, -1.0, np.nan, np.inf])
def test_number_beyond_the_tolerance_is_wrong(held_out, factor):
    expected = held_out.expected(1)
    assert not held_out.is_right(1, {**expected, "scores": expected["scores"] * factor})


def test_other_class_is_wrong_though_its_probabilities_are_right():
    expected = classes().expected(1)
    assert not classes().is_right(1, {**expected, "label": np.array([0])})


@pytest.mark.parametrize("lost", ["label", "scores"])
def test_answer_that_lacks_an_output_is_wrong(lost):
    assert not classes().is_right(0, {name: array for name, array in classes().expected(0).items() if name != lost})


def test_answer_to_another_row_is_wrong():
    for held_out in (classes(), numbers()):
        assert not held_out.is_right(0, held_out.expected(1))


def test_answer_to_two_rows_is_wrong():
    assert not classes().is_right(0, {"label": np.array([0, 1]), "scores": np.array([[0.9, 0.1], [0.2, 0.8]])})


def test_accuracy_is_the_share_of_true_classes_and_not_of_right_answers():
    assert classes().score({row: classes().expected(row) for row in range(3)}) == pytest.approx(2 / 3)


def test_r2_is_that_of_scikit_learn():
    held_out = numbers()
    answers = {row: held_out.expected(row) for row in (2, 0, 1)}
    assert held_out.score(answers) == pytest.approx(r2_score(held_out.truth, held_out.scores[:, 0]))


def test_answer_without_a_class_counts_as_false():
    answers = {row: classes().expected(row) for row in range(3)}
    assert classes().score({**answers, 0: {"scores": np.array([[0.9, 0.1]])}}) == pytest.approx(1 / 3)


@pytest.mark.parametrize("held_out", [classes(), numbers()])
def test_held_out_rows_come_back_from_their_file(held_out, tmp_path):
    held_out.write(tmp_path, "some")
    read = HeldOut.read(tmp_path, "some")

    assert (read.trained_on, read.measure, len(read)) == (7, held_out.measure, 3)
    assert np.array_equal(read.rows, held_out.rows)
    assert read.is_right(2, held_out.expected(2))


def test_answer_is_described_as_class_or_number():
    assert describe(classes().expected(1)) == "class 1 at 0.8000"
    assert describe(numbers().expected(2)) == "3.0000"


def test_every_row_is_asked_once_in_the_same_mixture_each_time():
    held_out = {"a": classes(), "b": numbers()}
    questions = every_row(held_out)

    assert sorted(questions) == [(model, row) for model in "ab" for row in range(3)]
    assert questions == every_row(held_out)
    assert [question.model for question in questions] != ["a"] * 3 + ["b"] * 3


def test_load_asks_each_model_about_as_often():
    asked = Counter(question.model for question in mixture({"a": classes(), "b": numbers()}, 1000))
    assert asked.total() == 1000
    assert min(asked.values()) > 400


def test_demo_without_a_fault_has_none_to_say():
    assert figures().faults == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            {"held_out": tally(right={"a": 8}, wrong={"a": 1, "b": 1})},
            "held_out: 2 of 10 answers wrong: 1 of a, 1 of b",
        ),
        ({"load": tally(right={"a": 9}, missing=["no reply"])}, "load: 1 of 10 answers missing; the first: no reply"),
        ({"calm": tally(right={"a": 4}, wanted=10)}, "calm: 6 of 10 answers missing"),
        ({"replies": 41}, "41 replies to 40 requests"),
        ({"doubles": 1}, "1 answer came double"),
    ],
)
def test_each_fault_is_said_and_makes_the_demo_fail(change, said):
    assert figures(**change).faults == [said]
    assert not figures(**change).as_json()["good"]


def sample(count: float, rows: float) -> Sample:
    return Sample("http://127.0.0.1:1", 0.0, batch_rows={"a": Histogram((float("inf"),), (count,), rows)})


def test_batches_are_those_between_two_looks_at_all_processes():
    found = batches_between([sample(10, 100), Sample("", 0.0)], [sample(12, 160), sample(2, 4)])

    assert found == {"a": Batches(4, 64)}
    assert together(found).mean_rows == 16


def test_process_that_did_not_answer_is_left_out_of_the_batches():
    assert batches_between([None, sample(0, 0)], [sample(9, 9), sample(1, 5)]) == {"a": Batches(1, 5)}
    assert np.isnan(together(batches_between([None], [None])).mean_rows)
