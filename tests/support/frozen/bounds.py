"""Deadlines of operations, as docs/guarantees.md states them: from settings, arguments, and what the code has fixed."""

import inspect
from typing import Any, Final

from penstock.consumer import pipeline
from penstock.producer import sync
from penstock.transport import closing, reach
from penstock.transport.topics import TopicDirectory, create_topics

CLOSE_S: Final = sync._CLOSE_S  # of a client
DISCONNECT_S: Final = pipeline._CLOSE_S  # of a worker, after its drain
ONE_CLIENT_S: Final = closing._CLOSE_S


def default(function: Any, argument: str) -> float:
    """The default of a function's argument."""
    value = inspect.signature(function).parameters[argument].default
    assert isinstance(value, float)
    return value


TOPICS_S: Final = default(TopicDirectory.__init__, "timeout_s")
CREATE_S: Final = default(create_topics, "timeout_s")


def reach_s(step_s: float) -> float:
    """Trying an address: to connect, to ask, and another look at one that says nothing."""
    return 2 * step_s + reach._SECOND_LOOK_S


WHY_S: Final = reach_s(default(reach.why_unreachable, "timeout_s"))
