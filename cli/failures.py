"""Every way a command can fail, as one to three lines for a person: what happened, and what to do.

Statuses: 1 it was tried and failed, 2 wrong usage, settings or models, 130 stopped.
"""

from dataclasses import dataclass
from typing import Any, Final

import typer

from penstock.cli.extras import explain_missing
from penstock.schemas.errors import ConfigurationError, ModelError, PenstockError

FAILED: Final = 1
WRONG: Final = 2
STOPPED: Final = 130  # 128 and the number of SIGINT, as shells have it
_MOST_FAULTS: Final = 12  # settings can have more faults than a person reads at once

# The base of what typer raises for wrong usage. It has no public name.
UsageError: Final[Any] = typer.BadParameter.__base__


@dataclass(frozen=True, slots=True)
class Failure:
    """What to print, and the exit status.

    Attributes:
        message: without a newline at its end.
        status: of the process.
    """

    message: str
    status: int


def explain(error: BaseException, command: str) -> Failure | None:
    """Turn an error into what a person is told; None for a fault of ours, which wants its traceback.

    Args:
        error: what a command raised.
        command: its name, as in `topics create`.
    """
    message, status = str(error), FAILED
    if isinstance(error, UsageError):
        message, status = f"{_usage(error)}\nSee: {' '.join(['penstock', *command.split()])} --help", WRONG
    elif isinstance(error, ConfigurationError | ModelError):
        message, status = _shortened(message), WRONG
    elif isinstance(error, ImportError):
        message = explain_missing(error, command) or ""
    elif isinstance(error, OSError):  # what knows its file is told where it happens: this is the output mostly
        message = f"{error.filename or 'the output'} cannot be used: {error.strerror or error}"
    elif not isinstance(error, PenstockError) and not _of_the_broker(error):
        message = ""
    return Failure(message, status) if message else None


def _of_the_broker(error: BaseException) -> bool:
    from penstock.broker.errors import BrokerError

    return isinstance(error, BrokerError)


def _usage(error: Any) -> str:
    text = str(error.format_message()).strip().rstrip(".")
    return text[:1].lower() + text[1:]


def _shortened(text: str) -> str:
    lines = text.splitlines()
    if len(lines) <= _MOST_FAULTS:
        return text
    return "\n".join([*lines[:_MOST_FAULTS], f"... and {len(lines) - _MOST_FAULTS} more"])
