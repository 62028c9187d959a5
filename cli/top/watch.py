"""Remembers what was seen for as long as the page needs it."""

from collections import deque
from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from penstock.cli.pages.sample import Sample, Silence
from penstock.cli.top.cluster import ClusterState
from penstock.cli.top.process import process_of
from penstock.cli.top.summary import Moment, Seen, moment_of, view_of
from penstock.cli.top.view import View

_MOMENTS: Final = 300  # wider than any chart


class Watch:
    """Looks go in, views come out.

    Args:
        window_s: what rates and quantiles are taken over.
        group: of the service, until a worker says it.
        topics: that it reads, until a worker says it.
        kafka: addresses that Kafka is asked at.
    """

    def __init__(self, *, window_s: float, group: str, topics: Iterable[str], kafka: str) -> None:
        self._window_s = window_s
        self._group = group
        self._topics = tuple(topics)
        self.kafka = kafka
        self._samples: dict[str, deque[Sample]] = {}
        self._silences: dict[str, Silence] = {}
        self._states: deque[ClusterState] = deque()
        self._moments: deque[Moment] = deque(maxlen=_MOMENTS)

    @property
    def urls(self) -> list[str]:
        """Where somebody was asked, in the order of the page."""
        return list(self._samples)

    @property
    def samples(self) -> list[Sample | Silence]:
        """The newest look at each place that ever answered."""
        return [samples[-1] for samples in self._samples.values() if samples]

    @property
    def group(self) -> str:
        """The service's group: the one that its first worker names."""
        return next((info["group"] for info in self._infos() if info.get("group")), self._group)

    @property
    def topics(self) -> tuple[str, ...]:
        """The request topics of the workers of this group."""
        said = [
            info["request_topics"].split(",")
            for info in self._infos()
            if info.get("request_topics") and info.get("group") == self.group
        ]
        return tuple(dict.fromkeys(topic for topics in said for topic in topics)) or self._topics

    @property
    def servers(self) -> str | None:
        """Where the workers reach Kafka, by their own word."""
        return next((info["bootstrap_servers"] for info in self._infos() if info.get("bootstrap_servers")), None)

    def saw(self, look: Sample | Silence) -> None:
        """Take in a look at a worker process."""
        samples = self._samples.setdefault(look.url, deque())
        if isinstance(look, Silence):
            self._silences[look.url] = look
            return
        self._silences.pop(look.url, None)
        samples.append(look)
        # The newest of those that are older than the window is where the window begins.
        while len(samples) > 2 and samples[1].at <= look.at - self._window_s:
            samples.popleft()

    def heard(self, state: ClusterState) -> None:
        """Take in what Kafka said."""
        if state.problem is not None:
            self._states.clear()
        self._states.append(state)
        while len(self._states) > 2 and self._states[1].at <= state.at - self._window_s:
            self._states.popleft()

    def view(self, now: float, wall: float) -> View:
        """Add a point to the charts, and return the figures of the page.

        Args:
            now: monotonic seconds.
            wall: seconds of the wall clock.
        """
        seen = self._seen(now, wall)
        self._moments.append(moment_of(seen))
        return view_of(replace(seen, moments=tuple(self._moments)))

    def _seen(self, now: float, wall: float) -> Seen:
        return Seen(
            now=now,
            wall=wall,
            window_s=self._window_s,
            group=self.group,
            topics=self.topics,
            kafka=self.kafka,
            processes=tuple(
                process_of(url, tuple(samples), self._silences.get(url)) for url, samples in self._samples.items()
            ),
            before=self._states[0] if len(self._states) > 1 and self._states[0].problem is None else None,
            cluster=self._states[-1] if self._states else None,
            moments=tuple(self._moments),
        )

    def _infos(self) -> Iterable[dict[str, str]]:
        return [dict(samples[-1].info) for samples in self._samples.values() if samples]
