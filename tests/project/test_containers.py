"""What the Dockerfile and the compose files say, held to what Docker, Kafka and Penstock know."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from docker.utils.build import exclude_paths  # type: ignore[import-untyped]
from typer.testing import CliRunner

from penstock.broker import DEFAULT_VERSION
from penstock.cli.main import app
from penstock.cli.project.rendering import rendered
from penstock.consumer.settings import ServiceSettings
from penstock.core.configuration import fields_of
from penstock.core.setting_sources import variable_of
from tests.support.compose import Service, seconds, services, variables
from tests.support.dockerfile import Dockerfile, copied

ROOT = Path(__file__).resolve().parents[2]
DOCKERFILE = Dockerfile(ROOT / "Dockerfile")
TEXTS = {"docker-compose.yml": (ROOT / "docker-compose.yml").read_text(), "init": rendered("mine")["compose.yml"]}
FILES = {name: services(text) for name, text in TEXTS.items()}
OURS = [
    pytest.param(service, id=f"{file}-{name}")
    for file, found in FILES.items()
    for name, service in found.items()
    if service["image"].startswith("penstock:")
]
SETTINGS = dict(fields_of(ServiceSettings))


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_compose_file_is_valid(text: str, tmp_path: Path) -> None:
    (tmp_path / "compose.yml").write_text(text)
    tool = Path(sys.prefix) / "bin" / "check-jsonschema"
    command = [str(tool), "--builtin-schema", "vendor.compose-spec", str(tmp_path / "compose.yml")]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout


@pytest.mark.parametrize("found", FILES.values(), ids=FILES)
def test_service_waits_only_for_services_that_can_become_what_it_waits_for(found: dict[str, Service]) -> None:
    for service in found.values():
        for name, wanted in service.get("depends_on", {}).items():
            lasting = name in ("kafka", "worker")  # the others end, and so do not become healthy
            assert wanted["condition"] == ("service_healthy" if lasting else "service_completed_successfully")


@pytest.mark.parametrize("service", OURS)
def test_variables_are_settings(service: Service) -> None:
    assert set(variables(service)) <= {variable_of(key) for key in SETTINGS}


@pytest.mark.parametrize("service", OURS)
def test_command_is_one_of_penstock(service: Service) -> None:
    words = service["command"]
    if "entrypoint" in service:
        assert service["entrypoint"] == ["sh", "-ec"]
        (line,) = re.findall(r"\bpenstock ([^&|;]+?) &&", words[0])
        words = line.split()
    ran = CliRunner().invoke(app, [*words, "--help"])
    assert ran.exit_code == 0, ran.output


@pytest.mark.parametrize("service", OURS)
def test_container_can_change_nothing_but_its_volume(service: Service) -> None:
    assert service["read_only"] is True
    assert service["tmpfs"] == ["/tmp"]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "privileged" not in service


def test_every_image_of_ours_is_built_once_and_never_pulled() -> None:
    """Two builds of one name run at the same time, and the second fails: the image already exists."""
    found = FILES["docker-compose.yml"].values()
    images = [service["image"] for service in found if "build" in service]
    assert sorted(images) == ["penstock:local", "penstock:train"]
    for service in found:
        if service["image"].startswith("penstock:"):
            assert service["image"] in images
            assert service["pull_policy"] == ("build" if "build" in service else "never")
            assert service.get("build", {"target": "worker"})["target"] in DOCKERFILE.stages


def test_project_of_ones_own_runs_the_same_kafka_and_the_same_worker() -> None:
    ours, own = FILES["docker-compose.yml"], FILES["init"]
    assert own["kafka"] == ours["kafka"]
    for name in ("topics", "worker"):
        apart = ("build", "pull_policy", "volumes", "depends_on")  # where the image and the models come from
        assert {key: value for key, value in own[name].items() if key not in apart} == {
            key: value for key, value in ours[name].items() if key not in apart
        }
        assert own[name]["pull_policy"] == "never"


def test_kafka_is_the_version_that_is_tested() -> None:
    assert FILES["docker-compose.yml"]["kafka"]["image"] == f"apache/kafka:{DEFAULT_VERSION}"


def test_only_this_machine_reaches_the_ports() -> None:
    ports = [port for service in FILES["docker-compose.yml"].values() for port in service.get("ports", [])]
    assert ports == ["127.0.0.1:9092:9092", "127.0.0.1:8090:8090"]


def test_worker_gets_the_time_it_needs_to_stop() -> None:
    grace_s = seconds(FILES["docker-compose.yml"]["worker"]["stop_grace_period"])
    assert grace_s > SETTINGS["worker.shutdown_timeout_s"].default + 5
    assert DOCKERFILE.last.values("STOPSIGNAL") == ["SIGTERM"]


def test_every_stage_has_a_base_and_every_copy_a_source() -> None:
    ignored = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and line[0] != "#"]
    sent = exclude_paths(str(ROOT), ignored)
    for position, stage in enumerate(DOCKERFILE.stages.values()):
        earlier = list(DOCKERFILE.stages)[:position]
        assert stage.base in [*earlier, "python:3.13-slim"]
        for origin, sources, _ in copied(stage):
            if origin:
                assert origin in earlier
            else:
                assert [source for source in sources if source.rstrip("/") not in sent and source != "."] == []


def test_no_cache_and_no_secret_is_sent_to_the_engine() -> None:
    ignored = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and line[0] != "#"]
    sent = {Path(path) for path in exclude_paths(str(ROOT), ignored)}
    assert {path for path in sent if {".git", ".venv", "__pycache__", "tests", ".env"} & set(path.parts)} == set()


def test_image_holds_every_package() -> None:
    sources = {source.rstrip("/") for _, found, _ in copied(DOCKERFILE.stages["build"]) for source in found}
    makefile = re.search(r"^PACKAGES := (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert makefile is not None
    assert set(makefile[1].split()) <= sources


@pytest.mark.parametrize("stage", ["worker", "train"])
def test_image_runs_as_a_number_that_is_not_root(stage: str) -> None:
    # A number, since Kubernetes cannot tell whether a name is root.
    assert DOCKERFILE.value(stage, "USER") == "10001:10001"


def test_last_stage_is_the_worker_that_is_asked_whether_it_is_well() -> None:
    assert DOCKERFILE.last.name == "worker"
    assert DOCKERFILE.command("worker", "ENTRYPOINT") == ["penstock"]
    assert DOCKERFILE.command("worker", "CMD") == ["worker"]
    assert DOCKERFILE.command("worker", "HEALTHCHECK")[:2] == ["python", "-c"]
    assert DOCKERFILE.last.values("EXPOSE") == [str(SETTINGS["http.port"].default)]
    ours = {name for name in DOCKERFILE.environment("worker") if name.startswith("PENSTOCK_")}
    assert ours <= {variable_of(key) for key in SETTINGS}


@pytest.mark.parametrize("stage", ["worker", "train"])
def test_onnx_runtime_reports_to_nobody(stage: str) -> None:
    assert DOCKERFILE.environment(stage)["ORT_DISABLE_TELEMETRY"] == "1"
