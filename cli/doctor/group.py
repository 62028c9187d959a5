"""Judges the consumer group: who is in it, what waits, and whether that moves."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from aiokafka.structs import OffsetAndMetadata, TopicPartition

from penstock.cli.doctor.finding import GROUP, Finding
from penstock.cli.doctor.partitions import places
from penstock.cli.figures import counted
from penstock.cli.remedies import KafkaTools
from penstock.transport.membership import ConsumerGroup, Member
from penstock.transport.offsets import Lag

Committed = Mapping[TopicPartition, OffsetAndMetadata]

STABLE: Final = "Stable"
_NONE: Final = ("Empty", "Dead", "")


@dataclass(frozen=True, slots=True)
class GroupSeen:
    """What was seen of the group.

    Attributes:
        name: its id.
        group: state and members.
        lags: of every partition of the request topics.
        before, after: what was committed when the watch began, and when it ended; `after` is None without a watch.
        watched_s: how long that was.
        empty: partitions where what seems to wait are marks of transactions alone.
    """

    name: str
    group: ConsumerGroup
    lags: Mapping[TopicPartition, Lag]
    before: Committed
    after: Committed | None = None
    watched_s: float = 0.0
    empty: frozenset[TopicPartition] = frozenset()

    @property
    def waiting(self) -> dict[TopicPartition, int]:
        """The partitions where requests wait, and how many."""
        return {place: lag.waiting for place, lag in self.lags.items() if lag.waiting > 0 and place not in self.empty}

    @property
    def still(self) -> list[TopicPartition]:
        """The partitions where requests wait and nothing was finished during the watch."""
        after = self.after
        return [] if after is None else [place for place in self.waiting if after.get(place) == self.before.get(place)]


def judge_group(seen: GroupSeen, tools: KafkaTools, start: str, own_topics: Sequence[str]) -> list[Finding]:
    """Judge the group.

    Args:
        seen: the group, not hidden from us.
        tools: for the commands.
        start: our command that starts a worker.
        own_topics: the request topics.
    """
    found = [_members(seen, tools, start), *_offsets(seen, tools)]
    if seen.group.members:
        found += [*_strangers(seen, own_topics), *_unowned(seen), *_progress(seen, tools)]
    return found


def _members(seen: GroupSeen, tools: KafkaTools, start: str) -> Finding:
    group, count = seen.group, len(seen.group.members)
    waiting = sum(seen.waiting.values())
    if not group.members and group.state in _NONE:
        what = f"nobody is in group {seen.name}" + (f", and {_requests(waiting)} wait" if waiting else "")
        # An idle group may be one whose jobs come at night; what waits, waits now.
        make = GROUP.fault if waiting else GROUP.warning
        return make("members", what, "No worker serves, here or elsewhere.", "Start one:", (start,))
    if group.state != STABLE:
        return GROUP.warning(
            "state",
            f"group {seen.name} rebalances ({group.state})",
            "While partitions change hands nobody serves. It should take seconds.",
            "Look again. If it goes on, members come and go: see the logs of the workers.",
            (tools.describe_group(seen.name),),
        )
    hosts = len({member.host for member in group.members})
    where = "" if hosts == 1 else f" on {hosts} hosts"
    return GROUP.ok("members", f"group {seen.name}: {counted(count, 'member')}{where}")


def _offsets(seen: GroupSeen, tools: KafkaTools) -> Iterator[Finding]:
    """Judge committed offsets that the log does not have."""
    lost = {
        place: lag.beginning - lag.committed
        for place, lag in seen.lags.items()
        if lag.committed is not None and lag.committed < lag.beginning
    }
    if lost:
        yield GROUP.fault(
            "lost",
            f"{_requests(sum(lost.values()))} were removed before they were served: {places(lost)}",
            "The log begins after the committed offset: retention was shorter than the wait.",
            "Run more workers, and keep requests for longer:",
            tuple(
                tools.set_topic(topic, {"retention.ms": str(7 * 86_400_000)})
                for topic in dict.fromkeys(place.topic for place in lost)
            ),
        )
    beyond = {
        place: lag.committed
        for place, lag in seen.lags.items()
        if lag.committed is not None and lag.committed > lag.end
    }
    if beyond:
        yield GROUP.fault(
            "beyond",
            f"committed offsets lie beyond the end of the log: {places(beyond)}",
            "The topic was made again, or the cluster lost records: what comes now may be passed over.",
            "Stop the workers, move the group to the beginning, and start them again:",
            tuple(
                tools.reset_offsets(seen.name, topic, "--to-earliest")
                for topic in dict.fromkeys(place.topic for place in beyond)
            ),
        )


def _strangers(seen: GroupSeen, own_topics: Sequence[str]) -> Iterator[Finding]:
    others = {
        place.topic: member for member in seen.group.members for place in member.owns if place.topic not in own_topics
    }
    for topic, member in others.items():
        yield GROUP.warning(
            "strangers",
            f"{member.client_id} on {member.host} reads {topic} in this group",
            "Members of one group share partitions: two services in it disturb each other at every start and stop.",
            "Give each service a worker.group_id of its own.",
        )


def _unowned(seen: GroupSeen) -> Iterator[Finding]:
    if seen.group.state != STABLE:
        return
    owned = {place for member in seen.group.members for place in member.owns}
    nobodys = [place for place in seen.lags if place not in owned]
    if nobodys:
        yield GROUP.fault(
            "unowned",
            f"nobody reads {places(nobodys)}",
            "No member owns them: the workers have other request topics, or have not seen new partitions yet.",
            "Wait for kafka.metadata_max_age_s, or restart the workers with these settings.",
        )


def _progress(seen: GroupSeen, tools: KafkaTools) -> Iterator[Finding]:
    waiting, still = seen.waiting, seen.still
    total = sum(waiting.values())
    if not waiting:
        yield GROUP.ok("progress", "nothing waits")
        return
    if seen.after is None:
        yield GROUP.skipped("progress", f"{_requests(total)} wait; whether they move was not watched")
        return
    if not still:
        yield GROUP.ok("progress", f"{_requests(total)} wait, and they move")
        return
    owners = dict.fromkeys(filter(None, (_owner(seen, place) for place in still)))
    every = len(still) == len(waiting)
    what = f"{_requests(sum(waiting[place] for place in still))} wait and do not move: {places(still)}"
    why = (
        f"Nothing of that was finished in {seen.watched_s:.0f} s. Either a run of the model takes longer, or it hangs, "
    )
    why += "or an answer or a dead letter cannot be written."
    who = ", ".join(f"{member.client_id} on {member.host}" for member in owners)
    mend = f"Look at the log of {who}." if who else ""
    make = GROUP.fault if every else GROUP.warning
    yield make("progress", what, why, mend, (tools.describe_group(seen.name),))


def _owner(seen: GroupSeen, place: TopicPartition) -> Member | None:
    return next((member for member in seen.group.members if place in member.owns), None)


def _requests(count: int) -> str:
    return counted(count, "request")
