"""Three nodes of Kafka that may be harmed, each with a second listener whose advertised port is a proxy's.

Generator and readers use the nodes' own ports; workers bootstrap at the proxy, and stay there, because the second
listener tells them of the proxy's ports only.
"""

import asyncio
import shutil
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from confluent_kafka.admin import AdminClient

from penstock.broker.cache import write_atomically
from penstock.broker.formation import node_specs, start_together
from penstock.broker.formatting import format_nodes
from penstock.broker.jars import DEFAULT_VERSION, resolve_jars
from penstock.broker.java import find_java
from penstock.broker.jvm import Jvm
from penstock.broker.node import KafkaNode
from penstock.broker.ports import HOST, free_ports
from penstock.broker.properties import NodeSpec, render, server_properties
from penstock.broker.ready import wait_for_nodes
from penstock.broker.storage import new_cluster
from tests.chaos.proxy import Proxy
from tests.support.waiting import until

NODES: Final = 3
_START_S: Final = 90.0
_WHOLE_S: Final = 60.0
_ADMIN_S: Final = 20.0


@dataclass(frozen=True)
class Listening:
    """The ports of a node's second listener: where the proxy finds it, and where it says that it is."""

    inside: int
    advertised: int


def listeners(spec: NodeSpec, ports: Listening) -> dict[str, str]:
    """Return the properties of a node with both listeners."""
    own, controller = f"CLIENT://{HOST}:{spec.port}", f"CONTROLLER://{HOST}:{spec.controller_port}"
    protocols = ",".join(f"{name}:PLAINTEXT" for name in ("CLIENT", "PROXIED", "CONTROLLER"))
    return {
        "listeners": f"{own},PROXIED://{HOST}:{ports.inside},{controller}",
        "advertised.listeners": f"{own},PROXIED://{HOST}:{ports.advertised}",
        "listener.security.protocol.map": protocols,
        # A worker that was killed is to be missed soon.
        "group.min.session.timeout.ms": "1000",
    }


class FaultyCluster:
    """An async context manager: three nodes, replication factor 3, two in sync needed, and the proxy before them.

    Attributes:
        nodes: which may be killed, suspended and started.
        proxy: between workers and nodes.
    """

    def __init__(self, *, heap_mb: int = 256, properties: Mapping[str, str] | None = None) -> None:
        self._heap_mb = heap_mb
        self._properties = dict(properties or {})
        self._folder = Path()
        self.nodes: tuple[KafkaNode, ...] = ()
        self.proxy = Proxy()
        self._admin: AdminClient | None = None

    @property
    def bootstrap(self) -> str:
        """The nodes' own addresses."""
        return ",".join(node.bootstrap_server for node in self.nodes)

    @property
    def proxied(self) -> str:
        """The addresses for workers."""
        return ",".join(f"{HOST}:{port}" for port in self.proxy.ports)

    async def __aenter__(self) -> "FaultyCluster":
        self._folder = Path(tempfile.mkdtemp(prefix="penstock-chaos-"))
        try:
            self.nodes = await self._make_nodes()
            await start_together(self.nodes, {}, time.monotonic() + _START_S)
            await self.until_whole()
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.proxy.close()
        await asyncio.gather(*(node.kill() for node in self.nodes))
        await asyncio.to_thread(shutil.rmtree, self._folder, ignore_errors=True)

    async def _make_nodes(self) -> tuple[KafkaNode, ...]:
        java = await asyncio.to_thread(find_java)
        jars = await asyncio.to_thread(resolve_jars, DEFAULT_VERSION)
        jvm = Jvm(java=java, jars=tuple(jars), version=DEFAULT_VERSION)
        specs = node_specs(self._folder, NODES, None)
        taken = frozenset(port for spec in specs for port in (spec.port, spec.controller_port))
        found = free_ports(2 * NODES, avoid=taken)
        await self.proxy.listen(dict(zip(found[:NODES], found[NODES:], strict=True)))
        nodes = []
        for spec, advertised, inside in zip(specs, found[:NODES], found[NODES:], strict=True):
            extra = {**listeners(spec, Listening(inside, advertised)), **self._properties}
            path = spec.data_dir.parent / "server.properties"
            write_atomically(path, render(server_properties(spec, specs, extra=extra)).encode())
            command = jvm.broker_command(path, heap_mb=self._heap_mb)
            nodes.append(KafkaNode(spec, command, path.parent / "broker.log", scratch=self._folder))
        await format_nodes(jvm, new_cluster(NODES, None, False, {}), specs)
        return tuple(nodes)

    def node(self, node_id: int) -> KafkaNode:
        """Return a node by its id."""
        return self.nodes[node_id - 1]

    async def restart(self, *nodes: KafkaNode) -> None:
        """Start nodes that do not run, side by side: alone in a quorum of three none would be ready."""
        await asyncio.gather(*(node.start(timeout_s=_START_S) for node in nodes if not node.running))

    async def heal(self) -> None:
        """Let every node run and every connection through, and wait until nothing lags behind."""
        self.proxy.heal()
        for node in self.nodes:
            node.resume()
        await self.restart(*self.nodes)
        await self.until_whole()

    async def until_whole(self, within_s: float = _WHOLE_S) -> None:
        """Wait until each node knows all, and every partition has a leader and all its copies in sync."""
        deadline = time.monotonic() + within_s
        everyone = {node.node_id for node in self.nodes}
        for node in self.nodes:
            assert await wait_for_nodes(node.spec.port, everyone, {}, deadline), f"{node!r} is alone\n{node.log_tail()}"
        await until(self._in_sync, within_s=within_s, every_s=0.25, what="every copy of every partition in sync")

    async def _in_sync(self) -> bool:
        metadata = await self.ask(lambda admin: admin.list_topics(timeout=_ADMIN_S))
        partitions = [each for topic in metadata.topics.values() for each in topic.partitions.values()]
        return all(each.leader > 0 and len(each.isrs) == len(each.replicas) for each in partitions)

    async def ask(self, question: Any) -> Any:
        """Return what a function of the admin client returns; it runs in a thread, as it may block."""
        if self._admin is None:
            self._admin = AdminClient({"bootstrap.servers": self.bootstrap, "log_level": 0})
        return await asyncio.to_thread(question, self._admin)
