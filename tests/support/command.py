"""The `penstock` command as a process of its own, as a person runs it."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

COMMAND = (sys.executable, "-m", "penstock.cli.main")


@dataclass(frozen=True)
class Ran:
    """What a command left: its exit status and what it printed."""

    status: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        """What it said on standard error, line by line."""
        return self.err.splitlines()


def environment(variables: Mapping[str, object] | None = None) -> dict[str, str]:
    """This process's variables without its PENSTOCK_ ones, at 80 columns, and with those given."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PENSTOCK_")}
    wanted = {name: str(value) for name, value in (variables or {}).items()}
    return {**inherited, "COLUMNS": "80", "TERM": "dumb", **wanted}


def penstock(
    *arguments: object,
    variables: Mapping[str, object] | None = None,
    folder: Path | None = None,
    stdin: str = "",
    within_s: float = 60.0,
) -> Ran:
    """Run a command to its end. Blocks; call it in a thread where a loop turns that it needs."""
    ran = subprocess.run(
        [*COMMAND, *map(str, arguments)],
        env=environment(variables),
        cwd=folder or "/",
        input=stdin,
        capture_output=True,
        text=True,
        timeout=within_s,
        check=False,
    )
    return Ran(ran.returncode, ran.stdout, ran.stderr)


def interrupt_when(
    *arguments: object,
    seen: str,
    variables: Mapping[str, object] | None = None,
    folder: Path | None = None,
    number: signal.Signals = signal.SIGINT,
    within_s: float = 60.0,
    command: Sequence[str] = COMMAND,
) -> Ran:
    """Run a command, send it a signal once it has printed `seen`, and wait for its end."""
    with subprocess.Popen(
        [*command, *map(str, arguments)],
        env={**environment(variables), "PYTHONUNBUFFERED": "1"},
        cwd=folder or "/",
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        before = ""
        try:
            while seen not in before:
                line = process.stdout.readline()
                assert line, f"ended before it printed {seen!r}:\n{before}"
                before += line
            process.send_signal(number)
            rest, errors = process.communicate(timeout=within_s)
        finally:
            if process.poll() is None:
                process.kill()
    return Ran(process.returncode, before + rest, errors)
