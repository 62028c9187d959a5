"""The demo's workers: `penstock worker`, started as a person would start it, with a settings file."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from penstock.broker.ports import free_ports, is_free
from penstock.cli.demo.guarded import DemoError, GuardedProcess
from penstock.cli.demo.keys import KEY_FILE, TRUSTED_FILE
from penstock.cli.pages.fetch import default_urls
from penstock.cli.pages.sample import Sample
from penstock.cli.pages.scrape import look

REQUESTS: Final = "demo-requests"
REPLIES: Final = "demo-replies"
GROUP: Final = "demo"
SETTINGS_FILE: Final = "penstock.toml"
_READY_S: Final = 60.0
_POLL_S: Final = 0.1
_STOP_S: Final = 20.0
_PORT_ATTEMPTS: Final = 100

_SETTINGS: Final = """\
# The settings of the demo's workers.

[kafka]
bootstrap_servers = {bootstrap_servers}

[worker]
request_topics = ["{requests}"]
reply_topic = "{replies}"
group_id = "{group}"
processes = {processes}
shutdown_timeout_s = 5.0  # little is in flight when the demo ends

[models]
repository = {models}

[control]
enabled = true
trusted_keys = {trusted}
key = {key}
report_interval_s = 0.25  # so workers share a rate soon, as the demo has no time

[http]
port = {port}  # each process adds its number
"""


class Workers:
    """Worker processes that have been started.

    Args:
        supervisor: keeps them.
        ports: of their health and metrics.

    Attributes:
        urls: where health and metrics are, one for each process.
    """

    def __init__(self, supervisor: GuardedProcess, ports: range) -> None:
        self._supervisor = supervisor
        self.urls = tuple(default_urls("127.0.0.1", ports.start, len(ports)))

    def __repr__(self) -> str:
        return f"<Workers {', '.join(self.urls)}>"

    async def ready(self) -> None:
        """Wait until all of them serve.

        Raises:
            DemoError: they took too long.
        """
        try:
            async with asyncio.timeout(_READY_S):
                while True:
                    if all(each is not None and each.not_ready is None for each in await self.look()):
                        return
                    await asyncio.sleep(_POLL_S)
        except TimeoutError:
            raise DemoError(f"the workers were not ready within {_READY_S:g} s: {self.last_words()}") from None

    async def look(self) -> list[Sample | None]:
        """Return what each of them says of itself; None for one that does not answer."""
        looks = await asyncio.gather(*map(look, self.urls))
        return [each if isinstance(each, Sample) else None for each in looks]

    async def wait_ended(self) -> None:
        """Wait until they end by themselves."""
        await self._supervisor.wait()

    def last_words(self) -> str:
        """Return the end of their log."""
        return self._supervisor.last_lines(1) or "they logged nothing"


@asynccontextmanager
async def workers(bootstrap_servers: str, folder: Path, processes: int) -> AsyncIterator[Workers]:
    """Start worker processes, and stop them at the end.

    Args:
        bootstrap_servers: of the broker.
        folder: holds `models` and the keys, and gets settings and log.
        processes: how many.

    Raises:
        DemoError: no ports are free.
    """
    ports = _free_range(processes)
    path = folder / SETTINGS_FILE
    path.write_text(settings(bootstrap_servers, folder, processes, ports.start))
    supervisor = GuardedProcess(
        ["-m", "penstock.cli.main", "worker", "--config", str(path)], folder=folder, log=folder / "workers.log"
    )
    try:
        await supervisor.start()
        yield Workers(supervisor, ports)
    finally:
        await supervisor.stop(_STOP_S)


def settings(bootstrap_servers: str, folder: Path, processes: int, port: int) -> str:
    """Return the settings file of the workers."""
    places = {"models": "models", "trusted": TRUSTED_FILE, "key": KEY_FILE}
    return _SETTINGS.format(
        # What JSON writes of strings and lists, TOML reads.
        bootstrap_servers=json.dumps(bootstrap_servers.split(",")),
        requests=REQUESTS,
        replies=REPLIES,
        group=GROUP,
        processes=processes,
        port=port,
        **{name: json.dumps(str(folder / place), ensure_ascii=False) for name, place in places.items()},
    )


def _free_range(count: int) -> range:
    """Return ports in a row that nobody listens on at this moment."""
    for _ in range(_PORT_ATTEMPTS):
        first = free_ports(1)[0]
        if all(is_free(port) for port in range(first + 1, first + count)):
            return range(first, first + count)
    raise DemoError(f"no {count} ports in a row are free on 127.0.0.1")
