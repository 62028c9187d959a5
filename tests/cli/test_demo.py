"""`penstock demo` as a process, on a Kafka of its own: what it says, and that nothing of it stays behind."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from penstock.cli.demo.guarded import DemoError
from penstock.cli.demo.models import CANDIDATE
from penstock.cli.demo.training import train
from tests.support import cluster
from tests.support.command import Ran, environment, interrupt_when, penstock
from tests.support.waiting import until

MODELS = ("breast-cancer", "digits", "diabetes")
# What is commanded, and what the answers after it show.
COMMANDS = {
    "deploy diabetes@1": "100 % by version 1",
    "deploy diabetes@2 --canary 10": r"\d+ % by version 1, \d+ % by 2",
    "rollback diabetes": "100 % by version 1",
    "deploy diabetes@2": "100 % by version 2",
    "throttle tenant:acme 500": r"\d+ answers a second",
    "throttle tenant:acme --remove": r"[\d,]+ answers a second",
}
# Runs the demo on models that were trained before: sys.argv[1] is their folder.
ON_TRAINED = """
import shutil, sys
from penstock.cli.demo import service
from penstock.cli.main import main

trained = sys.argv.pop(1)

async def train(folder):
    shutil.copytree(trained, folder, dirs_exist_ok=True)
    return 0.0

service.train = train
main()
"""


@pytest.fixture(autouse=True)
def own_kafka() -> None:
    if reason := cluster.foreign():
        pytest.skip(reason)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The models and held-out rows, as the demo's training leaves them."""
    folder = tmp_path_factory.mktemp("trained")
    subprocess.run([sys.executable, "-m", "penstock.cli.demo.models", str(folder)], check=True)
    return folder


@pytest.fixture
def left(tmp_path: Path) -> Callable[[], list[str]]:
    """What a demo whose temporary folder is `tmp_path` has left: files, and processes by their command lines."""

    def look() -> list[str]:
        mark = f"TMPDIR={tmp_path}".encode()
        return [path.name for path in tmp_path.iterdir()] + [
            process.joinpath("cmdline").read_bytes().replace(b"\0", b" ").decode()
            for process in Path("/proc").glob("[0-9]*")
            if mark in started_with(process)
        ]

    return look


def started_with(process: Path) -> list[bytes]:
    """The variables of a process, in Linux' /proc; those of one that has ended, or is another's, are none."""
    try:
        return (process / "environ").read_bytes().split(b"\0")
    except OSError:
        return []


def on(trained: Path) -> tuple[str, ...]:
    """`penstock`, whose demo does not train."""
    return sys.executable, "-c", ON_TRAINED, str(trained)


