"""`penstock model`: what lies in a repository, what a model takes, and whether it is fit to be served."""

import asyncio
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest
from onnx import helper

from penstock.cli.main import app
from penstock.cli.model.checks import Verified, check, sizes_of
from penstock.cli.model.example import example_of
from penstock.core.binding import bind
from penstock.core.callable_model import CallableModel
from penstock.core.model import Signature, TensorSpec
from penstock.schemas.errors import ConfigurationError, ModelError
from penstock.schemas.limits import Limits
from penstock.schemas.oip import read_request
from tests.core.onnx_models import FLOAT, save, save_doubler
from tests.support.command import environment
from tests.support.worker_inside import InsideWorker

X = TensorSpec("x", "FP32", (3,))
Y = TensorSpec("y", "FP32", (3,))

_PYTHON = """
import numpy as np
from penstock.core.model import Signature, TensorSpec
SIGNATURE = Signature(inputs=({inputs}), outputs=(TensorSpec("y", "{output}", ()),))
def predict(inputs):
    return {{"y": {answer}}}
"""


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty repository, which is that of the settings."""
    path = tmp_path / "models"
    path.mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PENSTOCK_MODELS__REPOSITORY", "models")
    return path


def add(root: Path, *versions: str, name: str = "doubler", config: str | None = None) -> None:
    for version in versions:
        save_doubler(root / name / version / "model.onnx")
    if config is not None:
        (root / name / "config.pbtxt").write_text(config)


def add_python(
    root: Path, name: str, answer: str, *, inputs: str = 'TensorSpec("x", "FP32", (2,)),', output: str = "FP32"
) -> None:
    (root / name / "1").mkdir(parents=True)
    (root / name / "1" / "model.py").write_text(_PYTHON.format(inputs=inputs, output=output, answer=answer))


@pytest.fixture
def model(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Run a subcommand in this process: its status, and what it printed."""

    def run(*arguments: object) -> tuple[int, str, str]:
        capsys.readouterr()
        status = app(["model", *map(str, arguments)], standalone_mode=False)
        out, err = capsys.readouterr()
        return status or 0, out, err

    return run


def rows_of(out: str) -> list[list[str]]:
    """The rows of a table, after its heading."""
    lines = [line.split() for line in out.splitlines()]
    return lines[[line[0] for line in lines].index("model") + 1 :]


def test_list_has_every_version_and_says_which_are_served(root, model):
    add(root, "1", "3", "10", config="version_policy { latest { num_versions: 2 } }")
    add_python(root, "sum", 'inputs["x"].sum(axis=1)')
    status, out, _ = model("list")
    assert status == 0
    assert [row[:5] for row in rows_of(out)] == [
        ["doubler", "1", "no", "onnx", rows_of(out)[0][4]],
        ["doubler", "3", "by", "version", "onnx"],
        ["doubler", "10", "by", "default", "onnx"],
        ["sum", "1", "by", "default", "python"],
    ]


def test_list_as_json_has_paths_and_bytes(root, model, monkeypatch):
    add(root, "1")
    monkeypatch.setenv("PENSTOCK_MODELS__DEFAULT", "doubler")
    (found,) = orjson.loads(model("list", "--json")[1])
    path = root / "doubler/1/model.onnx"
    assert found == {
        "model": "doubler",
        "version": "1",
        "served": True,
        "serves_by_default": True,
        "default_model": True,
        "kind": "onnx",
        "path": "models/doubler/1/model.onnx",
        "bytes": path.stat().st_size,
        "verified": False,
        "aliases": [],
    }


def test_faulty_model_does_not_hide_the_others(root, model):
    add(root, "1")
    (root / "half" / "1").mkdir(parents=True)
    status, out, err = model("list")
    assert [row[0] for row in rows_of(out)] == ["doubler"]
    assert "half@1 has no model.onnx or model.py" in err
    assert status == 2


@pytest.mark.parametrize(
    ("given", "meant"),
    [("models/doubler", "--repository models"), ("models/doubler/1", "--repository models"), (".", "models")],
)
def test_folder_one_level_off_is_answered_with_the_one_meant(root, model, given, meant):
    add(root, "1")
    for command in ("list", "verify"):
        with pytest.raises(ConfigurationError) as caught:
            model(command, "--repository", given)
        assert str(caught.value).startswith(f"{given} ")
        assert str(caught.value).endswith(meant)


def test_missing_repository_names_the_option(root, model, monkeypatch):
    monkeypatch.delenv("PENSTOCK_MODELS__REPOSITORY")
    with pytest.raises(ConfigurationError, match=r"(?s)models\.repository: required.*--repository"):
        model("list")


