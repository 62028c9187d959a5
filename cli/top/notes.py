"""What somebody should look at, in sentences: whatever the figures alone do not say. Pure."""

from collections.abc import Iterator, Sequence

from penstock.cli.pages.fetch import place_of
from penstock.cli.top.cluster import ClusterState
from penstock.cli.top.figures import span
from penstock.cli.top.process import Process
from penstock.cli.top.view import LaneLine, WorkerLine


def notes_on(
    cluster: ClusterState | None,
    processes: Sequence[Process],
    workers: Sequence[WorkerLine],
    lanes: Sequence[LaneLine],
    *,
    group: str,
    kafka: str,
) -> tuple[str, ...]:
    """Return the notes, what is worst first.

    Args:
        cluster: what Kafka says; None before it was asked.
        processes: what is known of each worker.
        workers: their lines of the page.
        lanes: the page's lines on request topics.
        group: the consumer group.
        kafka: addresses that Kafka is asked at.
    """
    notes = [*_on_kafka(cluster, processes, group, kafka)]
    if cluster is not None and cluster.problem is None and not cluster.unknown_group:
        notes += _on_group(cluster, workers, lanes, group)
    return (*notes, *_on_workers(workers), *_on_mixture(processes))


def _on_kafka(cluster: ClusterState | None, processes: Sequence[Process], group: str, kafka: str) -> Iterator[str]:
    if cluster is None:
        return
    said = {process.last.info.get("bootstrap_servers", "") for process in processes if process.last is not None}
    others = sorted(said - {"", kafka})
    hint = f" The workers use {others[0]}: say -b {others[0]}." if others else ""
    if cluster.problem is not None:
        problem = cluster.problem
        what = f"{problem[0].upper()}{problem[1:]}" if kafka in problem else f"Kafka at {kafka}: {problem}"
        yield f"{what}; lag is by the workers' word.{hint}"
    elif cluster.unknown_group:
        yield f"Kafka at {kafka} does not know group {group}.{hint}"


def _on_group(
    cluster: ClusterState, workers: Sequence[WorkerLine], lanes: Sequence[LaneLine], group: str
) -> Iterator[str]:
    if cluster.members and cluster.state != "Stable":
        yield f"Group {group} is rebalancing ({cluster.state})."
        return
    for lane in lanes:
        if lane.partitions == 0:
            yield f"Kafka shows no topic {lane.topic}."
        elif lane.partitions is not None and lane.owned < lane.partitions:
            yield f"{lane.partitions - lane.owned} of {lane.partitions} partitions of {lane.topic} are nobody's."
    strangers = sum(worker.state == "no page" for worker in workers)
    if strangers:
        yield f"{strangers} more in the group than there are pages here; name theirs with --url."


def _on_workers(workers: Sequence[WorkerLine]) -> Iterator[str]:
    for worker in workers:
        if worker.why is not None:
            for_s = "" if worker.since_s is None else f" for {span(worker.since_s)}"
            yield f"{place_of(worker.url)} is {worker.state}{for_s}: {worker.why}."


def _on_mixture(processes: Sequence[Process]) -> Iterator[str]:
    infos = [process.running.info for process in processes if process.running is not None]
    groups = sorted({info["group"] for info in infos if "group" in info})
    if len(groups) > 1:
        yield f"These workers are of {len(groups)} groups, {', '.join(groups)}; Kafka's figures are the first one's."
    versions = sorted({info["version"] for info in infos if "version" in info})
    if len(versions) > 1:
        yield f"These workers run different versions of Penstock: {', '.join(versions)}."
