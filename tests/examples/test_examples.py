"""Every example does what examples/README.md says, with the model that `penstock init` makes."""

import asyncio
import csv
import json
import sys
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import nbformat
import pytest
from nbclient import NotebookClient

from examples import fastapi_app
from penstock import ClientClosed, PenstockError, RequestTimeout, ServiceError, TransportError
from penstock.broker.ports import free_ports
from tests.support.command import environment, penstock
from tests.support.lane import Lane, new_lane
from tests.support.waiting import until
from tests.support.worker_process import WorkerProcess, variables

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
SETOSA = [5.1, 3.5, 1.4, 0.2]


@dataclass(frozen=True)
class Service:
    """A worker that serves the project of `penstock init`, and what the examples must know of it."""

    project: Path
    lane: Lane

    @property
    def variables(self) -> dict[str, str]:
        return whereabouts(self.lane)


def whereabouts(lane: Lane) -> dict[str, str]:
    return {"KAFKA": lane.bootstrap, "REQUESTS": lane.requests, "REPLIES": lane.replies}


@pytest.fixture(scope="module")
async def service(bootstrap, tmp_path_factory) -> AsyncIterator[Service]:
    project = tmp_path_factory.mktemp("examples") / "my-service"
    made = await asyncio.to_thread(penstock, "init", project)
    assert made.status == 0, made.err
    await ran(project / "train.py")
    lane = await new_lane(bootstrap, "examples")
    async with WorkerProcess(project / "worker.log", variables(lane, project / "models", None)) as process:
        await process.ready()
        yield Service(project, lane)


