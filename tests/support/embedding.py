"""What the tests of a worker inside a program serve, and look at."""

import asyncio
import time
import weakref
from typing import Any

from penstock import Client, Signature, TensorSpec, Worker
from tests.support.lane import Lane

THREE = Signature(inputs=(TensorSpec("x", "FP32", (3,)),), outputs=(TensorSpec("y", "FP32", (3,)),))


def double(inputs: dict[str, Any]) -> dict[str, Any]:
    """Twice the input; the third number of a row is how long it takes, in seconds."""
    time.sleep(float(inputs["x"][:, 2].max()))
    if (inputs["x"] < 0).any():
        raise ValueError("negative")
    return {"y": inputs["x"] * 2}


DOUBLER = {"doubler": (double, THREE)}


def on(lane: Lane) -> dict[str, Any]:
    """The keywords of a worker on a lane."""
    return {
        "bootstrap_servers": lane.bootstrap,
        "request_topics": [lane.requests],
        "reply_topic": lane.replies,
        "group_id": lane.group,
    }


def client(lane: Lane) -> Client:
    return Client(lane.bootstrap, request_topic=lane.requests, reply_topic=lane.replies, timeout_s=10)


_there_before: weakref.WeakSet[asyncio.Task[Any]] = weakref.WeakSet()


def note_tasks() -> None:
    """Remember which tasks there are before a test: what fixtures of the session keep, or another test has left."""
    _there_before.clear()
    _there_before.update(asyncio.all_tasks())


async def own_tasks() -> list[str]:
    """The tasks of Penstock and aiokafka that a test has left running, once those that are ending have ended."""

    def running() -> list[str]:
        others = (task for task in asyncio.all_tasks() - set(_there_before) if task is not asyncio.current_task())
        ours = (said for task in others if "penstock" in (said := repr(task)) or "aiokafka" in said)
        # A consumer of the whole session makes these anew; of one that was left running its routine would be seen.
        return [said for said in ours if "Fetcher._proc_fetch_request" not in said]

    for _ in range(150):
        if not running():
            break
        await asyncio.sleep(0.02)
    return running()


def metric(worker: Worker, name: str) -> float:
    samples = [sample for family in worker.registry.collect() for sample in family.samples if sample.name == name]
    return sum(sample.value for sample in samples)
