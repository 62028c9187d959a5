"""`penstock deploy` and its like, on a real Kafka, with a real worker where one has to answer."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.cli.control.conftest import Service, new_service
from tests.support.lane import new_lane
from tests.support.worker_process import WorkerProcess, variables

OF_THE_WORKER = ("control__enabled", "control__trusted_keys")


@pytest.fixture(scope="module")
async def served(bootstrap: str, models: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Service]:
    """A service with a worker that follows, and serves scaler@2 and @1, and others."""
    folder = tmp_path_factory.mktemp("served")
    service = await new_service(await new_lane(bootstrap, "orders"), folder)
    settings = {name: service.variables[f"PENSTOCK_{name.upper()}"] for name in OF_THE_WORKER}
    async with WorkerProcess(folder / "worker.log", variables(service.lane, models, **settings)) as process:
        await process.ready()
        yield service


async def test_deployment_goes_from_canary_to_all_and_back(served: Service) -> None:
    service = served

    def operate() -> None:
        first = service("deploy", "scaler@1")
        assert first.status == 0
        offset = int(first.out.partition(" at offset ")[2].partition(":")[0])
        canary = service("deploy", "scaler@2", "--canary", 25, "--reason", "a try")
        assert canary.out.splitlines()[0] == (
            f"deployment/scaler at offset {offset + 1}: scaler@1 75 %, scaler@2 25 % (before: scaler@1)"
        )
        assert canary.out.splitlines()[1].endswith("  applied")
        assert canary.out.splitlines()[2] == "The worker did it."

        seen = json.loads(service("status", "--json").out)
        (status,) = seen["workers"]
        shares = {each["version"]: each["share"] for each in status["versions"] if each["model"] == "scaler"}
        assert shares == {"1": 0.75, "2": 0.25}
        assert (status["epoch"], status["digest"], seen["problems"]) == (seen["epoch"], seen["digest"], [])

        promoted = json.loads(service("promote", "scaler", "--json").out)
        assert [each["version"] for each in promoted["after"]["versions"]] == ["2"]
        assert [each["state"] for each in promoted["workers"]] == ["applied"]
        back = service("rollback", "scaler", "--stable")
        assert "scaler@1 (before: scaler@2)" in back.out
        assert service("control", "diff").out == "1 live worker: nothing differs from what is wanted.\n"

    await asyncio.to_thread(operate)


async def test_worker_that_cannot_follow_is_named_with_its_reason(served: Service) -> None:
    service = served

    def operate() -> None:
        ran = service("deploy", "scaler@9")
        assert ran.status == 1
        assert "failed: " in ran.out
        assert ran.lines[0] == "penstock: 1 of 1 worker could not do it; there what was before goes on."
        assert ran.lines[1] == "Take it back: penstock rollback scaler"

        differs = service("control", "diff")
        assert differs.status == 1
        assert "+ wanted: scaler@9" in differs.out
        assert service("status").status == 1

    await asyncio.to_thread(operate)


async def test_order_to_a_service_without_workers_stands(service: Service) -> None:
    def operate() -> None:
        ran = service("throttle", "tenant:acme", 200, "--on-excess", "reject", "--reason", "for now")
        assert (ran.status, ran.out.splitlines()[0]) == (
            0, "throttle/tenant:acme at offset 0: 200 rows/s, what is over is refused (before: no limit)"
        )  # fmt: skip
        assert "whoever joins it does as asked" in ran.out

        tried = service("throttle", "tenant:acme", "--remove", "--dry-run")
        assert tried.out.splitlines()[-2:] == ["+ no limit", "Nothing was sent: this was a dry run."]
        (said,) = json.loads(service("control", "log", "--json").out)
        assert (said["command"]["resource"], said["command"]["reason"]) == ("throttle/tenant:acme", "for now")

    await asyncio.to_thread(operate)


async def test_lane_keeps_its_state_when_it_is_weighed_and_its_weight_when_it_is_paused(service: Service) -> None:
    def operate() -> None:
        topic = service.lane.requests
        assert "paused, weight 1 (before: running" in service("lane", "pause", topic).out
        assert "paused, weight 7 (before: paused, weight 1)" in service("lane", "weight", topic, 7).out
        resumed = service("lane", "resume", topic, "--no-wait")
        assert resumed.out == f"lane/{topic} at offset 2: running, weight 7 (before: paused, weight 7)\n"
        assert service("control", "diff", 0, 1).out.splitlines()[-2:] == ["  - weight  1", "  + weight  7"]

    await asyncio.to_thread(operate)


async def test_snapshot_is_written_when_it_is_asked_for(service: Service) -> None:
    def operate() -> None:
        assert service("throttle", "global", 100, "--no-wait").status == 0
        ran = service("control", "snapshot")
        assert ran.out == "Snapshot written at offset 1: what comes before it need not be read any more.\n"

    await asyncio.to_thread(operate)
