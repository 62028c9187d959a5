"""Where the study of control plays: models, a signing key, a Kafka, workers that follow commands, and who commands."""

import time
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.request import ProxyHandler, build_opener

from benchmarks.studies.control_generator import Stream
from benchmarks.studies.control_load import Load
from benchmarks.studies.control_models import MODEL
from benchmarks.studies.failures import StudyError
from benchmarks.studies.lane import Lane
from benchmarks.studies.service import Service
from penstock.producer.control.control import Control
from penstock.producer.control.results import Ack, Change, Issued
from penstock.schemas.control.signing import Signer
from penstock.schemas.control.specs import Key
from penstock.schemas.control.status import WorkerStatus
from penstock.transport.control.keys import trusted_key_table, write_private_key
from penstock.transport.control.topics import ensure_control_topics
from penstock.transport.topics import create_topics

PARTITIONS: Final = 8
WORKERS: Final = 2
_ACKS_S: Final = 60.0
_START_S: Final = 120.0
_opener = build_opener(ProxyHandler({}))


@dataclass(frozen=True, slots=True)
class Order:
    """A command, and what became of it. Times are monotonic seconds.

    Attributes:
        asked, written, acked: when it was asked for, stood in the control topic, and the last worker had said its word.
        offset: in the control topic.
        acks: of each worker.
    """

    asked: float
    written: float
    acked: float
    offset: int
    acks: list[Ack]

    @property
    def kinds(self) -> list[str]:
        """What became of it, by worker."""
        return [ack.kind for ack in self.acks]


@dataclass(frozen=True)
class Scene:
    """What is there for the whole study.

    Attributes:
        bootstrap: Kafka's addresses.
        folder: temporary; `models` in it is the repository.
        signer: whose commands are taken.
    """

    bootstrap: str
    folder: Path
    signer: Signer = field(default_factory=lambda: Signer.generate("study"))

    def __post_init__(self) -> None:
        write_private_key(self._key, self.signer)
        self._trusted.write_text(trusted_key_table(self.signer.key_id, self.key))

    @property
    def key(self) -> Key:
        """The public half, which may do everything."""
        return Key(public=self.signer.public_hex, scopes=("*",))

    async def lane(self, name: str) -> Lane:
        """Make the topics of a service, those of its shadows and of control included."""
        lane = Lane(name, PARTITIONS)
        options = {"bootstrap_servers": self.bootstrap}
        topics = (lane.requests, lane.replies, f"{lane.replies}-shadow")
        await create_topics(options, dict.fromkeys(topics, PARTITIONS), replication_factor=1)
        await ensure_control_topics(options, f"{lane.group}-control", f"{lane.group}-status")
        return lane

    def worker(self, lane: Lane, name: str, *, signing: bool = True) -> Service:
        """Return a worker that follows commands; not started."""
        settings: dict[str, object] = {"control.enabled": "true", "control.start_timeout_s": _START_S}
        settings |= {"control.trusted_keys": self._trusted} if signing else {"control.signing": "off"}
        return Service(name, self.folder, self.bootstrap, lane, model=MODEL, settings=settings)

    def control(self, lane: Lane, *, signing: bool = True) -> Control:
        """Return whoever commands; not connected."""
        keys: dict[str, Any] = {"key": self._key, "trusted_keys": self._trusted} if signing else {"signing": "off"}
        return Control(self.bootstrap, lane.group, timeout_s=_START_S, issuer="study", **keys)

    @asynccontextmanager
    async def service(self, lane: Lane) -> AsyncIterator[tuple[list[Service], Load, Control]]:
        """Start two workers, a generator that has warmed them up, and whoever commands."""
        async with (
            self.worker(lane, f"{lane.name}-0") as one,
            self.worker(lane, f"{lane.name}-1") as two,
            Load(self.bootstrap, lane) as load,
            self.control(lane) as control,
        ):
            services = [one, two]
            await both_open(services)
            await load.run(3.0, Stream(500, 100))
            yield services, load, control

    @property
    def _key(self) -> Path:
        return self.folder / "study.key"

    @property
    def _trusted(self) -> Path:
        return self.folder / "trusted.toml"


async def both_open(services: list[Service]) -> None:
    """Wait until workers share all partitions. Raises: StudyError."""
    one = services[0]

    def shared() -> float | None:
        for service in services:
            service.check()
        last = [max(service.openings(), key=lambda each: each.at, default=None) for service in services]
        counts = [opening.partitions for opening in last if opening]
        return 1.0 if len(counts) == len(services) and all(counts) and sum(counts) == one.lane.partitions else None

    await one.until(shared, "all workers have partitions")


async def ordered(control: Control, asking: Awaitable[Change], workers: int = WORKERS) -> Order:
    """Give an order and wait for every worker's word. Raises: StudyError (a worker says nothing)."""
    asked = acked = time.monotonic()

    def told(_: Ack) -> None:
        nonlocal acked
        acked = time.monotonic()

    issued = await asking
    written = time.monotonic()
    assert isinstance(issued, Issued)
    acks = await control.wait(issued, _ACKS_S, told)
    if len(acks) != workers or not all(ack.settled for ack in acks):
        said = ", ".join(f"{ack.worker} {ack.kind}" for ack in acks) or "nobody"
        raise StudyError(f"{issued.resource} at offset {issued.offset}: {said}, where {workers} workers should answer")
    return Order(asked, written, acked, issued.offset, acks)


def applied(order: Order) -> Order:
    """Return an order that all have followed. Raises: StudyError (one has not)."""
    if faults := [f"{ack.worker} {ack.kind}: {ack.reason}" for ack in order.acks if ack.kind != "applied"]:
        raise StudyError(f"the command at offset {order.offset} was not followed: {'; '.join(faults)}")
    return order


def served(status: WorkerStatus) -> list[tuple[str, str, float]]:
    """Return what a worker serves: state, version and share."""
    return sorted((each.state, each.version, each.share) for each in status.versions)


def metric_of(service: Service, name: str, **labels: str) -> float:
    """Return the sum of a metric on a worker's page, over the labels that are not given. Blocks for a moment."""
    urls = [line["url"] for line in service.lines() if line.get("event") == "health and metrics"]
    with _opener.open(f"{urls[-1]}/metrics", timeout=10) as answer:
        lines = answer.read().decode().splitlines()
    wanted = [f'{label}="{value}"' for label, value in labels.items()]
    found = [
        each for each in lines if each.startswith((f"{name} ", f"{name}{{")) and all(one in each for one in wanted)
    ]
    return sum(float(line.rpartition(" ")[2]) for line in found)
