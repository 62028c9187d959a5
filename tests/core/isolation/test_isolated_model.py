"""A model in a process of its own: real processes that really die."""

import asyncio
import os
import signal
import sys
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from penstock.core.isolation.isolated_model import IsolatedModel
from penstock.core.model import Array
from penstock.core.python_model import load_python_model
from penstock.core.self_test import self_test
from penstock.schemas.errors import ModelCrashed, ModelDown, ModelError
from tests.support.waiting import until
from tests.support.worker_process import alive

FILE = """
import ctypes
import os
import signal
import time
from pathlib import Path

from penstock.core.model import Signature, TensorSpec

SIGNATURE = Signature(inputs=(TensorSpec("x", "FP32", (1,)),), outputs=(TensorSpec("y", "FP32", (1,)),))
HERE = Path(__file__).parent


def load(folder):
    if (folder / "refuse").exists():
        raise ValueError("told to")
    if (folder / "die").exists():
        os._exit(9)


def predict(inputs):
    kind = int(inputs["x"].max())
    if kind == 1:
        ctypes.string_at(0)
    if kind == 2:
        os._exit(3)
    if kind == 3:
        (HERE / "hangs").touch()
        ctypes.PyDLL(None).sleep(3600)  # native code that keeps the interpreter lock
    if kind == 4:
        raise ValueError("secret")
    if kind == 5:
        raise SystemExit(1)
    return {"y": inputs["x"] * 2}


def close():
    (HERE / "closed").touch()
"""
SEGFAULT, EXIT, HANG, RAISE, SYS_EXIT = 1, 2, 3, 4, 5


def of(kind: float) -> dict[str, Array]:
    return {"x": np.full((2, 1), kind, np.float32)}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "model.py").write_text(FILE)
    return tmp_path


@pytest.fixture
def model(folder: Path) -> Iterator[IsolatedModel]:
    made = IsolatedModel("m", "1", partial(load_python_model, "m", "1", folder / "model.py"), run_timeout_s=0.5)
    yield made
    made.close()


def assert_serves(model: IsolatedModel) -> None:
    assert model.run(of(-1))["y"].tolist() == [[-2.0], [-2.0]]


@pytest.mark.parametrize(
    ("kind", "status", "said"),
    [
        (SEGFAULT, -signal.SIGSEGV, "died of SIGSEGV"),
        (EXIT, 3, "ended with status 3"),
        (HANG, None, "no answer in 0.5"),
    ],
)
def test_whatever_ends_its_process_fails_the_batch_and_the_next_one_runs(
    model: IsolatedModel, kind: int, status: int | None, said: str
) -> None:
    before = model.pid
    with pytest.raises(ModelCrashed, match=said) as crash:
        model.run(of(kind))
    assert crash.value.status == status
    assert before is not None
    assert not alive(before)
    assert_serves(model)
    assert model.pid != before


@pytest.mark.parametrize("kind", [RAISE, SYS_EXIT])
def test_an_exception_is_a_model_error_and_costs_no_process(model: IsolatedModel, kind: int) -> None:
    before = model.pid
    with pytest.raises(ModelError) as error:
        model.run(of(kind))
    assert not isinstance(error.value, ModelCrashed)
    assert "secret" not in str(error.value)
    assert model.pid == before


def test_a_process_that_was_killed_between_two_batches_costs_no_batch(model: IsolatedModel) -> None:
    assert model.pid is not None
    os.kill(model.pid, signal.SIGKILL)
    os.waitid(os.P_PID, model.pid, os.WEXITED | os.WNOWAIT)
    assert_serves(model)


