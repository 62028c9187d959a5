"""A storm: among many requests one of a hundred is bad, each has its outcome, and the worker's memory stays flat.

`PENSTOCK_STORM=500000 pytest -s tests/bad_input/test_storm.py` is the long form. What a worker takes at its start and
what it is made to hold by a burst weigh more in the short one, which has a wider bound on memory.
"""

import os
from pathlib import Path

import pytest

from penstock.transport.topics import create_topics
from tests.bad_input import envelopes, outputs, served_models, values
from tests.bad_input.desk import fresh
from tests.bad_input.storm import BATCH, Storm
from tests.support.lane import PARTITIONS
from tests.support.worker_process import WorkerProcess, variables

COUNT = int(os.environ.get("PENSTOCK_STORM", "20000"))
STRETCHES = 20
BAD = 0.01
SEED = 7
GROWTH = 1.10 if COUNT >= 500_000 else 1.30  # of what it took after a fifth
MEBIBYTE = 1 << 20


def resident(pid: int) -> int:
    """Bytes that a process has in memory."""
    line = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS:"))
    return int(line.split()[1]) * 1024


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read as Linux tells it")
async def test_every_request_of_a_storm_has_its_outcome_and_memory_stays_flat(bootstrap: str, tmp_path: Path) -> None:
    lane = fresh(bootstrap, "storm")
    topics = dict.fromkeys((lane.requests, lane.replies, f"{lane.replies}-other"), PARTITIONS)
    await create_topics({"bootstrap_servers": bootstrap}, {**topics, lane.dead_letters: 1}, replication_factor=1)
    allowed = {"worker__allowed_reply_topics": f"{lane.replies}*,{lane.requests}*"}
    settings = variables(lane, served_models.make(tmp_path / "models"), **allowed)
    batches = max(1, COUNT // BATCH // STRETCHES)
    storm = Storm(
        lane, [*values.ROWS, *envelopes.ROWS, *outputs.ROWS], count=batches * BATCH * STRETCHES, part=BAD, seed=SEED
    )
    taken: list[int] = []
    async with WorkerProcess(tmp_path / "worker.log", settings) as process, storm:
        await process.ready()
        for stretch in range(STRETCHES):
            await storm.send(batches)
            await storm.send_damaged(stretch % 3)
            await storm.read(within_s=120)
            taken.append(resident(process.pid))
        await lane.wait_until_committed()
        assert process.running

    print(f"{storm.sent} requests: {dict(storm.outcomes)}; resident MiB {[each // MEBIBYTE for each in taken]}")
    assert storm.faults == []
    assert storm.answered == storm.sent == sum(storm.outcomes.values())
    assert 0.005 < 1 - storm.outcomes["ok"] / storm.sent < 0.015
    assert max(taken[STRETCHES // 5 :]) <= GROWTH * taken[STRETCHES // 5 - 1]
    assert "Traceback" not in process.text()
