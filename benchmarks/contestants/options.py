"""What every contestant is told on its command line."""

import argparse
import os
import signal
from dataclasses import dataclass

# ONNX Runtime's wheels upload telemetry unless this is set before they are imported. Nobody here is to be slowed by it.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

BATCH = 500  # rows that a loop takes at once, where it may choose


@dataclass(frozen=True, slots=True)
class Options:
    """Where to read, where to answer, and with which model.

    Attributes:
        bootstrap: Kafka's addresses.
        group: consumer group; new, so that it starts at the beginning of the topic.
        requests, replies: topics.
        model: an ONNX file.
        name: the model's, for replies.
        raw: whether values are float32 rows instead of JSON.
        mode: for a contestant that comes in several.
    """

    bootstrap: str
    group: str
    requests: str
    replies: str
    model: str
    name: str
    raw: bool
    mode: str


def read_options(description: str | None) -> Options:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("bootstrap", "group", "requests", "replies", "model", "name"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--raw", action="store_true", help="values are float32 rows, not JSON")
    parser.add_argument("--mode", default="")
    return Options(**vars(parser.parse_args()))


def until_sigterm() -> list[int]:
    """Return a list that is empty until SIGTERM comes."""
    stopping: list[int] = []
    signal.signal(signal.SIGTERM, lambda *_: stopping.append(1))
    return stopping
