"""What workers that serve do while the broker stands still. Each has a lane of its own, and is asked the same."""

import signal
from typing import Any

from aiokafka.structs import TopicPartition

from penstock import TransportError, Worker
from tests.support.committed import read_places
from tests.support.embedding import DOUBLER, on
from tests.support.frozen.bounds import DISCONNECT_S
from tests.support.frozen.scene import REQUEST_S, Scene
from tests.support.lane import Lane
from tests.support.messages import by_source, data_of, infer, source_of
from tests.support.waiting import until
from tests.support.worker_process import WorkerProcess, variables

_DRAIN_S = 2.0
_COUNT = 10


def worker(scene: Scene, name: str, lane: Lane | None = None, **settings: Any) -> Worker:
    """A worker on its own lane; its clients' ids begin with the name."""
    own = {
        "models__default": "doubler",
        "kafka__client_id": name,
        "kafka__request_timeout_s": REQUEST_S,
        "worker__shutdown_timeout_s": 20.0,
    }
    return Worker(DOUBLER, **{**on(lane or scene.lanes[name]), **own, **settings})


async def ask(lane: Lane, *headers: tuple[str, bytes]) -> set[str]:
    """Send ten requests and return their sources."""
    sent = await lane.send([(0, b"k", infer([number, 0, 0]), headers) for number in range(_COUNT)])
    return {f"{each.topic}/{each.partition}/{each.offset}" for each in sent}


async def all_answered(lane: Lane, asked: set[str], *, once: bool = False) -> None:
    """Every request has an answer, and the group has committed the end; twice only where that is allowed."""
    end = (await lane.ends(partitions=1))[0]

    async def committed() -> bool:
        state = (await lane.committed()).get(0)
        return state is not None and state.offset == end

    await until(committed, within_s=60.0, every_s=0.1, what=f"{lane.group} at the end of {lane.requests}")
    replies = by_source(await read_places(lane, [TopicPartition(lane.replies, 0)], committed=True))
    assert replies.keys() == asked, "lost"
    assert [data_of(found[0])[0] for found in replies.values()] == [2.0 * number for number in range(_COUNT)]
    assert not once or {len(found) for found in replies.values()} == {1}, "answered twice"


async def interrupted(scene: Scene, name: str, request: str, **settings: Any) -> None:
    """Let a worker that serves come to a request, and see that it loses nothing by waiting for the broker."""
    lane = scene.lanes[name]
    async with worker(scene, name, **settings):
        moment = scene.gate.arm(name, request)
        asked = await ask(lane)
        await scene.stand(moment)
        await scene.interrupted(moment)
        await all_answered(lane, asked, once="worker__delivery" in settings)


async def a_worker_fetches(scene: Scene) -> None:
    lane = scene.lanes["fetcher"]
    async with worker(scene, "fetcher"):
        moment = scene.gate.arm("fetcher", "FetchRequest")
        await moment.reached.wait()
        asked = await ask(lane)
        await scene.stand(moment)
        await scene.interrupted(moment)
        await all_answered(lane, asked)


async def a_worker_publishes(scene: Scene) -> None:
    await interrupted(scene, "replier", "ProduceRequest")


async def a_worker_commits(scene: Scene) -> None:
    await interrupted(scene, "committer", "OffsetCommitRequest")


async def a_transaction_begins(scene: Scene) -> None:
    await interrupted(scene, "adder", "AddPartitionsToTxnRequest", worker__delivery="exactly-once")


async def a_transaction_ends(scene: Scene) -> None:
    await interrupted(scene, "ender", "EndTxnRequest", worker__delivery="exactly-once")


async def a_worker_writes_dead_letters(scene: Scene) -> None:
    lane = scene.lanes["burier"]
    async with worker(scene, "burier"):
        moment = scene.gate.arm("burier", "ProduceRequest", lambda request: request._topics[0][0] == lane.dead_letters)
        asked = await ask(lane, ("penstock-reply-topic", b"not-allowed"))
        await scene.stand(moment)
        await scene.interrupted(moment)

        async def buried() -> bool:
            found = await read_places(lane, [TopicPartition(lane.dead_letters, 0)], committed=True)
            return {source_of(record) for record in found} == asked

        await until(buried, within_s=60.0, every_s=0.2, what="every dead letter")


async def a_worker_drains(scene: Scene) -> None:
    """What it could not get rid of by its deadline is answered by the next one."""
    lane = scene.lanes["drainer"]
    ending = worker(scene, "drainer", worker__shutdown_timeout_s=_DRAIN_S)
    await ending.start()
    moment = scene.gate.arm("drainer", "ProduceRequest")
    asked = await ask(lane)
    await scene.stand(moment)
    # One second at least is left for the last commit.
    (await scene.ends(ending.stop(), _DRAIN_S + 1.0 + DISCONNECT_S, moment)).result()
    await scene.resumed.wait()

    async def next_one() -> Worker | None:
        """Started again until it starts, as a supervisor does: the broker has just come back."""
        successor = worker(scene, "drainer-2", lane)
        try:
            await successor.start()
        except TransportError:
            return None
        return successor

    successor = await until(next_one, within_s=60.0, every_s=0.2, what="a worker that starts")
    await all_answered(lane, asked)
    await successor.stop()


async def a_worker_process_is_told_to_end(scene: Scene) -> None:
    lane = scene.lanes["process"]
    settings: dict[str, Any] = {"worker__shutdown_timeout_s": _DRAIN_S, "kafka__request_timeout_s": REQUEST_S}
    async with WorkerProcess(scene.folder / "worker.log", variables(lane, scene.models, **settings)) as process:
        await process.ready()
        await scene.stand()
        process.signal(signal.SIGTERM)
        ended = await scene.ends(process.wait(60.0), _DRAIN_S + 1.0 + DISCONNECT_S)
        assert ended.result() == 0, process.text()
        assert "Traceback" not in process.text()


OPERATIONS = (
    a_worker_fetches,
    a_worker_publishes,
    a_worker_commits,
    a_transaction_begins,
    a_transaction_ends,
    a_worker_writes_dead_letters,
    a_worker_drains,
    a_worker_process_is_told_to_end,
)
LANES = ("fetcher", "replier", "committer", "adder", "ender", "burier", "drainer", "process")
