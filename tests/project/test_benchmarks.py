"""The comparison of `make bench`: what it judges and measures, and one small run of all of it."""

import json
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import orjson
import pytest
from confluent_kafka import Consumer, Producer

from benchmarks.latency import timed_replies
from benchmarks.machine import command_line
from benchmarks.measure import StalledError, check_replies, wait_for_replies
from benchmarks.plan import read_plan
from benchmarks.topics import Topics
from benchmarks.workload import MODEL, PARTITIONS, Workload
from penstock.cli.demo.held_out import HeldOut

ROOT = Path(__file__).resolve().parents[2]
SCORES = np.array([[0.9, 0.1], [0.2, 0.8]])


@pytest.fixture
def workload(tmp_path: Path) -> Workload:
    return Workload(hold_out(tmp_path))


@pytest.fixture
def raw(tmp_path: Path) -> Workload:
    return Workload(hold_out(tmp_path), raw=True)


def hold_out(folder: Path) -> Path:
    """Two rows: request 0 is of class 0, request 1 of class 1, and so on in turn."""
    rows, labels = np.arange(60, dtype=np.float32).reshape(2, 30), np.array([0, 1])
    HeldOut(rows, labels, labels=labels, scores=SCORES, trained_on=1).write(folder, MODEL)
    return folder


def reply(index: int, label: int | None = None, scores: list[float] | None = None) -> bytes:
    """A reply to a request: the right one, but for what is given."""
    outputs = [
        {"name": "label", "datatype": "INT64", "shape": [1], "data": [index % 2 if label is None else label]},
        {"name": "p", "datatype": "FP32", "shape": [1, 2], "data": scores or SCORES[index % 2].tolist()},
    ]
    return orjson.dumps({"id": f"r-{index}", "outputs": outputs})


def test_right_reply_is_right(workload: Workload) -> None:
    assert [workload.is_right(reply(index)) for index in (0, 1, 7)] == [(0, True), (1, True), (7, True)]
    assert workload.is_right(reply(0, scores=[0.90001, 0.10001]))[1]


@pytest.mark.parametrize(
    "value",
    [
        reply(4, label=1),
        reply(4, scores=[0.9, 0.11]),
        reply(4, scores=[0.9]),
        b'{"id":"r-4","error":"no model","code":"UNKNOWN_MODEL"}',
        b'{"id":"r-4","outputs":[]}',
    ],
)
def test_wrong_reply_is_wrong_and_known_by_its_id(workload: Workload, value: bytes) -> None:
    assert workload.is_right(value) == (4, False)


def test_reply_that_cannot_be_read_is_known_by_its_key_or_not_at_all(workload: Workload) -> None:
    assert workload.judge(b"r-4", b"\xff") == (4, False)
    assert workload.judge(None, b"{}") == (-1, False)
    assert workload.judge(b"x", None) == (-1, False)


def test_raw_reply_is_the_label_of_its_key(raw: Workload) -> None:
    zero, one = (label.to_bytes(8, "little") for label in (0, 1))
    assert (raw.judge(b"r-2", zero), raw.judge(b"r-3", one)) == ((2, True), (3, True))
    assert (raw.judge(b"r-2", one), raw.judge(b"r-2", b"{}"), raw.judge(None, zero)[0]) == ((2, False), (2, False), -1)


def test_echo_is_the_request_byte_for_byte(workload: Workload, raw: Workload) -> None:
    for each in (workload, raw):
        assert each.is_echo(b"r-5", each.value(5)) == (5, True)
        assert each.is_echo(b"r-5", each.value(4)) == (5, False)
    assert raw.value(1) == np.arange(30, 60, dtype="<f4").tobytes()
    assert orjson.loads(workload.value(1))["inputs"][0]["data"] == list(range(30, 60))


@pytest.fixture
def replies(bootstrap: str, request: pytest.FixtureRequest) -> str:
    return Topics(bootstrap).make(f"bench-{request.node.name[:80]}")


def write(bootstrap: str, topic: str, values: list[bytes]) -> None:
    producer = Producer({"bootstrap.servers": bootstrap})
    for number, value in enumerate(values):
        producer.produce(topic, value, partition=number % PARTITIONS)
    assert producer.flush(10) == 0