@pytest.mark.parametrize("reason", ["refuse", "die"])
def test_a_model_that_cannot_be_started_again_is_down_until_it_can(
    model: IsolatedModel, folder: Path, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("penstock.core.isolation.isolated_model._PAUSES_S", (0.0, 0.01))
    monkeypatch.setattr("penstock.core.isolation.isolated_model._MAX_DOWN_S", 0.0)
    (folder / reason).touch()
    with pytest.raises(ModelCrashed):
        model.run(of(EXIT))
    for _ in range(2):
        with pytest.raises(ModelDown, match="m@1 is down, its process cannot be started again"):
            model.run(of(-1))
    (folder / reason).unlink()
    assert_serves(model)


def test_what_is_down_fails_at_once_between_two_attempts(
    model: IsolatedModel, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("penstock.core.isolation.isolated_model._PAUSES_S", (0.0,))
    (folder / "refuse").touch()
    with pytest.raises(ModelCrashed):
        model.run(of(EXIT))
    with pytest.raises(ModelDown):
        model.run(of(-1))
    (folder / "refuse").unlink()
    with pytest.raises(ModelDown, match="told to"):
        model.run(of(-1))
    assert model.pid is None


def test_another_model_in_its_place_is_not_taken(
    model: IsolatedModel, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("penstock.core.isolation.isolated_model._PAUSES_S", (0.0,))
    (folder / "model.py").write_text(FILE.replace('TensorSpec("y", "FP32", (1,))', 'TensorSpec("y", "FP32", (-1,))'))
    with pytest.raises(ModelCrashed):
        model.run(of(EXIT))
    with pytest.raises(ModelDown, match="takes or gives something else"):
        model.run(of(-1))


@pytest.mark.parametrize(("reason", "said"), [("refuse", "told to"), ("die", "ended with status 9 while loading")])
def test_a_model_that_cannot_be_loaded_says_why(folder: Path, reason: str, said: str) -> None:
    (folder / reason).touch()
    with pytest.raises(ModelError, match=said):
        IsolatedModel("m", "1", partial(load_python_model, "m", "1", folder / "model.py"), run_timeout_s=1)


def test_it_passes_its_self_test_in_its_process(model: IsolatedModel) -> None:
    self_test(model, finite=True)


def test_closing_lets_the_model_close_and_its_process_end(model: IsolatedModel, folder: Path) -> None:
    pid = model.pid
    assert pid is not None
    model.close()
    assert (folder / "closed").exists()
    assert not alive(pid)
    model.close()


async def test_closing_ends_a_process_that_hangs(folder: Path) -> None:
    model = IsolatedModel("m", "1", partial(load_python_model, "m", "1", folder / "model.py"), run_timeout_s=60)
    pid, failures = model.pid, list[Exception]()

    def run() -> None:
        try:
            model.run(of(HANG))
        except ModelError as error:
            failures.append(error)

    running = threading.Thread(target=run)
    running.start()
    await until((folder / "hangs").exists)
    model.close()
    running.join(5)
    assert [str(error) for error in failures] == ["m@1 is closed"]
    assert pid is not None
    assert not alive(pid)


PARENT = """
import sys, threading
from functools import partial
from pathlib import Path
import numpy as np
from penstock.core.isolation.isolated_model import IsolatedModel
from penstock.core.python_model import load_python_model

made = []
opening = partial(load_python_model, "m", "1", Path(sys.argv[1]))
loading = threading.Thread(target=lambda: made.append(IsolatedModel("m", "1", opening, run_timeout_s=60)))
loading.start()  # a thread that ends, as those that load models do
loading.join()
print(made[0].pid, flush=True)
made[0].run({"x": np.full((1, 1), 3, np.float32)})
"""


async def test_it_dies_with_its_parent_even_where_native_code_hangs(folder: Path) -> None:
    parent = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", PARENT, str(folder / "model.py")), stdout=asyncio.subprocess.PIPE
    )
    assert parent.stdout is not None
    pid = int(await parent.stdout.readline())
    await until((folder / "hangs").exists)
    assert alive(pid)
    parent.kill()
    await parent.wait()
    await until(lambda: not alive(pid), within_s=5, what="the end of the model's process")


def test_signals_that_end_a_service_leave_it_to_its_worker(model: IsolatedModel) -> None:
    assert model.pid is not None
    for number in (signal.SIGTERM, signal.SIGINT):
        os.kill(model.pid, number)
    before = model.pid
    assert_serves(model)
    assert model.pid == before