def test_show_tells_inputs_outputs_and_who_made_it(root, model):
    add(root, "1")
    _, out, _ = model("show", "doubler")
    lines = out.splitlines()
    assert lines[0].startswith("doubler@1  onnx, ")
    assert "IR version 9; operators ai.onnx 18" in lines[1]
    assert ["input", "x", "FP32", "[rows,", "3]"] in [line.split() for line in lines]
    assert ["output", "y", "FP32", "[rows,", "3]"] in [line.split() for line in lines]
    assert "at most 512 (batching.max_rows)" in out
    assert "  echo '[1, 1, 1]' | penstock predict doubler" in lines


def test_show_takes_a_version_that_is_not_served(root, model):
    add(root, "1", "2")
    _, out, err = model("show", "doubler", "1")
    assert "penstock predict doubler@1" in out
    assert "Version 1 is not served" in err
    assert orjson.loads(model("show", "doubler@1", "--json")[1])["served"] is False


def test_show_of_what_is_not_there_names_what_is(root, model):
    add(root, "1")
    with pytest.raises(ModelError, match="there is no model 'dubler' in models; there is doubler"):
        model("show", "dubler")
    with pytest.raises(ModelError, match="model 'doubler' has no version '7'; it has 1"):
        model("show", "doubler", "7")


def test_example_that_the_model_refuses_is_marked(root, model):
    add_python(root, "picky", "1 / 0", inputs='TensorSpec("s", "BYTES", (1,)),')
    _, out, err = model("show", "picky")
    assert "echo '[\"a\"]' | penstock predict picky" in out
    assert "does not answer this example, which is made up: picky@1 raised ZeroDivisionError" in err


