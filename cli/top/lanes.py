"""The request topics: how much waits there, what comes and what goes, and who serves them. Pure."""

from collections.abc import Iterable, Mapping, Sequence

from penstock.cli.top.cluster import ClusterState, Place
from penstock.cli.top.process import Process
from penstock.cli.top.view import LaneLine


def lane_lines(
    processes: Sequence[Process], topics: Iterable[str], before: ClusterState | None, now: ClusterState | None
) -> tuple[LaneLine, ...]:
    """Return a line for each request topic.

    Args:
        processes: the workers, who know the lag of their own partitions.
        topics: that the service reads.
        before: what Kafka said some seconds ago; None where it said nothing.
        now: what it says now; None makes the workers' word count.
    """
    if now is None:
        return tuple(_from_workers(topic, processes) for topic in topics)
    return tuple(_from_kafka(topic, before, now) for topic in topics)


def lag_of(lanes: Iterable[LaneLine]) -> int | None:
    """Return the lag of all lanes together; None where nobody knows any."""
    known = [lane.lag for lane in lanes if lane.lag is not None]
    return sum(known) if known else None


def _from_workers(topic: str, processes: Sequence[Process]) -> LaneLine:
    lags = [
        {place: lag for place, lag in process.running.lag.items() if place[0] == topic}
        for process in processes
        if process.running is not None
    ]
    owned = sum(map(len, lags))
    return LaneLine(
        topic=topic,
        partitions=None,
        owned=owned,
        owners=sum(bool(each) for each in lags),
        lag=int(sum(sum(each.values()) for each in lags)) if owned else None,
    )


def _from_kafka(topic: str, before: ClusterState | None, now: ClusterState) -> LaneLine:
    places = [place for place in now.ends if place[0] == topic]
    owners = [member for member in now.members if any(place[0] == topic for place in member.owns)]
    owned = {place for member in owners for place in member.owns if place[0] == topic}
    apart = before is not None and now.at > before.at
    return LaneLine(
        topic=topic,
        partitions=len(places),
        owned=len(owned),
        owners=len(owners),
        lag=sum(map(now.lag, places)) if places else None,
        arriving_per_s=_speed(places, before.ends, now.ends, now.at - before.at) if before and apart else None,
        finished_per_s=_speed(places, before.done, now.done, now.at - before.at) if before and apart else None,
    )


def _speed(places: Iterable[Place], before: Mapping[Place, int], now: Mapping[Place, int], seconds: float) -> float:
    # An offset falls when a topic is deleted and made again.
    return sum(max(0, now[place] - before[place]) for place in places if place in before and place in now) / seconds
