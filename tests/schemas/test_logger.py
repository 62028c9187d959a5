"""Where log lines go: a library prints nothing, and sets up nothing."""

import logging
from collections.abc import Iterator

import pytest
import structlog
from structlog.testing import capture_logs

from penstock.schemas.logger import Logger

NAME = "penstock.tested"


@pytest.fixture(autouse=True)
def untouched() -> Iterator[None]:
    """structlog as it comes."""
    structlog.reset_defaults()
    yield
    structlog.reset_defaults()


def test_a_program_without_structlog_gets_the_lines_by_its_own_logging(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    with caplog.at_level(logging.INFO, NAME):
        Logger(NAME).info("worker started", group="mine", share="5%")
        Logger(NAME).debug("not asked for")

    assert [(line.name, line.levelname, line.message) for line in caplog.records] == [
        (NAME, "INFO", "worker started (group=mine, share=5%)")
    ]
    assert capsys.readouterr().out == ""


def test_a_traceback_is_handed_on(caplog: pytest.LogCaptureFixture) -> None:
    try:
        raise ValueError("why")
    except ValueError:
        Logger(NAME).exception("it failed")

    (line,) = caplog.records
    assert line.message == "it failed"
    assert line.exc_info is not None
    assert line.exc_info[0] is ValueError


def test_a_program_with_structlog_gets_the_events() -> None:
    log = Logger(NAME)
    with capture_logs() as events:
        log.warning("publish failed", topic="t")
    assert events == [{"event": "publish failed", "topic": "t", "log_level": "warning"}]
