"""Format the data folders of new nodes, with Kafka's tool at most once per cluster."""

import asyncio
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from penstock.broker.cache import cache_dir, write_atomically
from penstock.broker.jvm import Jvm
from penstock.broker.properties import MECHANISMS, NodeSpec, render, server_properties
from penstock.broker.storage import Cluster, check_node, write_meta

_CHECKPOINT = "bootstrap.checkpoint"


async def format_nodes(jvm: Jvm, cluster: Cluster, specs: Sequence[NodeSpec]) -> None:
    """Format what is not formatted yet.

    A formatted folder is two files: ``meta.properties``, whose it is, and ``bootstrap.checkpoint``, the feature
    levels and passwords a cluster begins with. The second is the same on all nodes, and without passwords for
    all clusters of a Kafka version, so the tool's one is kept and copied: that saves a JVM (1 to 2 s) per start.

    Raises:
        DataFolderError: a folder belongs to another cluster.
        BrokerError: the tool failed.
    """
    fresh = [spec for spec in specs if not await asyncio.to_thread(check_node, spec.data_dir, cluster, spec.node_id)]
    if not fresh:
        return
    kept = cache_dir() / "kafka" / f"kafka-{jvm.version}.{_CHECKPOINT}"
    if cluster.secure or not kept.exists():
        checkpoint = await _run_tool(jvm, cluster, fresh[0])
        if not cluster.secure:
            await asyncio.to_thread(write_atomically, kept, checkpoint.read_bytes())
    else:
        checkpoint = kept
    content = checkpoint.read_bytes()
    for spec in fresh:
        await asyncio.to_thread(write_atomically, spec.data_dir / _CHECKPOINT, content, mode=0o600)
        await asyncio.to_thread(write_meta, spec.data_dir, cluster, spec.node_id)


async def _run_tool(jvm: Jvm, cluster: Cluster, spec: NodeSpec) -> Path:
    scratch = spec.data_dir.parent / "format"
    await asyncio.to_thread(shutil.rmtree, scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    properties = scratch / "format.properties"
    # The tool needs to know the node and the folder; what else the caller wants is the broker's to judge.
    properties.write_text(render(server_properties(replace(spec, data_dir=scratch), [spec])))
    scram = [
        f"{mechanism}=[name={name},password={password}]"
        for name, password in cluster.users.items()
        for mechanism in MECHANISMS
    ]
    await jvm.format(properties, cluster.cluster_id, scram)
    return scratch / _CHECKPOINT
