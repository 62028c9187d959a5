"""A real Apache Kafka as child processes, for the demo, the tests and laptops."""

import asyncio
import contextlib
import shutil
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from penstock.broker.access import allow
from penstock.broker.cache import write_atomically
from penstock.broker.errors import BrokerError, PortTakenError
from penstock.broker.formation import node_specs, start_together
from penstock.broker.formatting import format_nodes
from penstock.broker.jars import DEFAULT_VERSION, checked_version, resolve_jars
from penstock.broker.java import find_java
from penstock.broker.jvm import Jvm
from penstock.broker.node import KafkaNode
from penstock.broker.ports import check_free
from penstock.broker.properties import ADMIN, render, server_properties
from penstock.broker.storage import claimed, new_cluster, open_cluster

_PORT_ATTEMPTS = 3


class EmbeddedKafka:
    """A Kafka cluster that lives as long as the ``async with`` block, and never longer than this process.

    ``start`` sets ``nodes``, ``cluster`` and the folder; ``stop`` clears what is temporary. One task starts
    and stops it; clients may use ``bootstrap_servers`` from anywhere.

        async with EmbeddedKafka() as kafka:
            print(kafka.bootstrap_servers)
    """

    def __init__(
        self,
        *,
        nodes: int = 1,
        version: str = DEFAULT_VERSION,
        port: int | None = None,
        data_dir: str | Path | None = None,
        cluster_id: str | None = None,
        properties: Mapping[str, str] | None = None,
        secure: bool = False,
        users: Mapping[str, str] | None = None,
        heap_mb: int = 512,
        jvm_options: Sequence[str] = (),
        start_timeout_s: float = 60.0,
        offline: bool = False,
    ) -> None:
        """Describe the cluster; nothing runs and nothing is fetched before ``start``.

        Args:
            nodes: how many, each a process that is broker and controller in one; three tolerate the loss of one.
            version: Kafka's, from 3.9.0.
            port: of the first node's clients, the others count up from it; by default free ports are found.
            data_dir: kept over runs; by default a temporary folder, removed at the end.
            cluster_id: the only cluster to accept in ``data_dir``, and the id of a new one.
            properties: for every node, over ours.
            secure: clients authenticate (SCRAM) and ACLs are checked; ``admin`` may do everything.
            users: names and passwords beside ``admin`` (or of it), with ``secure``.
            heap_mb: per node, in MiB.
            jvm_options: over ours.
            start_timeout_s: from the start of the processes until all are ready; fetching Kafka comes before.
            offline: use the cache alone.

        Raises:
            BrokerError: a value that can't be.
        """
        if nodes < 1 or heap_mb < 64:
            raise BrokerError("an embedded cluster takes at least 1 node and 64 MiB of heap for each")
        if port is not None and not 1 <= port <= 65_536 - nodes:
            raise BrokerError(f"port {port} can't be: ports go from 1 to 65535")
        if users and not secure:
            raise BrokerError("users are for a secured cluster: add secure=True")
        self.version = checked_version(version)
        self.nodes: tuple[KafkaNode, ...] = ()
        self.cluster = new_cluster(nodes, cluster_id, secure, dict(users or {}))
        self._given_id = cluster_id
        self._port = port
        self._data_dir = None if data_dir is None else Path(data_dir).expanduser().absolute()
        self._properties = dict(properties or {})
        self._heap_mb = heap_mb
        self._jvm_options = tuple(jvm_options)
        self._start_timeout_s = start_timeout_s
        self._offline = offline
        self._folder: Path | None = None
        self._held = contextlib.ExitStack()

    def __repr__(self) -> str:
        state = self.bootstrap_servers if self.nodes else "not started"
        return f"<EmbeddedKafka {self.version}, {self.cluster.nodes} node(s): {state}>"

    async def __aenter__(self) -> "EmbeddedKafka":
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    @property
    def bootstrap_servers(self) -> str:
        """The nodes' addresses, ``host:port`` joined by commas; empty before ``start``."""
        return ",".join(node.bootstrap_server for node in self.nodes)

    @property
    def cluster_id(self) -> str:
        """The id of the cluster; kept in a data folder."""
        return self.cluster.cluster_id

    @property
    def users(self) -> Mapping[str, str]:
        """Names and passwords of a secured cluster, ``admin`` among them."""
        return dict(self.cluster.users)

    @property
    def data_dir(self) -> Path:
        """The folder in use, one folder ``node-N`` per node in it. Raises: BrokerError (not started)."""
        if self._folder is None:
            raise BrokerError("the cluster is not started and has no folder yet")
        return self._folder

    def security(self, user: str = ADMIN, *, mechanism: str = "SCRAM-SHA-512") -> dict[str, Any]:
        """Return the security arguments of an aiokafka client for ``user``; none where nobody has to log in.

        Raises:
            BrokerError: no such user.
        """
        if not self.cluster.secure:
            return {}
        if user not in self.cluster.users:
            raise BrokerError(f"no user {user!r}: there are {', '.join(sorted(self.cluster.users))}")
        return {
            "security_protocol": "SASL_PLAINTEXT",
            "sasl_mechanism": mechanism,
            "sasl_plain_username": user,
            "sasl_plain_password": self.cluster.users[user],
        }

    def client_config(self, user: str = ADMIN) -> dict[str, Any]:
        """Return the arguments of an aiokafka client: addresses and security."""
        return {"bootstrap_servers": self.bootstrap_servers, **self.security(user)}

    async def allow(
        self, user: str, resource: str, name: str, operations: Iterable[str], *, prefixed: bool = False
    ) -> None:
        """Let ``user`` perform ``operations`` on a resource; see ``penstock.broker.access.allow``."""
        running = next((node for node in self.nodes if node.running), None)
        if running is None:
            raise BrokerError("no node is running: start one first")
        await allow(
            running.spec.port,
            self.security(),
            user,
            resource=resource,
            name=name,
            operations=operations,
            prefixed=prefixed,
        )

    async def start(self) -> None:
        """Fetch what is missing, start all nodes and wait until each lists all others.

        Raises:
            BrokerError: one of its kinds says what happened; nothing is left running.
        """
        if self.nodes:
            raise BrokerError("the cluster is started already: stop it first")
        if self._port is not None:
            for offset in range(self.cluster.nodes):
                check_free(self._port + offset)
        java = await asyncio.to_thread(find_java)
        jars = await asyncio.to_thread(resolve_jars, self.version, offline=self._offline)
        try:
            await asyncio.to_thread(self._open_folder)
            await self._start_nodes(Jvm(java=java, jars=tuple(jars), version=self.version))
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """End all nodes, in good order where the data is kept, and remove a temporary folder."""
        if self._data_dir is None:
            await asyncio.gather(*(node.kill() for node in self.nodes))
        else:
            await asyncio.gather(*(node.stop() for node in self.nodes))
        self.nodes = ()
        if self._data_dir is None and self._folder is not None:
            await asyncio.to_thread(shutil.rmtree, self._folder, ignore_errors=True)
        self._folder = None
        self._held.close()

    def _open_folder(self) -> None:
        if self._data_dir is None:
            self._folder = Path(tempfile.mkdtemp(prefix="penstock-broker-"))
        else:
            self._folder = self._data_dir
        self._held.enter_context(claimed(self._folder))
        self.cluster = open_cluster(self._folder, self.cluster, cluster_id=self._given_id)

    async def _start_nodes(self, jvm: Jvm) -> None:
        deadline = time.monotonic() + self._start_timeout_s
        for attempt in range(_PORT_ATTEMPTS):
            self.nodes = await self._make_nodes(jvm)
            try:
                await start_together(self.nodes, self.security(), deadline)
            except PortTakenError as error:
                # A free port was taken between our look and the broker's: look again.
                given = range(self._port, self._port + self.cluster.nodes) if self._port is not None else ()
                if error.port in given or attempt == _PORT_ATTEMPTS - 1:
                    raise
                continue
            return

    async def _make_nodes(self, jvm: Jvm) -> tuple[KafkaNode, ...]:
        specs = node_specs(self.data_dir, self.cluster.nodes, self._port)
        nodes = []
        for spec in specs:
            home = spec.data_dir.parent
            properties = server_properties(spec, specs, passwords=self.cluster.passwords, extra=self._properties)
            path = home / "server.properties"
            await asyncio.to_thread(write_atomically, path, render(properties).encode(), mode=0o600)
            nodes.append(
                KafkaNode(
                    spec,
                    jvm.broker_command(path, heap_mb=self._heap_mb, options=self._jvm_options),
                    home / "broker.log",
                    security=self.security(),
                    scratch=self._folder if self._data_dir is None else None,
                )
            )
        await format_nodes(jvm, self.cluster, specs)
        return tuple(nodes)
