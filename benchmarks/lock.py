"""Lock peers again: `.venv/bin/python -m benchmarks.lock [PEER...]`, after an edit of benchmarks/requirements/PEER.in.

onnxruntime, numpy, orjson and aiokafka are held to the versions of our own lock, so that all run the same.
"""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from benchmarks.environments import LOCKS
from benchmarks.processes import ROOT

_SHARED: Final = ("aiokafka", "numpy", "onnxruntime", "orjson")


def shared_pins(lock: str) -> list[str]:
    """Return the lines of a lock that peers are held to, with their markers and without their hashes."""
    found = re.findall(rf"^(?:{'|'.join(_SHARED)})==[^\\\n]*", lock, re.MULTILINE)
    return [line.strip() for line in found]


def lock(peer: str) -> None:
    """Resolve a peer for every Python that we support and every platform."""
    with tempfile.TemporaryDirectory() as name:
        constraints = Path(name, "ours.txt")
        constraints.write_text("\n".join(shared_pins((ROOT / "requirements" / "test.txt").read_text())))
        command = [
            *(str(Path(sys.executable).with_name("uv")), "pip", "compile", "--quiet", "--universal"),
            *("--python-version", "3.11", "--generate-hashes", "--no-annotate", "--no-emit-index-url"),
            *("--no-emit-find-links", "--constraint", str(constraints), f"{peer}.in", "--output-file", f"{peer}.txt"),
        ]
        environ = {**os.environ, "UV_CUSTOM_COMPILE_COMMAND": f"python -m benchmarks.lock {peer}"}
        subprocess.run(command, cwd=LOCKS, env=environ, check=True)


if __name__ == "__main__":
    for each in sys.argv[1:] or sorted(path.stem for path in LOCKS.glob("*.in")):
        lock(each)
