"""What a worker's log shows, and what it leaves out."""

import json
import logging
import re
import time
from collections.abc import Iterator

import pytest
import structlog

from penstock.consumer import logs

CLIENT = logging.getLogger("aiokafka.consumer.group_coordinator")


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    """Logging is the whole process's: put back what the tests set up."""
    root = logging.getLogger()
    handlers, level, client = root.handlers[:], root.level, logging.getLogger("aiokafka").level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.getLogger("aiokafka").setLevel(client)
    structlog.reset_defaults()


def test_a_line_for_people_begins_with_the_time_of_day_and_names_no_module(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("info", "console")
    structlog.get_logger("penstock.somewhere").info("model loaded", model="iris", version="1")
    line = re.sub("\x1b\\[[0-9;]*m", "", capsys.readouterr().err)
    assert re.fullmatch(r"\d\d:\d\d:\d\d \[info\] model loaded +model=iris version=1\n", line)


def test_a_line_for_programs_is_json_with_the_module_and_the_time_in_utc(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("info", "json", process=1)
    structlog.get_logger("penstock.somewhere").info("model loaded", model="iris")
    line = json.loads(capsys.readouterr().err)
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "model loaded", "model": "iris", "level": "info", "logger": "penstock.somewhere", "process": 1,
    }  # fmt: skip
    structlog.contextvars.clear_contextvars()


@pytest.mark.parametrize("form", ["console", "json"])
@pytest.mark.parametrize("text", ["a\r\nb", "\0", "\x1b[2J", "\u202egnp.x", "\x9b2J"])
def test_a_text_from_outside_is_escaped(form: str, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("info", "console" if form == "console" else "json")
    structlog.get_logger("penstock.somewhere").info(f"seen {text}", id=text)
    logging.getLogger("somewhere").info("seen %s", text)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    assert all(line.isprintable() for line in lines)
    assert "a\\r\\nb" in "".join(lines) or text != "a\r\nb"


@pytest.mark.parametrize("form", ["console", "json"])
def test_a_traceback_shows_no_values(form: str, capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("info", "console" if form == "console" else "json")
    payload = "pay" + "load"
    try:
        raise ValueError(f"of {len(payload)} characters")
    except ValueError:
        structlog.get_logger("penstock.somewhere").exception("failed")
    shown = capsys.readouterr().err
    assert "of 7 characters" in shown
    assert "payload" not in shown.replace('"pay" + "load"', "").replace("len(payload)", "")


def test_what_the_client_says_of_every_start_is_told_only_later(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    logs.configure("info", "json")
    CLIENT.error("Group Coordinator Request failed: %s", "[Error 15]")
    CLIENT.warning("Heartbeat failed for group g because it is rebalancing")
    assert capsys.readouterr().err == ""
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now + 60)
    CLIENT.error("Group Coordinator Request failed: %s", "[Error 15]")
    assert "Group Coordinator Request failed" in capsys.readouterr().err


def test_a_line_that_the_client_repeats_is_counted(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    logs.configure("info", "json")
    now = time.monotonic()
    for second in (0.0, 1.0, 2.0, 11.0):
        monkeypatch.setattr(time, "monotonic", lambda second=second: now + second)
        CLIENT.warning("Unable to connect")
    assert [json.loads(line)["event"] for line in capsys.readouterr().err.splitlines()] == [
        "Unable to connect",
        "Unable to connect (2 more like it)",
    ]
