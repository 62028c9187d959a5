"""What modules log while a command runs, as a person sees it: warnings of ours in a line each, the rest not at all.

`penstock worker` sets up real logs instead, see `penstock.consumer.logs`.
"""

import logging
import sys
from collections.abc import MutableMapping
from typing import Any


def configure() -> None:
    """Send our warnings to standard error, and silence the Kafka client, whose failures come back as errors."""
    import structlog

    structlog.configure(
        processors=[_line],
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    # A client that is given up with its broker leaves tasks and connections behind, and asyncio says so.
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)


def _line(_: object, __: str, event: MutableMapping[str, Any]) -> str:
    text = event.pop("event")
    details = ", ".join(f"{name} {value}" for name, value in event.items())
    return f"note: {text}: {details}" if details else f"note: {text}"
