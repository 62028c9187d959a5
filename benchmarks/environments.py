"""The peers' virtual environments: one each, in build/bench/, from a lock in benchmarks/requirements/.

Each is made when it is first wanted, and again when its lock or the interpreter changes. pip's settings on this machine
(index, certificate, proxy) reach uv as they do for `.venv`, so it works behind a mirror too.
"""

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from benchmarks.processes import ROOT
from tools.environment import find_pip, uv_settings

LOCKS: Final = ROOT / "benchmarks" / "requirements"
PLACE: Final = ROOT / "build" / "bench"
# Where a peer does not run on every Python that we do.
PYTHONS: Final = {"mlserver": (">=3.11,<3.13", (3, 11), (3, 13)), "bytewax": (">=3.11,<3.13", (3, 11), (3, 13))}
_UV: Final = Path(sys.executable).with_name("uv")


class EnvironmentBuildError(Exception):
    """A peer could not be installed: names it and says why."""


def interpreter(peer: str) -> Path:
    """Return the Python of a peer's environment, which is made if it is not there; ours for no peer.

    Raises:
        EnvironmentBuildError: it could not be made.
    """
    if not peer:
        return Path(sys.executable)
    place = PLACE / peer
    PLACE.mkdir(parents=True, exist_ok=True)
    with (PLACE / f"{peer}.lock").open("w") as lock:  # two benchmarks at once: the second waits, and finds it done
        fcntl.flock(lock, fcntl.LOCK_EX)
        stamp = place / ".stamp"
        if not (stamp.is_file() and stamp.read_text() == stamp_of(peer)):
            print(f"Preparing {place.relative_to(ROOT)} ...", file=sys.stderr, flush=True)
            _make(peer, place)
            stamp.write_text(stamp_of(peer))
    return place / "bin" / "python"


def stamp_of(peer: str) -> str:
    """Tell what a complete environment is made from, as a hex digest."""
    made_from = json.dumps([sys.version, sys.base_prefix, str(ROOT), wanted_python(peer)])
    return hashlib.sha256(made_from.encode() + (LOCKS / f"{peer}.txt").read_bytes()).hexdigest()


def wanted_python(peer: str, version: tuple[int, ...] = sys.version_info[:2]) -> str:
    """Return what uv is asked for: our own interpreter where it will do, otherwise a range of versions."""
    asked, lowest, above = PYTHONS.get(peer, ("", version, (99,)))
    return sys.executable if lowest <= version < above else asked


def _make(peer: str, place: Path) -> None:
    shutil.rmtree(place, ignore_errors=True)
    python = place / "bin" / "python"
    plain = ["venv", "--quiet", "--no-python-downloads", "--python", wanted_python(peer), str(place)]
    _run(peer, [str(_UV), *plain], dict(os.environ))
    try:
        pip = find_pip(python)
    except (SystemExit, subprocess.CalledProcessError) as error:
        raise EnvironmentBuildError(f"{peer} could not be installed:\n{error}") from None
    config = subprocess.run([*pip, "config", "list"], capture_output=True, text=True, check=False).stdout
    environ = uv_settings(config, os.environ)
    locked = ["--require-hashes", "--requirement", str(LOCKS / f"{peer}.txt")]
    if environ is None:  # pip is told something that uv can't be
        _run(peer, [*pip, "install", "--quiet", *locked], dict(os.environ))
    else:
        _run(peer, [str(_UV), "pip", "install", "--quiet", "--python", str(python), *locked], environ)


def _run(peer: str, command: Sequence[str], environ: dict[str, str]) -> None:
    """Run a step of the installation; what it prints is shown only when it fails."""
    environ = {name: value for name, value in environ.items() if name != "VIRTUAL_ENV"}
    try:
        ran = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise EnvironmentBuildError(
            f"{peer} could not be installed: there is no uv in .venv; `make test` brings it"
        ) from None
    if ran.returncode:
        said = "\n".join((ran.stderr or ran.stdout).strip().splitlines()[-8:])
        raise EnvironmentBuildError(
            f"{peer} could not be installed, so nothing was measured. The installer said:\n{said}\n"
            "The same command tries again; --contestants runs the others."
        )


def versions(peer: str, packages: Sequence[str]) -> dict[str, str]:
    """Return the versions of a peer's Python and of packages in its environment; what is not there is left out."""
    program = (
        "import json, platform, sys; from importlib import metadata; "
        "there = {each.name.lower(): each.version for each in metadata.distributions()}; "
        "print(json.dumps({'python': platform.python_version(), **{n: there[n] for n in sys.argv[1:] if n in there}}))"
    )
    command = [str(interpreter(peer)), "-c", program, *packages]
    found: dict[str, str] = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    return found
