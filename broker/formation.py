"""From a number of nodes to a cluster: where each listens, and all of them started together."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from penstock.broker.errors import BrokerStartError
from penstock.broker.node import KafkaNode
from penstock.broker.ports import free_ports
from penstock.broker.properties import NodeSpec
from penstock.broker.ready import wait_for_nodes


def node_specs(folder: Path, count: int, port: int | None) -> list[NodeSpec]:
    """Return ``count`` nodes in ``folder``, on ports from ``port`` up, on free ones without. Raises: BrokerError."""
    if port is None:
        found = free_ports(2 * count)
        ports, controllers = found[:count], found[count:]
    else:
        ports = list(range(port, port + count))
        controllers = free_ports(count, avoid=frozenset(ports))
    return [
        NodeSpec(
            node_id=index + 1,
            port=ports[index],
            controller_port=controllers[index],
            data_dir=folder / f"node-{index + 1}" / "kafka",
        )
        for index in range(count)
    ]


async def start_together(nodes: Sequence[KafkaNode], security: Mapping[str, Any], deadline: float) -> None:
    """Start all ``nodes`` side by side, as none is ready before most are, until each lists all.

    Args:
        nodes: of one cluster.
        security: connection arguments of a super user.
        deadline: on the monotonic clock.

    Raises:
        PortTakenError, BrokerStartError: one of them did not come up; none is left running.
    """
    tasks = [asyncio.create_task(node.start(timeout_s=deadline - time.monotonic())) for node in nodes]
    try:
        await asyncio.gather(*tasks)
        everyone = {node.node_id for node in nodes}
        for node in nodes:
            if not await wait_for_nodes(node.spec.port, everyone, security, deadline):
                what = f"node {node.node_id} did not find all {len(everyone)} nodes in time"
                raise BrokerStartError(what, await asyncio.to_thread(node.log_tail))
    except BaseException:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.gather(*(node.kill() for node in nodes))
        raise
