"""The command line as a whole: its help, its errors, its exit statuses."""

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from penstock.cli.failures import explain
from penstock.cli.main import app
from penstock.schemas.errors import ConfigurationError, ModelError, PenstockError, TransportError
from tests.support.command import COMMAND, environment, penstock


def commands(group: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command with the words that call it; a group comes before its members."""
    for name, command in getattr(group, "commands", {}).items():
        if not command.hidden:
            yield (*path, name), command
            yield from commands(command, (*path, name))


ALL = dict(commands(typer.main.get_command(app)))
LEAVES = {path: command for path, command in ALL.items() if not getattr(command, "commands", {})}


@cache
def help_of(*path: str) -> str:
    ran = CliRunner().invoke(app, [*path, "--help"], prog_name="penstock", terminal_width=78)  # of 80 columns
    assert (ran.exit_code, ran.stderr) == (0, "")
    return ran.stdout


@pytest.mark.parametrize("words", ["", "model", "deploy"])
def test_a_process_prints_the_help_that_is_looked_at_here(words):
    ran = penstock(*words.split(), "--help")
    assert (ran.status, ran.out, ran.err) == (0, help_of(*words.split()), "")


def test_every_command_stands_under_one_heading_of_the_help_and_none_is_cut():
    text = help_of()
    for path in ALL:
        if len(path) == 1:
            (line,) = re.findall(rf"^  {path[0]} .*$", text, re.MULTILINE)
            assert not line.endswith("..."), line


@pytest.mark.parametrize("path", ALL, ids=" ".join)
def test_help_fits_eighty_columns(path):
    assert [line for line in help_of(*path).splitlines() if len(line) > 80] == []


@pytest.mark.parametrize("path", LEAVES, ids=" ".join)
def test_help_says_what_a_command_is_for_and_every_option_says_what_it_does(path):
    command = LEAVES[path]
    assert command.help.partition("\n")[0].endswith(".")
    assert [option.name for option in command.params if not option.hidden and not option.help] == []


@pytest.mark.parametrize("path", [path for path in LEAVES if path != ("version",)], ids=" ".join)
def test_help_gives_examples(path):
    assert "\n  Examples:\n" in help_of(*path)
    assert f"    penstock {' '.join(path)}" in help_of(*path)


def test_no_command_prints_the_help_and_is_wrong_usage():
    ran = penstock()
    assert ran.status == 2
    assert "Usage: penstock" in ran.out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["brokr"], ["penstock: no such command 'brokr'. Did you mean 'broker'?", "See: penstock --help"]),
        (["broker", "strat"], ["penstock: no such command 'strat'. Did you mean 'start'?"]),
        (["worker", "--grup-id", "a"], ["penstock: no such option: --grup-id (Possible options: --group-id)"]),
    ],
    ids=["command", "subcommand", "option"],
)
def test_misspelt_usage_is_corrected(arguments, said):
    ran = penstock(*arguments)
    assert ran.status == 2
    assert ran.lines[: len(said)] == said
    assert len(ran.lines) == 2


@pytest.mark.parametrize(
    ("error", "status"),
    [(PenstockError("x"), 1), (TransportError("x"), 1), (ConfigurationError("x"), 2), (ModelError("x"), 2)],
    ids=lambda value: type(value).__name__,
)
def test_status_tells_what_failed_from_what_was_wrong(error, status):
    failure = explain(error, "worker")
    assert failure is not None
    assert (failure.message, failure.status) == ("x", status)


def test_a_fault_of_ours_keeps_its_traceback():
    assert explain(ZeroDivisionError("x"), "worker") is None


def test_more_faults_than_a_person_reads_are_counted():
    failure = explain(ConfigurationError("\n".join(f"fault {number}" for number in range(40))), "worker")
    assert failure is not None
    assert failure.message.splitlines()[-1] == "... and 28 more"


def test_a_reader_that_has_had_enough_is_no_error():
    with subprocess.Popen(
        [*COMMAND, "--help"], env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""


@pytest.mark.parametrize("arguments", ["version", "--help", "config show"])
def test_output_that_cannot_be_written_is_told_in_a_line(arguments):
    with Path("/dev/full").open("w") as full:
        ran = subprocess.run(
            [*COMMAND, *arguments.split()],
            env=environment(),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert (ran.returncode, ran.stderr) == (1, "penstock: the output cannot be used: No space left on device\n")


@pytest.mark.parametrize(("closed", "status"), [("version >&-", 0), ("version 2>&-", 0), ("version 2>/dev/full", 0)])
def test_a_stream_that_is_closed_or_full_is_no_reason_to_fail(closed, status):
    words = " ".join(map(shlex.quote, COMMAND))
    ran = subprocess.run(
        f"{words} {closed}", shell=True, env=environment(), capture_output=True, text=True, check=False
    )
    assert (ran.returncode, ran.stderr) == (status, "")


def test_ctrl_c_while_the_command_is_still_being_imported_is_clean(tmp_path: Path):
    (tmp_path / "sitecustomize.py").write_text(
        "import sys\n"
        "class Interrupt:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'typer':\n"
        "            raise KeyboardInterrupt\n"
        "sys.meta_path.insert(0, Interrupt())\n"
    )
    command = [sys.executable, "-m", "penstock.cli.entry", "top"]
    variables = environment({"PYTHONPATH": tmp_path})
    ran = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (130, "Stopped.\n")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_script_is_for_the_shell_one_has(shell, tmp_path: Path):
    ran = penstock("--show-completion", shell, variables={"_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"})
    assert ran.status == 0
    assert "_PENSTOCK_COMPLETE" in ran.out


def test_completion_knows_the_commands():
    ran = penstock(variables={"_PENSTOCK_COMPLETE": "complete_bash", "COMP_WORDS": "penstock bro", "COMP_CWORD": 1})
    assert ran.out.split() == ["broker"]
