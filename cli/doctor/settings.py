"""Judges the settings."""

from penstock.cli.doctor.finding import SETTINGS, Finding
from penstock.cli.readable import Readable


def judge_settings(readable: Readable) -> list[Finding]:
    """Name every fault that a worker would refuse to start with."""
    if readable.faults:
        instead = "Kafka is not examined" if readable.kafka_faulty else "The other checks use the default"
        why = f"A worker does not start with it. {instead}."
        return [SETTINGS.fault("faults", fault, why) for fault in readable.faults]
    source = str(readable.file) if readable.file else "no file; the environment and the command line"
    return [SETTINGS.ok("faults", f"{source}: {len(readable.given)} settings, all of them good")]
