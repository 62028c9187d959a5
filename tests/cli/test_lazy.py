"""No command waits for the imports of another, and what is said of one before its import is what it says itself."""

import subprocess
import sys

import pytest

from penstock.cli.commands import COMMANDS, HOMES
from tests.support.command import environment

_SAYS_WHAT_IT_IMPORTS = """
import sys
from penstock.cli.main import main
try:
    main()
finally:
    print(*sys.modules, file=sys.stderr)
"""
SLOW = {"aiokafka", "numpy", "onnxruntime", "orjson", "penstock.consumer", "pydantic_settings", "rich.console"}


def imported_by(arguments: str) -> set[str]:
    """The modules that a process has when a command has ended well."""
    ran = subprocess.run(
        [sys.executable, "-c", _SAYS_WHAT_IT_IMPORTS, *arguments.split()],
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    return set(ran.stderr.split())


@pytest.mark.parametrize("name", HOMES)
def test_what_is_said_of_a_command_is_the_first_paragraph_of_its_own_help(name):
    command = HOMES[name].command(name)
    assert command.name == name
    assert " ".join(command.help.partition("\n\n")[0].split()) == HOMES[name].purpose


def test_no_command_stands_under_two_headings():
    assert len(HOMES) == sum(map(len, COMMANDS.values()))


def test_the_version_needs_nothing_of_what_serves():
    assert imported_by("version") & (SLOW - {"rich.console"}) == set()  # structlog brings rich


def test_the_help_imports_no_command():
    modules = imported_by("--help")
    assert modules & {home.place.partition(":")[0] for home in HOMES.values()} == set()
    assert modules & {*SLOW, "asyncio", "pydantic", "structlog"} == set()


@pytest.mark.parametrize("arguments", ["status --help", "worker --help", "deploy --help", "predict --help"])
def test_the_help_of_a_command_imports_no_other_and_nothing_that_it_works_with(arguments):
    modules = imported_by(arguments)
    others = {home.place.partition(":")[0] for name, home in HOMES.items() if name != arguments.split()[0]}
    own = {HOMES[arguments.split()[0]].place.partition(":")[0]}
    assert own <= modules
    assert modules & (others - own) == set()
    assert modules & SLOW == set()


def test_completion_of_a_name_imports_no_command():
    code = _SAYS_WHAT_IT_IMPORTS
    variables = {"_PENSTOCK_COMPLETE": "complete_bash", "COMP_WORDS": "penstock ", "COMP_CWORD": 1}
    ran = subprocess.run(
        [sys.executable, "-c", code], env=environment(variables), capture_output=True, text=True, check=True
    )
    assert ran.stdout.split() == list(HOMES)
    assert set(ran.stderr.split()) & SLOW == set()
