"""What those who command do while the broker stands still, the worker that follows them, and the tools."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from penstock import Control, TransportError, Worker
from penstock.transport.cluster_reader import ClusterReader
from tests.support.adders import adders, settled
from tests.support.command import Ran, penstock
from tests.support.embedding import on
from tests.support.frozen.bounds import DISCONNECT_S, ONE_CLIENT_S, default, reach_s
from tests.support.frozen.scene import REQUEST_S, Scene
from tests.support.lane import Lane
from tests.support.messages import infer
from tests.support.waiting import until

_STEP_S = 4.0
_COMMAND_S = 10.0  # for the interpreter to start, beside all that goes on


def control(scene: Scene, name: str) -> Control:
    """Whoever commands the lane that a worker follows."""
    group = scene.lanes["follower"].group
    return Control(None, group, kafka=scene.kafka(name), signing="off", timeout_s=_STEP_S)


@asynccontextmanager
async def opened(scene: Scene, name: str) -> AsyncIterator[Control]:
    """The same, connected: it has little time for that, and many others connect."""

    async def started() -> Control | None:
        commander = control(scene, name)
        try:
            await commander.start()
        except TransportError:
            return None
        return commander

    commander = await until(started, within_s=40.0, every_s=0.2, what=f"{name} is connected")
    try:
        yield commander
    finally:
        await commander.close()


def follower(scene: Scene, name: str, lane: Lane, folder: str, **settings: Any) -> Worker:
    """A worker that follows commands."""
    own = {"kafka__client_id": name, "kafka__request_timeout_s": REQUEST_S}
    follows = {"control__enabled": True, "control__signing": "off", "control__report_interval_s": 0.2}
    return Worker(adders(scene.folder / folder), **{**on(lane), **own, **follows, **settings})


async def control_starts(scene: Scene) -> None:
    await scene.stand()
    started = await scene.ends(control(scene, "begins").start(), reach_s(_STEP_S) + ONE_CLIENT_S)
    with pytest.raises(TransportError, match="no Kafka broker answers"):
        started.result()


async def an_order_is_written(scene: Scene) -> None:
    async with opened(scene, "orders") as commander:
        await scene.hurry()
        moment = scene.gate.arm("orders", "ProduceRequest")
        ordering = asyncio.ensure_future(commander.throttle("model:none", 5.0))
        await scene.stand(moment, work=ordering)
        ordered = await scene.ends(ordering, _STEP_S + 2 * ONE_CLIENT_S, moment)
        with pytest.raises(TransportError, match="It may have been all the same: look before you do it again"):
            ordered.result()


async def workers_are_waited_for(scene: Scene) -> None:
    async with opened(scene, "waits") as commander:
        issued = await commander.throttle("model:nobody", 5.0)
        await scene.hurry()
        moment = scene.gate.arm("waits", "FetchRequest", lambda request: "-status" in request.topics[0][0])
        waiting = asyncio.ensure_future(commander.wait(issued, _STEP_S))
        await scene.stand(moment, work=waiting)
        waited = await scene.ends(waiting, 3 * _STEP_S + 2 * reach_s(_STEP_S), moment)
        with pytest.raises(TransportError):
            waited.result()


async def workers_are_asked_for_their_status(scene: Scene) -> None:
    async with opened(scene, "asks") as commander:
        await scene.stand()
        asked = await scene.ends(commander.status(), reach_s(_STEP_S) + ONE_CLIENT_S)
        with pytest.raises(TransportError, match="no Kafka broker answers"):
            asked.result()


async def a_worker_follows_commands(scene: Scene) -> None:
    lane = scene.lanes["follower"]
    async with follower(scene, "follower", lane, "followed") as serving:
        moment = scene.gate.arm("follower", "FetchRequest", lambda request: "-control" in request.topics[0][0])
        await scene.stand(moment)
        await scene.interrupted(moment)
        assert serving.not_ready is None or "could not be read" in serving.not_ready
        async with Control(lane.bootstrap, lane.group, signing="off") as commander:
            issued = await commander.deploy("adder", "2")
            await settled(commander, at=issued.offset)
        await lane.send([(0, b"k", infer([1.0]).replace(b"FP32", b"FP64"), [("penstock-model", b"adder")])])
        replies = await lane.read(enough=1, partitions=1)
        assert dict(replies[-1].headers)["penstock-model"] == b"adder@2"


async def a_worker_that_follows_commands_starts(scene: Scene) -> None:
    late = follower(scene, "late", scene.lanes["late"], "late", control__start_timeout_s=_STEP_S)
    await scene.stand()
    started = await scene.ends(late.start(), reach_s(_STEP_S) + _STEP_S + DISCONNECT_S)
    with pytest.raises(TransportError):
        started.result()


async def topics_are_listed(scene: Scene) -> None:
    await scene.stand()
    ran = await _command(scene, "topics", "list", within_s=reach_s(default(ClusterReader.__init__, "timeout_s")))
    assert (ran.status, "no Kafka broker answers" in ran.err, "Traceback" in ran.err) == (1, True, False), ran


async def doctor_looks(scene: Scene) -> None:
    await scene.stand()
    ran = await _command(scene, "doctor", "--timeout", 2.0, within_s=reach_s(2.0))
    assert (ran.status, "Traceback" in ran.err) == (1, False), ran
    assert "Kafka" in ran.out


async def _command(scene: Scene, *arguments: object, within_s: float) -> Ran:
    options = ("--bootstrap-servers", scene.node.bootstrap_server)
    ran = asyncio.to_thread(penstock, *arguments, *options, folder=Path(scene.folder))
    return (await scene.ends(ran, within_s + _COMMAND_S)).result()


OPERATIONS = (
    control_starts,
    an_order_is_written,
    workers_are_waited_for,
    workers_are_asked_for_their_status,
    a_worker_follows_commands,
    a_worker_that_follows_commands_starts,
    topics_are_listed,
    doctor_looks,
)
LANES = ("follower", "late")
