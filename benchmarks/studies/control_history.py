"""How long a worker takes to be ready that finds a long control topic."""

import asyncio
import time
from contextlib import suppress
from typing import Any, Final

from confluent_kafka import Producer

from benchmarks.studies.control_models import MODEL, SWITCHED
from benchmarks.studies.control_scene import Scene, applied, ordered
from benchmarks.studies.failures import StudyError
from benchmarks.studies.lane import Lane
from penstock.producer.control.ledger import SNAPSHOT_EVERY
from penstock.schemas.control.command import COMMAND_V1, Command
from penstock.schemas.control.signing import Signer
from penstock.transport.control.topics import cluster_id

TENANTS: Final = 100
_DEPLOYMENT_EACH: Final = 10  # commands
_FLUSH_S: Final = 120.0
_HOUR_MS: Final = 3_600_000
_WITHIN_S: Final = 150.0


def command_at(number: int, cluster: str, group: str, time_ms: int) -> Command:
    """Return one of many commands: each tenth deploys a version, the others set rates of tenants. Pure."""
    spec: dict[str, Any]
    if number % _DEPLOYMENT_EACH == 0:
        version = SWITCHED[number // _DEPLOYMENT_EACH % len(SWITCHED)]
        resource, spec = f"deployment/{MODEL}", {"versions": [{"version": version}]}
    else:
        resource, spec = f"throttle/tenant:t-{number % TENANTS}", {"rows_per_s": 1000.0 + number}
    return Command(
        penstock=COMMAND_V1,
        id=f"study-{number:08d}",
        sequence=number + 1,
        cluster=cluster,
        group=group,
        issuer="study",
        time=time_ms,
        expires=time_ms + _HOUR_MS,
        resource=resource,
        action="set",
        spec=spec,
    )


def write_commands(bootstrap: str, cluster: str, lane: Lane, signer: Signer | None, numbers: range) -> None:
    """Append the commands of these numbers in large batches, in order. Blocks. Raises: StudyError."""
    # An idempotent producer keeps its batches in order.
    producer = Producer(
        {"bootstrap.servers": bootstrap, "linger.ms": 50, "batch.size": 900_000, "enable.idempotence": True,
         "queue.buffering.max.messages": 200_000, "log_level": 3}
    )  # fmt: skip
    now_ms = round(time.time() * 1000)
    for number in numbers:
        command = command_at(number, cluster, lane.group, now_ms)
        value = command.encode()
        carried: Any = signer.sign(command, value) if signer is not None else []
        while True:
            with suppress(BufferError):
                producer.produce(f"{lane.group}-control", value, command.resource.encode(), 0, headers=carried)
                break
            producer.poll(0.1)
    if producer.flush(_FLUSH_S):
        raise StudyError("Kafka did not take the commands in time; see its log")


async def started(scene: Scene, count: int) -> dict[str, Any]:
    """Start a worker on an empty control topic, and on long ones, and return the seconds until it serves."""
    cluster = await cluster_id({"bootstrap_servers": scene.bootstrap}, 30.0)
    found: dict[str, float] = {}
    empty = await scene.lane("history-empty")
    found["empty"] = await _ready_s(scene, empty, "history-empty")
    unsigned = await scene.lane("history-unsigned")
    await asyncio.to_thread(write_commands, scene.bootstrap, cluster, unsigned, None, range(count))
    found["unsigned"] = await _ready_s(scene, unsigned, "history-unsigned", signing=False)

    signed = await scene.lane("history-signed")
    first = max(1, count - SNAPSHOT_EVERY)
    await asyncio.to_thread(write_commands, scene.bootstrap, cluster, signed, scene.signer, range(first))
    found["signed"] = await _ready_s(scene, signed, "history-signed")
    # Whoever commands next writes a snapshot; what comes after it is nearly as much as there can be without another.
    async with scene.control(signed) as control:
        began = time.monotonic()
        applied(await ordered(control, control.deploy(MODEL, SWITCHED[0]), workers=0))
        found["command"] = time.monotonic() - began
        began = time.monotonic()
        applied(await ordered(control, control.rollback(MODEL), workers=0))
        found["rollback"] = time.monotonic() - began
    await asyncio.to_thread(
        write_commands, scene.bootstrap, cluster, signed, scene.signer, range(first + 3, first + SNAPSHOT_EVERY)
    )
    found["snapshot"] = await _ready_s(scene, signed, "history-snapshot")
    return {"commands": count, "ready_s": found}


async def _ready_s(scene: Scene, lane: Lane, name: str, *, signing: bool = True) -> float:
    began = time.time()
    async with scene.worker(lane, name, signing=signing) as service:
        opened = await service.until(service.all_open_at, "its partitions are open", _WITHIN_S)
    return opened - began
