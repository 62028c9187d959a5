"""Loads models and runs each once, in a process of its own: it may hang, or crash, and the doctor goes on.

Settings come as JSON on standard input. What happens goes to standard output, a line of JSON each:

    {"available": ["cancer"]}                                   the models that would be served
    {"loading": "cancer@1"}                                     before each version
    {"name": "cancer", "version": "1", "took_s": 0.2}           after it; with "error" where it failed
    {"unreadable": ["..."]}                                     nothing can be loaded
"""

import os
import sys
import time
from typing import Any

import orjson
import structlog

from penstock.core.repository import ModelRepository, open_repository, wanted
from penstock.core.settings import ModelsSettings
from penstock.schemas.errors import PenstockError


def main() -> None:
    """Read the settings, load, and tell."""
    told = os.fdopen(os.dup(sys.stdout.fileno()), "wb", buffering=0)
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # a model may print what it likes
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())

    def tell(**line: Any) -> None:
        told.write(orjson.dumps(line) + b"\n")

    settings = ModelsSettings.model_validate_json(sys.stdin.buffer.read())
    try:
        repository = open_repository(settings)
        served = wanted(repository, settings)
    except PenstockError as error:
        tell(unreadable=str(error).splitlines())
        return
    tell(available=list(served))
    for name, versions in served.items():
        for version in versions:
            tell(loading=f"{name}@{version}")
            tell(name=name, version=version, **_try(repository, name, version))


def _try(repository: ModelRepository, name: str, version: str) -> dict[str, Any]:
    began = time.monotonic()
    try:
        model = repository.load(name, version)
        model.warm_up()
        model.close()
    except Exception as error:  # somebody else's code
        return {"took_s": None, "error": str(error) or type(error).__name__}
    return {"took_s": time.monotonic() - began, "error": ""}


if __name__ == "__main__":
    main()
