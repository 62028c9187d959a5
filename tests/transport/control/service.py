"""The control topic and the status topic of one test, and what is written to them."""

import itertools
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.structs import TopicPartition

from penstock.schemas.control.fold import ControlState, Fold, Trust
from penstock.schemas.control.signing import Signer
from penstock.schemas.control.snapshot import SNAPSHOT_KEY, encode_snapshot
from penstock.schemas.control.specs import Key
from penstock.transport.closing import closing
from penstock.transport.control.log import ControlLog
from penstock.transport.control.topics import cluster_id, ensure_control_topics

ROOT = Signer("root", bytes(range(32)))
_numbers = itertools.count(1)
_run = secrets.token_hex(3)


def wanted(rows_per_s: float) -> dict[str, Any]:
    return {"rows_per_s": float(rows_per_s)}


@dataclass
class ControlledService:
    """A service without workers. `ROOT` may do everything."""

    bootstrap: str
    group: str
    cluster: str
    signing: bool = False
    _sequence: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    @property
    def options(self) -> dict[str, Any]:
        return {"bootstrap_servers": self.bootstrap}

    @property
    def topic(self) -> str:
        return f"{self.group}-control"

    @property
    def status_topic(self) -> str:
        return f"{self.group}-status"

    @property
    def place(self) -> TopicPartition:
        return TopicPartition(self.topic, 0)

    @property
    def keys(self) -> dict[str, Key]:
        return {"root": Key(public=ROOT.public_hex, scopes=("*",))}

    @property
    def trust(self) -> Trust:
        return Trust(self.cluster, self.group, self.keys, self.signing)

    def command(self, resource: str, spec: Mapping[str, Any] | None, **changed: Any) -> tuple[bytes, bytes]:
        """Key and value of a command that nobody has signed."""
        document = {
            "penstock": "command/1",
            "id": "command-1",
            "sequence": next(self._sequence),
            "cluster": self.cluster,
            "group": self.group,
            "issuer": "anna",
            "time": 1_000,
            "expires": 2**53,
            "resource": resource,
            "action": "remove" if spec is None else "set",
            "spec": spec,
        }
        document |= changed
        value = orjson.dumps({name: value for name, value in document.items() if value is not None})
        return resource.encode(), value

    async def write(self, *records: tuple[bytes, bytes]) -> list[int]:
        """Append records to the control topic and return their offsets."""
        async with AIOKafkaProducer(**self.options, acks="all", linger_ms=2) as producer:
            sent = [await producer.send(self.topic, value, key=key, partition=0) for key, value in records]
            return [(await each).offset for each in sent]

    def throttles(self, count: int) -> list[tuple[bytes, bytes]]:
        return [self.command(f"throttle/tenant:t{number % 50}", wanted(number)) for number in range(count)]

    def snapshot(self, state: ControlState) -> tuple[bytes, bytes]:
        value, _ = encode_snapshot(
            state, None, cluster=self.cluster, group=self.group, id_=secrets.token_urlsafe(9), time_ms=1
        )
        return SNAPSHOT_KEY, value

    async def fold(self, *, snapshots: bool = True) -> tuple[Fold, ControlLog, int]:
        """Read the topic as a late reader does: the fold, the log, and how many records that took."""
        log = ControlLog(self.options, self.topic, self.trust if snapshots else None)
        try:
            await log.start(10.0)
            records = await log.read_to_end(10.0)
        finally:
            await log.close()
        fold = Fold(self.trust)
        if log.snapshot is not None:
            fold.restore(log.snapshot)
        for record in records:
            fold.apply(record)
        return fold, log, len(records)

    async def delete_before(self, offset: int) -> None:
        async with closing(AIOKafkaAdminClient(**self.options)) as admin:
            await admin.start()
            await admin.delete_records({self.place: RecordsToDelete(offset)})

    async def alter(self, **settings: str) -> None:
        """Replace the settings of the control topic."""
        named = {name.replace("_", "."): value for name, value in settings.items()}
        async with closing(AIOKafkaAdminClient(**self.options)) as admin:
            await admin.start()
            await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, self.topic, named)])


async def new_service(bootstrap: str, *, topics: bool = True) -> ControlledService:
    group = f"service-{_run}-{next(_numbers)}"
    service = ControlledService(bootstrap, group, await cluster_id({"bootstrap_servers": bootstrap}, 10.0))
    if topics:
        made = await ensure_control_topics(service.options, service.topic, service.status_topic)
        assert sorted(made) == sorted([service.topic, service.status_topic])
    return service


def offsets(records: Sequence[Any]) -> list[int]:
    return [record.offset for record in records]
