"""Looks at the workers and at Kafka, again and again, each at its own pace: none waits for another."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

from penstock.cli.pages.fetch import default_urls
from penstock.cli.pages.sample import Sample, Silence
from penstock.cli.pages.scrape import look, look_around, processes_of, unforeseen
from penstock.cli.top.cluster import Cluster, ClusterState
from penstock.cli.top.view import View
from penstock.cli.top.watch import Watch
from penstock.consumer.settings import ToolSettings
from penstock.schemas.errors import PenstockError


class NoWorkerError(PenstockError):
    """Nothing that could be watched answers."""


class Watching:
    """A service under observation. An async context manager.

    Args:
        settings: where the service is, as far as nothing else says it.
        urls: of the workers' pages; empty means those that the settings lead to.
        interval_s: between two looks at the same thing.
        window_s: what rates are taken over.
    """

    def __init__(self, settings: ToolSettings, urls: Sequence[str], *, interval_s: float, window_s: float) -> None:
        self._settings = settings
        self._urls = tuple(urls)
        self._interval_s = interval_s
        lane, servers = settings.worker, settings.kafka.bootstrap_servers
        self._watch = Watch(
            window_s=window_s, group=lane.group_id or "?", topics=lane.request_topics, kafka=",".join(servers)
        )
        self._cluster: Cluster | None = None
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def __aenter__(self) -> "Watching":
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)
        if self._cluster is not None:
            await self._cluster.close()

    def view(self) -> View:
        """Return the figures of this moment."""
        return self._watch.view(time.monotonic(), time.time())

    async def begin(self) -> None:
        """Look for the workers. Kafka is asked later: it may take its time.

        Raises:
            NoWorkerError: none answers.
        """
        http, processes = self._settings.http, self._settings.worker.processes
        if self._urls:
            found = list(await asyncio.gather(*map(look, self._urls)))
        else:
            found = await look_around(http.host, http.port, processes)
        self._check(found)
        for each in found:
            self._watch.saw(each)
        # Who has set no Kafka wants the one that the workers have.
        options = self._settings.kafka.client_options()
        if "bootstrap_servers" not in self._settings.kafka.model_fields_set and self._watch.servers:
            self._watch.kafka = self._watch.servers
            options["bootstrap_servers"] = self._watch.servers.split(",")
        self._cluster = Cluster(options)

    async def again(self) -> None:
        """Look at everything once."""
        await asyncio.gather(self._ask_kafka(), *(self._look_at(url) for url in self._watch.urls))

    def keep_looking(self) -> None:
        """Look at each thing at its interval from now on, and at workers that turn up."""
        self._keep("", self._ask_kafka)
        for url in [*self._watch.urls, *self._neighbours()]:
            self._keep(url, partial(self._look_at, url))

    def _keep(self, name: str, looking: Callable[[], Awaitable[None]]) -> None:
        if name in self._tasks and not self._tasks[name].done():
            return
        self._tasks[name] = asyncio.create_task(self._repeat(looking), name=f"top {name}")

    async def _repeat(self, looking: Callable[[], Awaitable[None]]) -> None:
        while True:
            begun = time.monotonic()
            await looking()
            await asyncio.sleep(max(0.05, self._interval_s - (time.monotonic() - begun)))

    async def _look_at(self, url: str) -> None:
        self._watch.saw(await look(url))

    async def _ask_kafka(self) -> None:
        if self._cluster is None:
            return
        try:
            state = await self._cluster.read(self._watch.group, self._watch.topics)
        except Exception as error:  # is said on the page, where the workers' figures go on
            await self._cluster.close()
            state = ClusterState(time.monotonic(), problem=unforeseen(error))
        self._watch.heard(state)

    def _neighbours(self) -> list[str]:
        """Return where further processes should be, by what those seen say; nowhere where the user said where."""
        if self._urls:
            return []
        processes = processes_of(self._watch.samples, self._settings.worker.processes)
        return default_urls(self._settings.http.host, self._settings.http.port, processes)

    def _check(self, found: Sequence[Sample | Silence]) -> None:
        if any(isinstance(each, Sample) for each in found):
            return
        tried = [f"{each.url}: {each.why}" for each in found if isinstance(each, Silence)]
        more = f", nor at {len(tried) - 1} more" if len(tried) > 1 else ""
        raise NoWorkerError(
            f"no worker answers at {tried[0]}{more}.\n"
            "Start one with `penstock worker`, or say where it is: penstock top --url http://host:port"
        )