def demo_on(trained: Path, temporary: Path, *arguments: str) -> Ran:
    ran = subprocess.run(
        [*on(trained), "demo", *arguments],
        env=environment({"TMPDIR": temporary}),
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    return Ran(ran.returncode, ran.stdout, ran.stderr)


def negate(path: Path) -> None:
    """Turn the sign of a model's largest weights."""
    model = onnx.load(path)
    weights = max(model.graph.initializer, key=lambda each: int(np.prod(each.dims)))
    weights.CopyFrom(numpy_helper.from_array(-numpy_helper.to_array(weights), weights.name))
    onnx.save(model, path)


def test_every_answer_of_all_three_models_is_right_and_nothing_stays_behind(tmp_path, left):
    ran = penstock("demo", "--requests", 500, variables={"TMPDIR": tmp_path}, within_s=120)

    assert (ran.status, ran.err) == (0, "")
    for model in MODELS:
        assert re.search(rf"^  {model} +\D+(\d+) +\1 +(accuracy|R²) \d", ran.out, re.MULTILINE)
    assert "844 of 844 answers right" in ran.out
    assert "500 of 500 answers right" in ran.out
    assert re.search(r"^Commands +6 of 6 done by all, ([\d,]+) of \1 answers right", ran.out, re.MULTILINE)
    for command, shown in COMMANDS.items():
        assert re.search(rf"^  {command} +2 of 2 in [\d.]+ m?s +{shown}$", ran.out, re.MULTILINE), command
    assert re.search(r"^Every answer is right: ([\d,]+) requests, \1 replies, none double", ran.out, re.MULTILINE)
    assert [line for line in ran.out.splitlines() if len(line) > 80 and "penstock" not in line] == []
    assert left() == []


def test_model_that_is_not_the_trained_one_is_found_out(trained, tmp_path, left):
    other, temporary = tmp_path.parent / f"{tmp_path.name}-other", tmp_path
    shutil.copytree(trained, other)
    negate(other / "models" / "digits" / "1" / "model.onnx")
    shutil.copyfile(other / "models" / "diabetes" / "1" / "model.onnx", other / CANDIDATE)  # the first again
    ran = demo_on(other, temporary, "--requests", "300", "--json")

    assert ran.status == 1
    found = json.loads(ran.out)
    assert not found["good"]
    right = {each["name"]: (each["right"], each["held_out"]) for each in found["models"]}
    assert right["digits"][0] < right["digits"][1]
    assert right["breast-cancer"] == (171, 171)
    assert right["diabetes"] == (133, 133)
    assert re.search(r"held_out: \d+ of 844 answers wrong: \d+ of digits$", ran.err, re.MULTILINE)
    assert re.search(r"control: \d+ of \d+ answers wrong: \d+ of diabetes$", ran.err, re.MULTILINE)
    assert [each["applied"] for each in found["commands"]] == [2] * 6
    assert left() == []


async def test_training_that_fails_says_why_in_a_line(tmp_path):
    (tmp_path / "models" / "breast-cancer" / "1").mkdir(parents=True)  # in the way of the first model

    with pytest.raises(DemoError, match=r"^training failed: FileExistsError: .*breast-cancer/1'$"):
        await train(tmp_path)


def test_interrupt_stops_everything_while_kafka_starts_and_models_are_trained(tmp_path, left):
    ran = interrupt_when("demo", seen="Three models", variables={"TMPDIR": tmp_path})

    assert (ran.status, ran.err) == (130, "Stopped.\n")
    assert "Every answer" not in ran.out
    assert left() == []


@pytest.mark.parametrize(
    ("seen", "requests"),
    [("Models", 100_000), ("Held-out rows", 100_000), ("Calm", 100)],
    ids=["workers start", "under load", "commands are given"],
)
def test_interrupt_stops_everything_while(seen, requests, trained, tmp_path, left):
    ran = interrupt_when("demo", "--requests", requests, seen=seen, variables={"TMPDIR": tmp_path}, command=on(trained))

    assert (ran.status, ran.err) == (130, "Stopped.\n")
    assert "Every answer" not in ran.out
    assert left() == []


async def test_nothing_outlives_a_demo_that_is_killed(trained, tmp_path, left):
    ran = interrupt_when(
        *("demo", "--requests", 100_000),
        seen="Held-out rows",
        variables={"TMPDIR": tmp_path},
        number=signal.SIGKILL,
        command=on(trained),
    )

    assert ran.status == -signal.SIGKILL
    await until(lambda: not left(), within_s=30, what=lambda: f"left: {left()}")


def test_kept_service_answers_the_commands_that_are_printed(trained, tmp_path, left):
    with subprocess.Popen(
        [*on(trained), "demo", "--keep", "--requests", "100"],
        env=environment({"TMPDIR": tmp_path}), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True,
    ) as demo:  # fmt: skip
        assert demo.stdout
        assert demo.stderr
        try:
            lines: list[str] = []
            while not lines or "doctor" not in lines[-1]:
                lines.append(demo.stdout.readline())
                assert lines[-1], demo.stderr.read()
            page = [line.strip() for line in lines[lines.index("Kept running until Ctrl-C\n") :]]
            folder = page[page.index(next(line for line in page if line.startswith("cd "))) :]
            for command in folder[1:]:
                ran = subprocess.run(
                    f"{folder[0]} && {command}", shell=True, env=environment(), stdin=subprocess.DEVNULL,
                    capture_output=True, text=True, timeout=60, check=False,
                )  # fmt: skip
                assert ran.returncode == 0, f"{command}: {ran.stdout}{ran.stderr}"
            demo.send_signal(signal.SIGINT)
            assert demo.wait(30) == 0
            assert demo.stderr.read() == "Stopped.\n"
        finally:
            if demo.poll() is None:
                os.killpg(demo.pid, signal.SIGKILL)
    assert left() == []