async def ran(
    program: Path, *arguments: object, variables: Mapping[str, str] | None = None, status: int = 0
) -> tuple[str, str]:
    """Run a program to its end, and return what it printed on standard output and standard error."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, str(program), *map(str, arguments)),
        env=environment(variables),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, errors = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == status, errors.decode()
    return out.decode(), errors.decode()


async def test_plain_script(service):
    out, errors = await ran(EXAMPLES / "plain_script.py", variables=service.variables)

    assert out.startswith(f"iris, version 1, answered request {service.lane.requests}/")
    for species in ("setosa", "versicolor", "virginica"):
        assert f"is {species} (" in out
    assert "With larger petals: setosa, versicolor, virginica\n" in out
    assert "BAD_SHAPE: input 'X' has shape [1, 2]" in out
    assert errors == ""


async def test_plain_script_without_a_broker_says_so_in_few_lines():
    out, errors = await ran(EXAMPLES / "plain_script.py", variables={"KAFKA": "127.0.0.1:1"}, status=1)

    assert out == ""
    assert "plain_script.py: no Kafka broker answers at 127.0.0.1:1" in errors
    assert "Traceback" not in errors


async def test_backfill_answers_every_line_in_its_place(service, tmp_path):
    with (service.project / "rows.csv").open(newline="") as lines:
        header, *rows = csv.reader(lines)
    source, target = tmp_path / "many.csv", tmp_path / "predictions.csv"
    with source.open("w", newline="") as out:
        csv.writer(out).writerows([header, *rows * 200])

    printed, errors = await ran(EXAMPLES / "backfill.py", source, target, variables=service.variables)

    with target.open(newline="") as lines:
        named, *answered = csv.reader(lines)
    assert printed.startswith(f"{200 * len(rows)} rows in ")
    assert named == [*header, "label", "probability"]
    assert [line[:4] for line in answered] == rows * 200
    assert answered == answered[: len(rows)] * 200  # one answer for equal rows
    assert all(0.3 < float(line[5]) <= 1.0 for line in answered)
    assert errors == ""
    assert list(tmp_path.glob("*.part")) == []


async def test_backfill_of_what_is_no_number_leaves_no_file_behind_that_looks_whole(service, tmp_path):
    source, target = tmp_path / "bad.csv", tmp_path / "predictions.csv"
    source.write_text("a,b,c,d\n1,2,3,four\n")

    _, errors = await ran(EXAMPLES / "backfill.py", source, target, status=1, variables=service.variables)

    assert errors.startswith("backfill.py: could not convert string to float: 'four'")
    assert not target.exists()


async def test_embedded_worker(lane):
    out, errors = await ran(EXAMPLES / "embedded_worker.py", variables={**whereabouts(lane), "COUNT": "50"})

    assert "50 readings scored, " in out
    assert errors == ""


async def test_fastapi_app_answers_over_http(service):
    (port,) = free_ports(1)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "uvicorn", "fastapi_app:app", "--app-dir", str(EXAMPLES), "--port", str(port)),
        env=environment(service.variables),
        stderr=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
    )
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as http:

            async def reachable() -> bool:
                try:
                    return (await http.get("/openapi.json")).is_success
                except httpx.TransportError:
                    return False

            await until(reachable, within_s=30)
            answers = await asyncio.gather(*(http.post("/predict", json={"rows": [SETOSA] * n}) for n in range(1, 21)))
            refused = [await http.post("/predict", json={"rows": rows}) for rows in ([], [[1.0]], [["a", 1, 1, 1]])]
    finally:
        process.terminate()
        ended = await asyncio.wait_for(process.wait(), 20)

    assert [answer.json()["labels"] for answer in answers] == [[0] * n for n in range(1, 21)]
    assert {answer.json()["version"] for answer in answers} == {"1"}
    assert [answer.status_code for answer in refused] == [422, 422, 422]
    assert ended in (0, -15)  # newer uvicorns end by the signal that they have heeded


async def test_fastapi_app_without_a_worker_is_a_gateway_timeout(lane, monkeypatch):
    for name, value in {**whereabouts(lane), "TIMEOUT_S": 0.3}.items():
        monkeypatch.setattr(fastapi_app, name, value)
    app = fastapi_app.app
    transport = httpx.ASGITransport(app)
    async with app.router.lifespan_context(app), httpx.AsyncClient(transport=transport, base_url="http://here") as http:
        answer = await http.post("/predict", json={"rows": [SETOSA]})

    assert answer.status_code == 504
    assert "Is a worker reading it" in answer.json()["error"]


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (ServiceError("UNKNOWN_MODEL", ""), 404),
        (ServiceError("VERSION_GONE", ""), 404),
        (ServiceError("BAD_SHAPE", ""), 422),
        (ServiceError("TOO_LARGE", ""), 422),
        (ServiceError("MODEL_FAILED", ""), 502),
        (ServiceError("EXPIRED", "", retryable=True), 504),
        (RequestTimeout(), 504),
        (TransportError(), 503),
        (ClientClosed(), 503),
    ],
)
def test_fastapi_app_gives_each_error_its_status(error: PenstockError, status: int):
    assert fastapi_app.status_of(error) == status


async def test_notebook(service, tmp_path, monkeypatch):
    # A kernel of this very interpreter, whatever other kernels the machine has.
    kernel = tmp_path / "kernels" / "python3"
    kernel.mkdir(parents=True)
    command = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    (kernel / "kernel.json").write_text(json.dumps({"argv": command, "display_name": "3", "language": "python"}))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    for name, value in service.variables.items():
        monkeypatch.setenv(name, value)
    notebook: Any = nbformat.read(EXAMPLES / "notebook.ipynb", as_version=4)
    assert all(not cell.outputs and cell.execution_count is None for cell in notebook.cells if cell.cell_type == "code")

    await NotebookClient(notebook, timeout=60, kernel_name="python3").async_execute()

    shown = {cell.id: json.dumps(cell.outputs) for cell in notebook.cells if cell.cell_type == "code"}
    assert "<SyncClient open" in shown["connect"]
    assert "'1', array([0])" in shown["one"]
    assert shown["many"].count("| setosa |") + shown["many"].count("| versicolor |") > 1
    assert "| virginica |" in shown["many"]
    assert "BAD_SHAPE" in shown["error"]


def test_readme_names_every_example() -> None:
    text = (EXAMPLES / "README.md").read_text()
    programs = [path.name for path in EXAMPLES.iterdir() if path.suffix in (".py", ".ipynb")]
    assert len(programs) == 5
    assert [name for name in programs if name not in text and f"{Path(name).stem}:app" not in text] == []
