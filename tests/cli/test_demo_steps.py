"""The lines of the demo's steps, in a pipe and on a terminal."""

import asyncio
import io
import re
from contextlib import redirect_stderr

import pyte
import pytest

from penstock.cli.demo import steps as module
from penstock.cli.demo.steps import Steps


class Terminal(io.StringIO):
    """A terminal that remembers what was written to it."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        return True

    def screen(self) -> list[str]:
        screen = pyte.Screen(80, 24)
        pyte.Stream(screen).feed(self.getvalue().replace("\n", "\r\n"))
        return [line.rstrip() for line in screen.display if line.strip()]


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """A terminal of 80 columns; a test makes it standard error itself, for pytest does that anew for each test."""
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "80")
    return Terminal()


def test_name_comes_at_once_and_the_result_when_it_is_there():
    pipe = io.StringIO()
    with Steps(pipe).step("Models") as step:
        assert pipe.getvalue().strip() == "Models"
        step.result = "3 trained"

    assert re.fullmatch(r"Models {10}3 trained +0\.0 s\n", pipe.getvalue())
    assert len(pipe.getvalue()) == len("\n") + 80


@pytest.mark.parametrize(
    ("error", "said"),
    [(ValueError(), "failed"), (asyncio.CancelledError(), "stopped"), (KeyboardInterrupt(), "failed")],
)
def test_step_that_ends_badly_says_so_and_not_its_result(error, said):
    pipe = io.StringIO()

    def end_badly() -> None:
        with Steps(pipe).step("Load", total=10) as step:
            step.result = "10 of 10"
            raise error

    with pytest.raises(type(error)):
        end_badly()
    assert said in pipe.getvalue()
    assert "10 of 10" not in pipe.getvalue()


def test_seconds_of_each_step_are_kept():
    taken = Steps(io.StringIO())
    for name in ("Models", "Load"):
        with taken.step(name):
            pass

    assert list(taken.taken_s) == ["Models", "Load"]


def test_terminal_shows_a_bar_with_the_rate_and_keeps_the_line_alone(terminal, monkeypatch):
    monkeypatch.setattr(module, "_DRAW_EVERY_S", 0.0)
    with redirect_stderr(terminal), Steps(terminal).step("Load", total=200) as step:
        for _ in range(150):
            step.advance()
        (drawn,) = terminal.screen()
        assert re.search(r"Load .*150/200 [\d,]+ a second", drawn)
        step.result = "200 of 200"

    (line,) = terminal.screen()
    assert re.fullmatch(r"Load {12}200 of 200 +\d\.\d s", line)


def test_terminal_shows_that_something_turns_while_nobody_counts(terminal):
    with redirect_stderr(terminal), Steps(terminal).step("Workers"):
        assert "Workers" in terminal.getvalue()

    assert len(terminal.screen()) == 1


def test_pipe_gets_no_bar_though_errors_go_to_a_terminal(terminal):
    pipe = io.StringIO()
    with redirect_stderr(terminal), Steps(pipe).step("Load", total=1) as step:
        step.advance()

    assert terminal.getvalue() == ""
