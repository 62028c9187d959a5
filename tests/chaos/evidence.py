"""What is known of a run when all is over: read from Kafka, for the oracle."""

import asyncio
from collections.abc import Callable
from typing import Any

from tests.chaos.oracle import Evidence, Place
from tests.chaos.readers import read_all
from tests.chaos.records import Log, Outcomes, Seen, number_of, seen_of
from tests.chaos.requests import Outcome
from tests.chaos.scene import Scene


async def collect(scene: Scene, *, ordered: bool) -> Evidence:
    """Read everything, twice, when nobody writes any more."""
    lane = scene.lane

    def read(topic: str, isolation: Any, take: Callable[[Any], Any]) -> Any:
        return read_all(scene.cluster.bootstrap, topic, isolation, take)

    rows, ends = await asyncio.to_thread(
        read, lane.requests, "read_uncommitted", lambda m: (number_of(m), m.partition(), m.offset())
    )
    rows += [row for row in scene.generator.placed if row[2] < scene.cut.get(row[1], 0)]
    found, hidden = list[Seen](), dict[str, int]()
    uncommitted: set[Place] = set()
    for topic in (lane.replies, lane.dead_letters):
        places, highs = await asyncio.to_thread(read, topic, "read_uncommitted", lambda m: (m.partition(), m.offset()))
        seen, stable = await asyncio.to_thread(read, topic, "read_committed", seen_of)
        uncommitted.update((topic == lane.dead_letters, *place) for place in places)
        found += seen
        hidden |= {f"{topic}/{p}": highs[p] - stable[p] for p in highs if stable[p] < highs[p]}
    await scene.read_on(len(found))
    committed = Outcomes.of([each for each in found if each.number not in scene.forgotten])
    return Evidence(
        delivery=scene.delivery,
        layout=scene.generator.layout,
        acknowledged=[number for number, _, _ in scene.generator.placed],
        log=Log.of(rows),
        committed=committed,
        live={(s.kind == Outcome.DEAD, *s.place) for s in scene.reader.seen if s.number not in scene.forgotten},
        uncommitted=uncommitted,
        offsets=await scene.offsets(),
        ends=ends,
        hidden=hidden,
        excused=frozenset(scene.taken | scene.forgotten),
        ordered=ordered,
    )
