"""The suite finds a worker that is broken: one that commits what it has taken in, before it is answered."""

from pathlib import Path

from tests.chaos.cluster import FaultyCluster
from tests.chaos.faults.fault import Fault, seen
from tests.chaos.fleet import sent_by, with_first
from tests.chaos.frames import Kind
from tests.chaos.oracle import Evidence
from tests.chaos.scene import Scene
from tests.chaos.trial import attempt

# Python imports this before anything else.
EARLY_COMMIT = """
from penstock.consumer.progress import PartitionProgress

said = {}

def to_commit(self):
    if self.position is None or said.get(id(self)) == self.position:
        return None
    said[id(self)] = self.position
    return self.position, ""

PartitionProgress.to_commit = to_commit
"""


class KillBeforeReply(Fault):
    """Replies of a worker do not arrive, its commits do, and then it is killed."""

    rank, name = 0, "kill before the replies arrive"
    recover_s = 12.0

    def __init__(self, folder: Path | None = None) -> None:
        self.environment = {} if folder is None else with_first(folder)

    async def act(self, scene: Scene) -> None:
        victim, proxy = scene.fleet.running[0], scene.cluster.proxy
        proxy.weather.swallowed = sent_by(victim, Kind.PRODUCE)
        await proxy.until_swallowed()
        await scene.lasting(1.0)  # ten times the interval of commits
        await victim.die()
        scene.notes["killed"] = True
        proxy.weather.swallowed = None

    async def effect(self, scene: Scene, evidence: Evidence) -> str:
        seen(scene.notes.get("killed"), "no reply was on its way")
        return "killed with replies on their way"


async def test_a_sound_worker_loses_nothing(faulty_cluster: FaultyCluster, adders: Path) -> None:
    verdict = await attempt(faulty_cluster, KillBeforeReply(), adders)
    assert not verdict.findings, str(verdict)
    assert verdict.effect == "killed with replies on their way"


async def test_a_worker_that_commits_before_it_has_answered_is_found_out(
    faulty_cluster: FaultyCluster, adders: Path, tmp_path: Path
) -> None:
    (tmp_path / "sitecustomize.py").write_text(EARLY_COMMIT)
    verdict = await attempt(faulty_cluster, KillBeforeReply(tmp_path), adders)
    assert any("requests have no outcome" in finding for finding in verdict.findings), str(verdict)