@pytest.mark.parametrize(
    "inputs",
    [
        (TensorSpec("x", "FP32", (3,)),),
        (TensorSpec("x", "INT64", (2, 2)),),
        (TensorSpec("x", "BYTES", (2,)),),
        (TensorSpec("x", "FP64", ()),),
        (TensorSpec("a", "INT64", (1,)), TensorSpec("b", "BYTES", (1,)), TensorSpec("c", "BOOL", (1,))),
        (TensorSpec("big", "FP32", (3, 20, 20)),),
        (TensorSpec("big", "INT64", (300,)), TensorSpec("word's", "BYTES", (1,))),
    ],
)
async def test_example_works_as_it_is_printed(lane, tmp_path, inputs):
    specs = "".join(f"TensorSpec({spec.name!r}, {spec.datatype!r}, {spec.shape!r})," for spec in inputs)
    add_python(tmp_path, "any", "np.zeros(len(next(iter(inputs.values()))), np.float32)", inputs=specs)
    python = shlex.quote(sys.executable)
    commands = example_of("any", Signature(inputs, (Y,))).commands
    defined = [f'penstock() {{ {python} -m penstock.cli.main "$@"; }}', f'python() {{ {python} "$@"; }}']
    variables = {
        "PENSTOCK_KAFKA__BOOTSTRAP_SERVERS": lane.bootstrap,
        "PENSTOCK_WORKER__REQUEST_TOPICS": lane.requests,
        "PENSTOCK_WORKER__REPLY_TOPIC": lane.replies,
    }
    async with InsideWorker(lane, tmp_path, None):
        ran = await asyncio.to_thread(
            subprocess.run,
            ["bash", "-ec", "\n".join([*defined, *commands])],
            env=environment(variables),
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert ran.returncode == 0, ran
    assert ran.stdout.splitlines()[1].split() == ["1", "0", "any@1"]
    assert ran.stderr.startswith("1 answered, 0 failed")


def test_example_as_the_value_of_a_request_fits_the_model():
    inputs = (TensorSpec("a", "INT8", (2, -1)), TensorSpec("b", "BYTES", ()), TensorSpec("c", "BOOL", (1,)))
    for batched in (True, False):
        signature = Signature(inputs, (Y,), batched=batched)
        body = example_of("any", signature).body
        assert body is not None
        bound = bind(read_request(orjson.loads(body), Limits()), signature)
        assert bound.rows == 1


def test_sound_models_are_verified_with_their_times(root, model):
    add(root, "1")
    add_python(root, "sum", 'inputs["x"].sum(axis=1)')
    status, out, err = model("verify")
    assert (status, err) == (0, "")
    assert [(row[0], row[-1]) for row in rows_of(out)] == [("doubler@1", "ok"), ("sum@1", "ok")]
    assert all(len(row) == 5 for row in rows_of(out))
    (found,) = orjson.loads(model("verify", "sum", "--json")[1])
    assert set(found["ms"]) == {"1", "64"}
    assert (found["faults"], found["unchecked"]) == ([], None)


def test_what_a_model_prints_does_not_spoil_the_json(root, model):
    add_python(root, "chatty", '[print("hello"), inputs["x"].sum(axis=1)][1]')
    for command in ("verify", "show"):
        status, out, err = model(command, "chatty", "--json")
        assert status == 0
        assert orjson.loads(out)
        assert "hello" in err


def test_faulty_version_makes_the_status_1_and_is_told_what_to_do(root, model):
    add(root, "1")
    (root / "broken" / "1").mkdir(parents=True)
    (root / "broken" / "1" / "model.onnx").write_bytes(b"not a model at all")
    status, out, err = model("verify")
    assert status == 1
    assert [(row[0], row[-1]) for row in rows_of(out)] == [("broken@1", "fault"), ("doubler@1", "ok")]
    assert "broken@1 cannot be loaded from models/broken/1/model.onnx" in err
    assert model("verify", "doubler")[0] == 0


def test_model_that_a_worker_could_not_warm_up_is_told(root, model):
    add_python(root, "words", '{"yes": 1.0}[inputs["s"][0, 0]]', inputs='TensorSpec("s", "BYTES", (1,)),')
    status, _, err = model("verify", "words")
    assert status == 1
    assert err.startswith("words@1 raised KeyError. A worker warms models/words/1/model.py up with zeros and empty")


def test_rows_that_do_not_fit_are_told(root, model):
    add(root, "1")
    (root / "rows.csv").write_text("1,2\n")
    status, _, err = model("verify", "doubler", "--rows", root / "rows.csv")
    assert status == 1
    assert "rows.csv does not fit the model: input 'x' has shape [1, 2]; the model takes [rows, 3]" in err


def function(answer: Callable[[Any], Any]) -> CallableModel:
    return CallableModel("m", "1", lambda inputs: {"y": answer(inputs["x"])}, Signature((X,), (Y,)))


def faults_of(model: Any, rows: Any = None, most_rows: int = 100) -> list[str]:
    verified = Verified("m@1")
    steps = 0

    def step() -> None:
        nonlocal steps
        steps += 1

    check(model, rows, most_rows, verified, step)
    assert verified.unchecked is None
    assert steps <= len(sizes_of(most_rows)) + 1
    return verified.faults


def test_model_that_keeps_rows_apart_has_no_fault():
    assert faults_of(function(lambda x: x * 2)) == []
    assert faults_of(function(lambda x: x @ np.full((3, 3), 1e3, np.float32))) == []  # rounding depends on the batch


def test_model_that_mixes_rows_is_found():
    (fault,) = faults_of(function(lambda x: x - x.mean(axis=0, keepdims=True)))
    assert "output 'y' of a row differs when it runs alone and with 99 others" in fault
    assert "Set max_batch_size: 0" in fault


def test_model_that_draws_lots_is_found():
    draw = np.random.default_rng(0)
    faults = faults_of(function(lambda x: x + draw.normal(size=x.shape).astype(np.float32)))
    assert "differs between two runs on the same rows" in faults[0]


def test_answers_that_are_not_finite_are_found():
    faults = faults_of(function(lambda x: np.where(x > 0, x, np.float32("nan"))))
    assert "output 'y' has NaN or infinity in a run of 1" in faults[0]


def test_batch_that_is_too_large_for_a_model_is_found():
    def answer(x: Any) -> Any:
        if len(x) > 7:
            raise MemoryError
        return x

    (fault,) = faults_of(function(answer))
    assert "m@1 raised MemoryError" in fault
    assert "lower max_batch_size" in fault


def test_onnx_model_with_a_fixed_batch_runs_alone(root, model):
    nodes = [helper.make_node("Add", ["x", "x"], ["y"])]
    save(root / "fixed/1/model.onnx", [("x", FLOAT, [2, 3])], [("y", FLOAT, [2, 3])], nodes)
    _, out, _ = model("show", "fixed")
    assert "Not batched: each request is one whole tensor and runs alone." in out
    assert "Ask it; what is quoted is the value of the request:" in out
    assert model("verify")[0] == 0


def test_model_that_needs_real_rows_is_not_run_without_them(root, model):
    weights = helper.make_node("Constant", [], ["w"], value=helper.make_tensor("w", FLOAT, [4, 1], [1.0] * 4))
    nodes = [weights, helper.make_node("MatMul", ["x", "w"], ["y"])]
    save(root / "secret/1/model.onnx", [("x", FLOAT, ["N", "M"])], [("y", FLOAT, ["N", 1])], nodes)
    (root / "rows.csv").write_text("a,b,c,d,label\n1,2,3,4,0\n5,6,7,8,1\n")

    status, out, err = model("verify", "secret")
    assert (status, rows_of(out)[0][-2:]) == (0, ["not", "run"])
    assert "Made-up rows may be to blame: give real ones with --rows" in err
    status, out, _ = model("verify", "secret", "--rows", root / "rows.csv", "--skip-column", "label")
    assert (status, rows_of(out)[0][-1]) == (0, "ok")


@pytest.mark.parametrize(("most", "sizes"), [(1, [1]), (5, [1, 2, 5]), (64, [1, 2, 7, 64]), (512, [1, 2, 7, 64, 512])])
def test_batch_sizes_go_up_to_the_largest(most, sizes):
    assert sizes_of(most) == sizes
