"""The first requests: whether anybody answers, and what is wrong with all that would follow."""

import asyncio
import time

from penstock.cli.bench.inputs import Inputs, Pool
from penstock.cli.bench.lane import Answered, Lane
from penstock.cli.bench.traffic import Traffic
from penstock.producer.acknowledgement import unacknowledged
from penstock.schemas.errors import PenstockError, TransportError


class BenchError(PenstockError):
    """There is nothing to measure."""


async def begin(traffic: Traffic, lane: Lane, inputs: Inputs, *, raw: bool) -> tuple[str, Pool]:
    """Ask for one answer, learn the datatypes, encode all requests, and have one answered on each partition.

    Returns:
        The model that answered, as `name@version`, and the requests, which are in use then.

    Raises:
        BenchError: the service does not take these requests.
        TransportError: nobody answers, or Kafka refuses.
        typer.BadParameter: the rows cannot be sent in this form.
    """
    answer = await _ask(traffic, lane, 0, inputs.first())
    while answer.error is not None and inputs.learn(answer.error):
        answer = await _ask(traffic, lane, 0, inputs.first())
    if answer.error is None:
        pool = await asyncio.to_thread(inputs.pool, raw=raw)
        traffic.use(pool)
        for answer in await asyncio.gather(*(_ask(traffic, lane, each) for each in range(traffic.partitions))):
            if answer.error is not None:
                break
        else:
            return answer.model, pool
    assert answer.error is not None
    raise BenchError(f"{answer.error}\n{inputs.advice(answer.error, lane.model)}".rstrip())


async def recovered(traffic: Traffic, within_s: float) -> bool:
    """Wait until a request on each partition is answered again: what waited before it has been served."""
    deadline = time.monotonic() + within_s
    waiting = set(range(traffic.partitions))
    while waiting and time.monotonic() < deadline:
        order = sorted(waiting)
        answers = await asyncio.gather(*(traffic.ask(partition) for partition in order))
        waiting = {partition for partition, answer in zip(order, answers, strict=True) if answer is None}
    return not waiting


async def _ask(traffic: Traffic, lane: Lane, partition: int, value: bytes | None = None) -> Answered:
    answer = await traffic.ask(partition, value)
    if answer is not None:
        return answer
    if traffic.unacknowledged:
        raise TransportError(unacknowledged("a first request", lane.timeout_s))
    raise TransportError(
        f"no reply within {lane.timeout_s:g} s to a first request on {lane.requests}/{partition}. "
        f"Is a worker reading it,\nand may it answer to {lane.replies} (worker.allowed_reply_topics)? "
        "`penstock doctor` finds out."
    )
