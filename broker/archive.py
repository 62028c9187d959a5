"""Make ready what later starts need: the jars, and an archive of linked classes that halves a start."""

import asyncio
import logging
import tempfile
from pathlib import Path

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from penstock.broker.embedded import EmbeddedKafka
from penstock.broker.jars import DEFAULT_VERSION, resolve_jars
from penstock.broker.java import find_java
from penstock.broker.jvm import OLDEST_WITH_ARCHIVE, Jvm, run_tool

_log = logging.getLogger(__name__)
_TIMEOUT_S = 120.0


async def prepare(version: str = DEFAULT_VERSION, *, offline: bool = False) -> bool:
    """Fetch Kafka and build its start archive, 10 to 15 s the first time and nothing later.

    Worth it for a machine that starts brokers often (a test run, a laptop): a start then takes about 1 s instead
    of 2 to 3 and half the CPU time. Brokers work the same without.

    Returns: whether later starts use an archive; Java before 24 can't make one that helps.

    Raises:
        BrokerError: as ``EmbeddedKafka.start``.
    """
    java = await asyncio.to_thread(find_java)
    jars = await asyncio.to_thread(resolve_jars, version, offline=offline)
    jvm = Jvm(java=java, jars=tuple(jars), version=version)
    if java.major < OLDEST_WITH_ARCHIVE:
        return False
    if not jvm.archive.exists():
        with tempfile.TemporaryDirectory(prefix="penstock-archive-", dir=jvm.archive.parent) as folder:
            await _build(jvm, Path(folder))
    return True


async def _build(jvm: Jvm, folder: Path) -> None:
    recording, archive = folder / "recording", folder / "archive"
    options = ("-XX:AOTMode=record", f"-XX:AOTConfiguration={recording}")
    async with EmbeddedKafka(version=jvm.version, jvm_options=options, offline=True) as kafka:
        await _exercise(kafka)
        # The JVM writes what it has seen when it ends in good order.
        await kafka.nodes[0].stop(timeout_s=_TIMEOUT_S)
    create = (f"-XX:AOTCache={archive}", f"-XX:AOTConfiguration={recording}", "-XX:AOTMode=create")
    command = jvm.command(create, "kafka.Kafka")
    await run_tool(command, "building the start archive", _TIMEOUT_S)
    # Of two processes that build it at once, the last one's stays; both are whole.
    archive.replace(jvm.archive)
    _log.info("built the start archive %s", jvm.archive)


async def _exercise(kafka: EmbeddedKafka) -> None:
    """Do once what clients do, so that the archive holds those classes too."""
    producer = AIOKafkaProducer(transactional_id="archive", **kafka.client_config())
    async with producer, producer.transaction():
        await producer.send_and_wait("archive", b"value")
    consumer = AIOKafkaConsumer("archive", group_id="archive", auto_offset_reset="earliest", **kafka.client_config())
    async with consumer:
        await asyncio.wait_for(consumer.getone(), 30)
        await consumer.commit()
