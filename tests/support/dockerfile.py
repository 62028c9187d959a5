"""The Dockerfile: read, and run as far as that goes without an engine.

Source: docs.docker.com, "Dockerfile reference".
"""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from dockerfile_parse import DockerfileParser  # type: ignore[import-untyped]

from tools import environment


@dataclass(frozen=True)
class Stage:
    """What stands between one FROM and the next; `base` is an image, or an earlier stage."""

    name: str
    base: str
    steps: tuple[tuple[str, str], ...]

    def values(self, instruction: str) -> list[str]:
        return [value for found, value in self.steps if found == instruction]


class Dockerfile:
    """The stages of a Dockerfile, by name, in their order."""

    def __init__(self, path: Path) -> None:
        self.stages: dict[str, Stage] = {}
        base, name, steps = "", "", list[tuple[str, str]]()
        for step in [*DockerfileParser(path=str(path), cache_content=True).structure, None]:
            if step is None or step["instruction"] == "FROM":
                if name:
                    self.stages[name] = Stage(name, base, tuple(steps))
                if step is not None:
                    base, _, name = step["value"].split()
                    steps = []
            elif step["instruction"] != "COMMENT":
                steps.append((step["instruction"], step["value"]))

    @property
    def last(self) -> Stage:
        return list(self.stages.values())[-1]

    def chain(self, name: str) -> list[Stage]:
        """A stage and those it builds on, the first first."""
        stage = self.stages[name]
        return [*(self.chain(stage.base) if stage.base in self.stages else []), stage]

    def value(self, name: str, instruction: str) -> str | None:
        """What an image has of an instruction of which the last one holds, as USER."""
        return next(iter([v for stage in self.chain(name) for v in stage.values(instruction)][::-1]), None)

    def command(self, name: str, instruction: str) -> list[str]:
        """ENTRYPOINT, CMD or the command of HEALTHCHECK, which are written as JSON here."""
        text = self.value(name, instruction) or "[]"
        words: list[str] = json.loads(text[text.index("[") :])
        return words

    def environment(self, name: str) -> dict[str, str]:
        """What ENV sets in an image, without PATH."""
        pairs = [value.split("=", 1) for stage in self.chain(name) for value in stage.values("ENV")]
        return {key: value for key, value in pairs if key != "PATH"}


def copied(stage: Stage) -> list[tuple[str, list[str], str]]:
    """Each COPY: the stage it copies from, or nothing for the folder itself, then what, and where to."""
    found = []
    for value in stage.values("COPY"):
        words = shlex.split(value)
        source = words.pop(0).removeprefix("--from=") if words[0].startswith("--from=") else ""
        found.append((source, words[:-1], words[-1]))
    return found


def build(dockerfile: Dockerfile, name: str, context: Path, root: Path) -> Path:
    """Do what the stages up to `name` say, with `root` in place of /; return the bin folder of /opt/penstock.

    One step is left out: the installer is not fetched, since the tests have it, at the version that is locked.
    """
    folder = root
    for stage in dockerfile.chain(name):
        for instruction, value in stage.steps:
            if instruction == "WORKDIR":
                folder = root / value.lstrip("/")
                folder.mkdir(parents=True, exist_ok=True)
            elif instruction == "COPY":
                *sources, target = shlex.split(value)
                for source in sources:
                    _copy(context / source, folder / target)
            elif instruction == "RUN" and not _fetches_installer(value, context):
                _run(value.replace("/opt/", f"{root}/opt/"), folder)
    return root / "opt" / "penstock" / "bin"


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True)
    else:
        target.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, target)


def _fetches_installer(command: str, context: Path) -> bool:
    if not command.startswith("pip install"):
        return False
    (locked,) = re.findall(r"^uv==(\S+)", (context / "requirements" / "uv.txt").read_text(), re.MULTILINE)
    here = subprocess.run([Path(sys.prefix) / "bin" / "uv", "--version"], capture_output=True, text=True, check=True)
    assert command.endswith("requirements/uv.txt")
    assert here.stdout.split()[1] == locked
    return True


def _run(command: str, folder: Path) -> None:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "PENSTOCK"))}
    inherited["PATH"] = f"{sys.prefix}/bin:{inherited['PATH']}"
    # All of it is in uv's cache when uv made the environment that runs this test.
    ran = _shell(command, folder, {**inherited, "UV_OFFLINE": "1"})
    if ran.returncode != 0:
        config = _shell("pip config list", folder, inherited).stdout
        ran = _shell(command, folder, environment.uv_settings(config, inherited) or inherited)
    assert ran.returncode == 0, f"RUN {command}\n{ran.stdout}{ran.stderr}"


def _shell(command: str, folder: Path, variables: dict[str, str]) -> "subprocess.CompletedProcess[str]":
    words = ["sh", "-ec", command]
    return subprocess.run(words, cwd=folder, env=variables, capture_output=True, text=True, check=False)