def test_missing_double_and_wrong_replies_are_counted(bootstrap: str, replies: str, workload: Workload) -> None:
    write(bootstrap, replies, [reply(0), reply(1), reply(1), reply(3, label=0), reply(99), b"?"])
    found = check_replies(bootstrap, replies, workload, 4)
    assert (found.missing, found.double, found.wrong) == (1, 1, 3)
    assert found.fault == "1 replies missing, 1 double, 3 wrong"


def test_all_right_is_no_fault(bootstrap: str, replies: str, workload: Workload) -> None:
    write(bootstrap, replies, [reply(index) for index in range(20)])
    wait_for_replies(Topics(bootstrap), replies, 20)
    assert check_replies(bootstrap, replies, workload, 20).fault == ""


def test_wait_ends_when_replies_stop_coming(bootstrap: str, replies: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.measure._PATIENCE_S", 0.3)
    write(bootstrap, replies, [reply(0)])
    with pytest.raises(StalledError, match="1 of 2 replies came"):
        wait_for_replies(Topics(bootstrap), replies, 2)


def test_latency_is_of_each_request_and_doubles_are_seen(bootstrap: str, workload: Workload) -> None:
    topics, stopping = Topics(bootstrap), threading.Event()
    asked, told = topics.make("bench-asked"), topics.make("bench-told")

    def answer() -> None:
        consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "bench-a", "auto.offset.reset": "earliest"})
        consumer.subscribe([asked])
        producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 0})
        while not stopping.is_set():
            message = consumer.poll(0.05)
            if message is not None and message.error() is None:
                index = int((message.key() or b"")[2:])
                for _ in range(2 if index == 100 else 1):
                    producer.produce(told, reply(index, label=1 if index == 102 else None))
                producer.poll(0)
        producer.flush(5)
        consumer.close()

    answering = threading.Thread(target=answer)
    answering.start()
    try:
        found = timed_replies(bootstrap, asked, told, workload, per_second=50, seconds=1)
    finally:
        stopping.set()
        answering.join()
    assert len(found.ms) == 50
    assert (found.ms > 0).all()
    assert found.wrong == 1
    assert found.double <= 1  # the double of request 100 may come after the last first reply
    assert "1 wrong" in found.fault


def test_plan_holds_what_the_command_line_says() -> None:
    plan = read_plan(["--quick", "--workloads", "vb", "--contestants", "penstock", "quix"])
    assert (plan.workloads, plan.requests("vb"), plan.rounds) == (["vb"], 5000, 1)
    assert [each.name for each in plan.contestants] == ["penstock", "quix"]
    assert "quix" not in [each.name for each in read_plan([]).contestants]
    assert (read_plan([]).requests("vj"), read_plan(["--count", "7"]).requests("vj")) == (50_000, 7)
    for wrong in (["--workloads", "xx"], ["--count", "0"], ["--contestants", "nobody"]):
        with pytest.raises(SystemExit):
            read_plan(wrong)


def test_command_that_is_kept_names_no_folder() -> None:
    told = command_line(["--parts", "rates", "--output", "/here", "--rounds", "3", "--output=/there"])
    assert told == "python -m benchmarks.compare --parts rates --rounds 3"


def test_comparison_measures_checks_and_writes(tmp_path: Path) -> None:
    arguments = [
        "--parts",
        "rates",
        "--workloads",
        "tj",
        "--count",
        "2000",
        "--rounds",
        "1",
        "--contestants",
        "expert",
        "penstock",
    ]
    ran = subprocess.run(
        [*(sys.executable, "-m", "benchmarks.compare"), *arguments, "--output", tmp_path],
        cwd=ROOT, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    kept = json.loads((tmp_path / "results.json").read_text())
    assert [each["contestant"] for each in kept["runs"]] == ["expert", "penstock"]
    assert all(each["requests"] == 2000 and each["per_second"] > 0 and each["peak_mib"] > 20 for each in kept["runs"])
    assert kept["runs"][0]["ratio"] == 1
    (told,) = kept["sessions"].values()
    assert told["versions"]["penstock"]["onnxruntime"]
    assert str(tmp_path) not in json.dumps(kept)
    assert "| **Penstock** |" in (tmp_path / "README.md").read_text()
    assert "<svg" in (tmp_path / "rates.svg").read_text()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["README.md", "rates.svg", "results.json"]
