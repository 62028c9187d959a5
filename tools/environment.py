"""Make the repository's virtual environment: `python tools/environment.py demo` (or `test`).

Standard library only, since it runs before anything is installed. The packages come from the locks in
`requirements/`, each file checked against its hash: pip fetches uv, and uv, three to five times as fast, the rest.
Where uv can't reach the index as pip can, pip does it all.

A level that is complete has a stamp in `.venv` which tells what it was made from: the locks, the package's own
table in pyproject.toml, the interpreter, the place. Whatever else is found (an older lock, another Python, the
rest of an interrupted run) is thrown away and made again, so no half-installed package is ever trusted.
"""

import ast
import fcntl
import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
UNFINISHED = ".unfinished"
LEVELS = ("demo", "test")

# What pip calls a setting, and the variable in which uv looks for the same.
PIP_TO_UV = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_INDEX",
    "find-links": "UV_FIND_LINKS",
    "trusted-host": "UV_INSECURE_HOST",
    "cert": "SSL_CERT_FILE",
    "proxy": "ALL_PROXY",
}


def stamp(level: str, root: Path = ROOT) -> str:
    """Tell what a complete environment of this level is made from, as a hex digest."""
    project = tomllib.loads((root / "pyproject.toml").read_text())
    # Settings of ruff or mypy live in the same file, and a change of those is no reason to install anything.
    package = [project["build-system"], project["project"], project["tool"]["setuptools"]]
    digest = hashlib.sha256(json.dumps([package, sys.version, sys.base_prefix, str(root)]).encode())
    for name in ("uv", *LEVELS[: LEVELS.index(level) + 1]):
        digest.update((root / "requirements" / f"{name}.txt").read_bytes())
    return digest.hexdigest()


def complete(level: str) -> bool:
    """Tell whether `.venv` holds this level, whole and up to date."""
    path = VENV / f".{level}-stamp"
    return not (VENV / UNFINISHED).exists() and path.is_file() and path.read_text() == stamp(level)


def uv_settings(pip_config: str, environ: Mapping[str, str]) -> dict[str, str] | None:
    """Translate pip's settings, as `pip config list` prints them, into uv's environment.

    What is set for uv already stays. Returns None where pip is told something that uv can't be.
    """
    found: dict[str, str] = {}
    for scope in ("global", "install", ":env:"):  # pip lets the later one win
        for line in pip_config.splitlines():
            key, _, value = line.partition("=")
            if key.startswith(f"{scope}."):
                found[key.removeprefix(f"{scope}.")] = str(ast.literal_eval(value))
    if found.get("no-index", "false").lower() not in ("false", "0", "no", "off"):
        return None
    wanted = {PIP_TO_UV[name]: " ".join(value.split()) for name, value in found.items() if name in PIP_TO_UV}
    if "UV_FIND_LINKS" in wanted:
        wanted["UV_FIND_LINKS"] = wanted["UV_FIND_LINKS"].replace(" ", ",")
    if "REQUESTS_CA_BUNDLE" in environ:
        wanted.setdefault("SSL_CERT_FILE", environ["REQUESTS_CA_BUNDLE"])
    # As pip does: the best file of all indexes. The hashes in the locks make that safe.
    return {"UV_INDEX_STRATEGY": "unsafe-best-match", **wanted, **environ}


def install(python: Path, arguments: Sequence[str], *, pip: Sequence[str], uv: Path) -> None:
    """Install into the environment of `python`, with uv, or with pip where uv fails.

    Raises:
        subprocess.CalledProcessError: neither could.
    """
    config = subprocess.run([*pip, "config", "list"], capture_output=True, text=True, check=False).stdout
    environ = uv_settings(config, os.environ)
    if environ is not None and uv.exists():
        quiet = [] if sys.stderr.isatty() else ["--quiet"]
        command = [str(uv), "pip", "install", *quiet, "--python", str(python), *arguments]
        if subprocess.run(command, env=environ, check=False).returncode == 0:
            return
        print("uv could not install this; trying pip, which takes longer", file=sys.stderr, flush=True)
    subprocess.run([*pip, "install", "--quiet", "--no-compile", *arguments], check=True)


def find_pip(python: Path) -> list[str]:
    """Return a command that is pip at work in the environment of `python`."""
    if importlib.util.find_spec("pip"):  # some seconds quicker than giving the new environment a pip of its own
        return [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", str(python)]
    if importlib.util.find_spec("ensurepip") is None:
        version = f"python{sys.version_info.major}.{sys.version_info.minor}"
        raise SystemExit(
            f"{sys.executable} has neither pip nor ensurepip, so nothing can be installed with it.\n"
            f"On Debian or Ubuntu: apt install {version}-venv. Elsewhere: PYTHON=/path/to/another/python3 make ..."
        )
    subprocess.run([str(python), "-m", "ensurepip"], check=True, stdout=subprocess.DEVNULL)
    return [str(python), "-m", "pip", "--disable-pip-version-check"]


def make(level: str) -> None:
    """Bring `.venv` to this level: from nothing, or from a complete lower one."""
    python, uv = VENV / "bin" / "python", VENV / "bin" / "uv"
    locked = ["--require-hashes", "--requirement"]
    print(f"Preparing .venv ({level}) with {sys.executable} ...", file=sys.stderr, flush=True)
    fresh = level == LEVELS[0] or (VENV / f".{level}-stamp").exists() or not complete(LEVELS[0])
    if fresh:
        for name in LEVELS:  # first, so that an interrupted removal leaves nothing that looks complete
            (VENV / f".{name}-stamp").unlink(missing_ok=True)
        shutil.rmtree(VENV, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", "--clear", "--without-pip", str(VENV)], check=True)
    (VENV / UNFINISHED).touch()
    pip = find_pip(python)
    if fresh:
        only_wheels = ["--only-binary", ":all:", "--no-deps"]
        fetch = [*pip, "install", "--quiet", "--no-compile", *only_wheels, *locked]
        subprocess.run([*fetch, str(ROOT / "requirements" / "uv.txt")], check=False)  # without it, pip does it all
    install(python, [*locked, str(ROOT / "requirements" / f"{level}.txt")], pip=pip, uv=uv)
    if fresh:
        install(python, ["--no-deps", "--no-build-isolation", "--editable", str(ROOT)], pip=pip, uv=uv)
    for name in LEVELS[: LEVELS.index(level) + 1]:
        (VENV / f".{name}-stamp").write_text(stamp(name))
    (VENV / UNFINISHED).unlink()


def main() -> int:
    """Make the level named on the command line, unless it is there."""
    level = sys.argv[1]
    with Path(__file__).open() as lock:  # two makes at once: the second waits, and finds it done
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            if not complete(level):
                make(level)
        except subprocess.CalledProcessError as error:
            print(f"Could not prepare .venv: {error}\nThe same command starts again.", file=sys.stderr)
            return 1
        except KeyboardInterrupt:
            print("\nInterrupted. The same command starts again.", file=sys.stderr)
            return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
