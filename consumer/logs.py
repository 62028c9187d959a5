"""Logging: structlog everywhere, for people on a terminal, as JSON lines elsewhere; never a payload."""

import logging
import sys
import time
from typing import Final, Literal

import structlog
from structlog.typing import EventDict, Processor

# Below WARNING aiokafka logs every rebalance step; below INFO it logs keys and values.
_CLIENT_LEVEL: Final = logging.WARNING
_REPEAT_S: Final = 10.0
# What the Kafka client calls an error or a warning, and is how a start or a rebalance goes. A coordinator that stays
# away after the start is told.
_OF_EVERY_START: Final = ("Group Coordinator Request failed", "Marking the coordinator dead")
_OF_EVERY_REBALANCE: Final = "because it is rebalancing"
_START_S: Final = 15.0


class _Quieter(logging.Filter):
    """Lets a line that the Kafka client repeats pass once in a while, with the number of those left out.

    While a broker is away it logs every attempt at it, some hundred a second.
    """

    def __init__(self) -> None:
        super().__init__()
        self._made = time.monotonic()
        self._passed: dict[tuple[str, int], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        if record.name == "asyncio":
            # A commit that we gave up on and that fails later: aiokafka shields it, and nobody is left to hear of it.
            return "_do_commit_offsets" not in record.getMessage()
        if not record.name.startswith("aiokafka"):
            return True
        place, now = (record.name, record.lineno), time.monotonic()
        message = record.getMessage()
        if _OF_EVERY_REBALANCE in message or (message.startswith(_OF_EVERY_START) and now - self._made < _START_S):
            return False
        last, left_out = self._passed.get(place, (float("-inf"), 0))
        if now - last < _REPEAT_S:
            self._passed[place] = last, left_out + 1
            return False
        self._passed[place] = now, 0
        if left_out:
            record.msg = f"{record.msg} ({left_out} more like it)"
        return True


def configure(level: str, form: Literal["auto", "json", "console"], **context: object) -> None:
    """Set up logging to standard error for the whole process.

    Args:
        level: debug, info, warning or error.
        form: auto is console on a terminal and json elsewhere.
        context: put on every line, such as the process's number.
    """
    console = form == "console" or (form == "auto" and sys.stderr.isatty())
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.StackInfoRenderer(),
    ]
    if console:
        shared += [structlog.processors.TimeStamper(fmt="%H:%M:%S", utc=False)]
        last: list[Processor] = [_printable, _for_people()]
    else:
        shared += [structlog.stdlib.add_logger_name, structlog.processors.TimeStamper(fmt="iso", utc=True)]
        last = [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
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
    handler.addFilter(_Quieter())
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    logging.getLogger("asyncio").setLevel(logging.NOTSET)  # a command silences it before it becomes a worker
    logging.getLogger("aiokafka").setLevel(max(_CLIENT_LEVEL, root.level))
    structlog.contextvars.bind_contextvars(**context)


def _printable(_: object, __: str, line: EventDict) -> EventDict:
    """Escape what a terminal would obey: a text from outside forges no line and moves no cursor."""
    for name, value in line.items():
        if isinstance(value, str) and not value.isprintable() and name != "stack":
            line[name] = repr(value)[1:-1]
    return line


def _for_people() -> structlog.dev.ConsoleRenderer:
    """Return what makes a line that fits a terminal. Tracebacks show no values of variables: those hold payloads."""
    return structlog.dev.ConsoleRenderer(
        colors=sys.stderr.isatty(),
        pad_event_to=0,
        pad_level=False,
        sort_keys=False,
        exception_formatter=structlog.dev.plain_traceback,
    )
