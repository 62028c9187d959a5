"""Logging: structlog everywhere, for people on a terminal, as JSON lines elsewhere; never a payload."""

import logging
import sys
from typing import Final, Literal

import structlog
from structlog.typing import Processor

# Below WARNING aiokafka logs every rebalance step; below INFO it logs keys and values.
_CLIENT_LEVEL: Final = logging.WARNING


def configure(level: str, form: Literal["auto", "json", "console"], **context: object) -> None:
    """Set up logging to standard error for the whole process.

    Args:
        level: debug, info, warning or error.
        form: auto is console on a terminal and json elsewhere.
        context: put on every line, such as the process's number.
    """
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]
    console = form == "console" or (form == "auto" and sys.stderr.isatty())
    last: list[Processor] = (
        [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())]
        if console
        else [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    )
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    logging.getLogger("aiokafka").setLevel(max(_CLIENT_LEVEL, root.level))
    structlog.contextvars.bind_contextvars(**context)
