"""The rights that docs/control.md gives are enough to follow and to command, on a broker that checks them."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from penstock.broker import EmbeddedKafka
from penstock.cli.control.key_making import add_to_trusted, made
from penstock.transport.control.topics import ensure_control_topics
from penstock.transport.topics import create_topics
from tests.support.command import penstock
from tests.support.lane import Lane
from tests.support.pages import Page
from tests.support.worker_process import WorkerProcess, variables

USERS = {"worker": "w", "anna": "a", "guest": "g"}
ROLES = {"workers": "worker", "who commands": "anna", "who looks": "guest"}
PLACES = {
    "control topic": ("topic", "group-control"),
    "status topic": ("topic", "group-status"),
    "the group": ("group", "group"),
}
OF_A_WORKER = [("topic", "requests", "read"), ("topic", "replies", "write"), ("group", "group", "read")]


@pytest.fixture
async def secured() -> AsyncIterator[EmbeddedKafka]:
    """A broker that checks rights, with those of the page and a worker's ordinary ones."""
    async with EmbeddedKafka(secure=True, users=USERS, heap_mb=256) as kafka:
        await create_topics(kafka.client_config(), {"requests": 1, "replies": 1, "requests-dlt": 1})
        await ensure_control_topics(kafka.client_config(), "group-control", "group-status")
        for kind, name, operation in [*OF_A_WORKER, ("topic", "requests-dlt", "write")]:
            await kafka.allow("worker", kind, name, [operation, "describe"])
        who = ""
        for role, place, given in Page("docs/control.md").table("Rights"):
            who = role or who
            operations = [
                "describe_configs" if each == "DescribeConfigs" else each.lower() for each in given.split(", ")
            ]
            await kafka.allow(ROLES[who], *PLACES[place], operations)
        yield kafka


@pytest.fixture
def of(secured: EmbeddedKafka, models: Path, tmp_path: Path) -> Callable[[str], dict[str, str]]:
    """Return the variables of a user."""
    add_to_trusted(tmp_path / "trusted.toml", "anna", made("anna", ["*"], tmp_path / "anna.key", None))
    lane = Lane(secured.bootstrap_servers, "requests", "replies", "group")

    def of(user: str) -> dict[str, str]:
        login: dict[str, Any] = {
            "kafka__security_protocol": "SASL_PLAINTEXT",
            "kafka__sasl_mechanism": "SCRAM-SHA-512",
            "kafka__sasl_username": user,
            "kafka__sasl_password": USERS[user],
        }
        files = {"trusted_keys": tmp_path / "trusted.toml"} | ({"key": tmp_path / "anna.key"} if user == "anna" else {})
        control: dict[str, Any] = {f"control__{name}": value for name, value in {"enabled": "true", **files}.items()}
        return variables(lane, models, **login, **control)

    return of


async def test_rights_of_the_page_are_enough(of: Callable[[str], dict[str, str]], tmp_path: Path) -> None:
    async with WorkerProcess(tmp_path / "worker.log", of("worker")) as worker:
        await worker.ready()
        deployed = await asyncio.to_thread(penstock, "deploy", "scaler@1", variables=of("anna"))
        assert deployed.status == 0, (deployed, worker.text())
        assert deployed.out.splitlines()[-1] == "The worker did it."
        seen = await asyncio.to_thread(penstock, "status", variables=of("guest"))
        assert seen.status == 0, seen
        assert "scaler@1" in seen.out
