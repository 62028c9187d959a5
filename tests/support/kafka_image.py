"""Kafka as its image would start it: configured by the image's own program from the variables of a compose file.

The image's start script runs `kafka.docker.KafkaDockerWrapper setup`, which writes server.properties from the KAFKA_
variables and formats the data folder, and then the broker. That class lies in Kafka's server jar.
Source: apache/kafka, docker/resources/common-scripts and docker/jvm/launch.
"""

import asyncio
import os
import re
import subprocess
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from penstock.broker.jars import DEFAULT_VERSION, resolve_jars
from penstock.broker.java import find_java
from penstock.broker.jvm import Jvm
from penstock.broker.node import KafkaNode
from penstock.broker.ports import free_ports
from penstock.broker.properties import NodeSpec, parse

_DEFAULT_CLUSTER_ID = "5L6g3nShT-eMCtK--X86sw"  # the image's, where CLUSTER_ID is not set


@dataclass(frozen=True)
class RunningKafka:
    """A broker that was configured by variables.

    Attributes:
        inside: its address for containers, instead of kafka:19092.
        host: its address for the machine, instead of localhost:9092.
        properties: what the image's program made of the variables.
    """

    inside: str
    host: str
    properties: dict[str, str]

    async def unknown(self) -> dict[str, str]:
        """The properties that the broker does not know, or has other values of."""
        admin = AIOKafkaAdminClient(bootstrap_servers=self.inside)
        await admin.start()
        try:
            (answer,) = await admin.describe_configs([ConfigResource(ConfigResourceType.BROKER, "1")])
        finally:
            await admin.close()
        known = {name: value for name, value, *_ in answer.resources[0][4]}
        return {name: value for name, value in self.properties.items() if known.get(name) != value}


@asynccontextmanager
async def started(variables: Mapping[str, str], folder: Path) -> AsyncIterator[RunningKafka]:
    """Run a broker with the variables of a compose file, but with free ports of the loopback interface."""
    java, jars = await asyncio.to_thread(find_java), await asyncio.to_thread(resolve_jars)
    jvm = Jvm(java=java, jars=tuple(jars), version=DEFAULT_VERSION)
    inside, host, controller = free_ports(3)
    for name in ("defaults", "mounted", "config"):
        (folder / name).mkdir(parents=True)
    moved = {name: _moved(value, inside, host, controller) for name, value in variables.items()}
    moved |= {"CLUSTER_ID": _DEFAULT_CLUSTER_ID, "KAFKA_LOG_DIRS": str(folder / "data")}
    await asyncio.to_thread(_configure, jvm, moved, folder)
    properties = folder / "config" / "server.properties"
    node = KafkaNode(
        NodeSpec(node_id=1, port=inside, controller_port=controller, data_dir=folder / "data"),
        jvm.broker_command(properties, heap_mb=256),
        folder / "broker.log",
    )
    await node.start()
    try:
        yield RunningKafka(f"127.0.0.1:{inside}", f"localhost:{host}", parse(properties.read_text()))
    finally:
        await node.kill()


def _moved(value: str, inside: int, host: int, controller: int) -> str:
    ports = {"19092": inside, "9092": host, "29093": controller}
    loopback = value.replace("kafka:", "127.0.0.1:").replace("://:", "://127.0.0.1:")
    return re.sub(r"(?<=:)(19092|9092|29093)\b", lambda port: str(ports[port[1]]), loopback)


def _configure(jvm: Jvm, variables: Mapping[str, str], folder: Path) -> None:
    folders = ("--default-configs-dir", "defaults", "--mounted-configs-dir", "mounted", "--final-configs-dir", "config")
    command = jvm.command((), "kafka.docker.KafkaDockerWrapper", "setup", *folders)
    environ = {name: value for name, value in os.environ.items() if not name.startswith("KAFKA_")}
    ran = subprocess.run(
        command, cwd=folder, env={**environ, **variables}, capture_output=True, text=True, timeout=60, check=False
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
