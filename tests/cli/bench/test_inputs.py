"""What is asked: rows of files and made-up ones, in JSON and raw."""

from pathlib import Path

import numpy as np
import orjson
import pytest
import typer

from penstock.cli.bench.inputs import FileInputs, MadeUpInputs, raw_value, requests_made_up
from penstock.cli.bench.lane import answered, code_of
from penstock.cli.model.rows import made_up
from penstock.cli.predict.choice import CsvChoice
from penstock.cli.predict.numbers import Datatypes
from penstock.cli.predict.rows import InputError
from penstock.cli.predict.source import open_source
from penstock.core.model import Signature, TensorSpec
from penstock.schemas.datatype_mismatch import mismatch
from penstock.schemas.errors import ServiceError

ONE = Signature((TensorSpec("x", "FP32", (2,)),), (TensorSpec("y", "FP32", ()),))
MIXED = Signature((TensorSpec("n", "INT64", (1,)), TensorSpec("city", "BYTES", (1,))), ONE.outputs)


def made(signature: Signature, rows: int = 1, requests: int = 3) -> MadeUpInputs:
    return MadeUpInputs(signature, rows, made_up(signature, rows * requests))


def file_inputs(path: Path, text: str, rows: int = 1) -> FileInputs:
    path.write_text(text)
    return FileInputs(open_source(str(path), None, CsvChoice()), rows, Datatypes())


def tensors(value: bytes) -> dict[str, tuple[str, list[int]]]:
    return {each["name"]: (each["datatype"], each["shape"]) for each in orjson.loads(value)["inputs"]}


def test_made_up_requests_are_what_the_signature_says_and_differ():
    pool = made(MIXED, rows=2).pool(raw=False)
    assert [tensors(value) for value in pool.values] == [{"n": ("INT64", [2, 1]), "city": ("BYTES", [2, 1])}] * 3
    assert len(set(pool.values)) > 1
    assert (pool.rows, pool.raw) == (2, False)


def test_made_up_request_of_a_model_that_is_not_batched_is_one_whole_tensor():
    whole = Signature(ONE.inputs, ONE.outputs, batched=False)
    (value,) = made(whole).pool(raw=False).values
    assert tensors(value) == {"x": ("FP32", [2])}


def test_raw_request_is_the_bytes_of_its_tensor():
    rows = made_up(ONE, 6)
    pool = MadeUpInputs(ONE, 2, rows).pool(raw=True)
    assert b"".join(pool.values) == rows["x"].astype("<f4").tobytes()
    assert pool.value_bytes == 2 * 2 * 4


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"a": np.zeros((1, 1)), "b": np.zeros((1, 1))}, "several inputs"),
        ({"a": np.array([["x"]], dtype=object)}, "strings"),
    ],
)
def test_what_has_no_raw_form_is_told(arrays, said):
    with pytest.raises(typer.BadParameter, match=said):
        raw_value(arrays)


def test_large_requests_are_made_up_in_smaller_number():
    image = Signature((TensorSpec("x", "FP32", (3, 224, 224)),), ONE.outputs)
    assert requests_made_up(ONE, 1) == 1000
    assert requests_made_up(image, 1) == 13
    assert requests_made_up(image, 1000) == 1


def test_file_makes_requests_of_so_many_rows_and_leaves_a_rest_out(tmp_path: Path):
    inputs = file_inputs(tmp_path / "rows.csv", "1,2\n3,4\n5,6\n7,8\n9,10\n", rows=2)
    pool = inputs.pool(raw=False)
    assert [orjson.loads(value)["inputs"][0]["data"] for value in pool.values] == [[1, 2, 3, 4], [5, 6, 7, 8]]
    assert pool.rows == 2


def test_file_with_fewer_rows_than_a_request_needs_is_told(tmp_path: Path):
    with pytest.raises(InputError, match="1 rows are too few for --rows-per-request 2"):
        file_inputs(tmp_path / "rows.csv", "1,2\n", rows=2)


def test_file_without_rows_is_told(tmp_path: Path):
    with pytest.raises(InputError, match="no rows"):
        file_inputs(tmp_path / "rows.jsonl", "")


def test_datatype_that_the_service_wants_is_learned(tmp_path: Path):
    inputs = file_inputs(tmp_path / "rows.csv", "1,2\n")
    assert tensors(inputs.first()) == {"": ("FP32", [1, 2])}
    assert inputs.learn(ServiceError("BAD_DTYPE", mismatch("x", "INT64", "FP32")))
    assert tensors(inputs.first()) == {"": ("INT64", [1, 2])}


def test_whole_request_is_sent_as_it_is_and_has_no_raw_form(tmp_path: Path):
    body = '{"inputs":[{"name":"x","shape":[2,1],"datatype":"FP32","data":[1.0,2.0]}]}'
    inputs = file_inputs(tmp_path / "rows.jsonl", body)
    assert (inputs.pool(raw=False).values, inputs.pool(raw=False).rows) == ((body.encode(),), 2)
    with pytest.raises(typer.BadParameter, match="whole requests"):
        inputs.pool(raw=True)


def test_answer_is_told_from_an_error_reply_and_from_a_dead_letter():
    assert answered(b"\x00", {"penstock-model": b"iris@2"}).model == "iris@2"
    failed = answered(b'{"error": "no", "code": "BAD_SHAPE"}', {"penstock-error": b"BAD_SHAPE"}).error
    assert (failed and failed.code, failed and failed.message) == ("BAD_SHAPE", "no")
    dead = answered(b'{"inputs": []}', {"penstock-reason": b"REPLY_FORBIDDEN", "penstock-model": b"iris"}).error
    assert dead is not None
    assert dead.code == code_of({"penstock-reason": b"REPLY_FORBIDDEN"}) == "REPLY_FORBIDDEN"
