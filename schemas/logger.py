"""The logger of every module: structlog as the program has set it up, else Python's own logging.

structlog that nobody has set up prints to standard output, where a script has its results. A library must not; and
it must not set up logging for the program that it is in either.
"""

import logging
from collections.abc import MutableMapping
from typing import Any

import structlog


class Logger:
    """Takes an event and its details: `log.warning("publish failed", topic=topic)`.

    Args:
        name: of the module.
    """

    def __init__(self, name: str) -> None:
        self._structlog: Any = structlog.get_logger(name)
        self._logging: Any = structlog.wrap_logger(
            logging.getLogger(name),
            processors=[structlog.stdlib.filter_by_level, _as_text],
            wrapper_class=structlog.stdlib.BoundLogger,
        )

    def __getattr__(self, method: str) -> Any:
        return getattr(self._structlog if structlog.is_configured() else self._logging, method)


def _as_text(_: object, __: str, event: MutableMapping[str, Any]) -> tuple[tuple[str], dict[str, Any]]:
    exception = event.pop("exc_info", None)
    text = str(event.pop("event"))
    if event:
        text += " (" + ", ".join(f"{name}={value}" for name, value in event.items()) + ")"
    return (text,), {"exc_info": exception}
