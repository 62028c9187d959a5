"""Who is compared by `make bench`: their processes, environments and locks. Nothing here builds a peer."""

import ast
import os
import re
import sys
from pathlib import Path

import pytest

from benchmarks import environments, roster
from benchmarks.lock import shared_pins
from benchmarks.processes import ContestantError, family, lives, running
from benchmarks.workload import WORKLOADS

ROOT = Path(__file__).resolve().parents[2]
CONTESTANTS = ROOT / "benchmarks" / "contestants"


def test_dead_contestant_is_named_with_its_last_words(tmp_path: Path) -> None:
    program = "import sys; print('loading'); sys.exit('no such model')"
    with running("Somebody", [sys.executable, "-c", program], os.environ, tmp_path / "log") as contestant:
        contestant._process.wait(10)
        with pytest.raises(ContestantError) as raised:
            contestant.check()
    assert str(raised.value).startswith("Somebody ended with status 1.")
    assert "loading" in str(raised.value)
    assert "no such model" in str(raised.value)


def test_contestant_ends_with_its_children(tmp_path: Path) -> None:
    log = tmp_path / "log"
    program = (
        "import subprocess, sys\nchild = subprocess.Popen(['sleep', '600'])\nprint(child.pid, flush=True)\nchild.wait()"
    )
    with running("Somebody", [sys.executable, "-c", program], os.environ, log) as contestant:
        while not log.read_text().strip():
            contestant.check()
        child = int(log.read_text())
        assert child in family(contestant._process.pid)
        usage = contestant.usage()
        assert usage.processes == 2
        assert usage.peak_mib > 1
    assert contestant._process.poll() is not None
    with pytest.raises(ContestantError):
        contestant.check()
    assert not lives(child)


def test_peer_that_cannot_be_installed_is_named_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uv = tmp_path / "uv"
    uv.write_text("#!/bin/sh\necho 'no route to the registry' >&2\nexit 2\n")
    uv.chmod(0o755)
    monkeypatch.setattr(environments, "_UV", uv)
    monkeypatch.setattr(environments, "PLACE", ROOT / "build" / "no-such-place")
    with pytest.raises(environments.EnvironmentBuildError, match="quix could not be installed") as raised:
        environments._make("quix", tmp_path / "quix")
    assert "no route to the registry" in str(raised.value)
    assert "--contestants" in str(raised.value)


def test_peer_gets_our_python_where_it_runs_on_it() -> None:
    assert environments.wanted_python("mlserver", (3, 12)) == sys.executable
    assert environments.wanted_python("mlserver", (3, 13)) == ">=3.11,<3.13"
    assert environments.wanted_python("faststream", (3, 14)) == sys.executable


LOCKS = {path.stem: path.read_text() for path in environments.LOCKS.glob("*.txt")}


@pytest.mark.parametrize("peer", LOCKS)
def test_lock_of_a_peer_is_pinned_hashed_and_tied_to_no_index(peer: str) -> None:
    entries = [line for line in LOCKS[peer].replace("\\\n", " ").splitlines() if not line.lstrip().startswith("#")]
    assert [each for each in entries if "==" not in each or "--hash=sha256:" not in each] == []
    assert re.search(r"https?://|--(extra-)?index|--find-links|file:|/tmp", LOCKS[peer]) is None


@pytest.mark.parametrize("peer", LOCKS)
def test_peers_run_what_we_run(peer: str) -> None:
    ours = shared_pins((ROOT / "requirements" / "test.txt").read_text())
    assert {pin.partition("==")[0] for pin in ours} == {"aiokafka", "numpy", "onnxruntime", "orjson"}
    assert [pin for pin in shared_pins(LOCKS[peer]) if pin not in ours] == []


@pytest.mark.parametrize("who", roster.CONTESTANTS.values(), ids=lambda who: who.name)
def test_contestant_has_a_module_an_environment_and_reasons(who: roster.Contestant) -> None:
    assert not who.module or (CONTESTANTS / f"{who.module}.py").is_file()
    assert not who.environment or who.environment in LOCKS
    assert set(who.workloads) == set(WORKLOADS) or who.otherwise


@pytest.mark.parametrize("path", sorted(CONTESTANTS.glob("*.py")), ids=lambda path: path.stem)
def test_contestant_stands_by_itself(path: Path) -> None:
    imported = {
        name
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in ([node.module or ""] if isinstance(node, ast.ImportFrom) else [each.name for each in node.names])
    }
    ours = {name for name in imported if name.startswith(("benchmarks", "penstock"))}
    assert {name for name in ours if not name.startswith("benchmarks.contestants.")} == set()
