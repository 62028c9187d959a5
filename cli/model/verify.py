"""Verify versions of a repository, one after another."""

import time
from collections.abc import Callable
from pathlib import Path

from penstock.cli.model.checks import Verified, check, sizes_of
from penstock.cli.model.files import survey
from penstock.cli.model.rows import from_file
from penstock.core.repository import ModelRepository
from penstock.schemas.errors import ModelError, RequestError


def wanted_versions(repository: ModelRepository, names: list[str]) -> tuple[list[tuple[str, str]], list[Verified]]:
    """Return the versions to verify, and what is known to be wrong before one is loaded.

    Args:
        repository: where they are.
        names: models, or `name@version`; empty is every version that is served.

    Raises:
        ConfigurationError: there is no model.
        ModelError: a model that was named is not there.
    """
    wanted: list[tuple[str, str]] = []
    faulty: list[Verified] = []
    for name in names:
        model, _, version = name.partition("@")
        wanted += [(model, each) for each in ([version] if version else repository.served(model))]
    if not names:
        for model, served in survey(repository).items():
            if isinstance(served, ModelError):
                faulty.append(Verified(model, faults=[str(served)]))
            else:
                wanted += [(model, version) for version in served]
    return wanted, faulty


def steps_of(most_rows: int) -> int:
    """Return in how many steps a version is verified."""
    return len(sizes_of(most_rows)) + 2


def verify_version(
    repository: ModelRepository,
    name: str,
    version: str,
    rows: Path | None,
    skip: tuple[str, ...],
    most_rows: int,
    advance: Callable[[float], None],
) -> Verified:
    """Load, warm up and run a version.

    Args:
        repository: where it is.
        name: of the model.
        version: of the model.
        rows: file of rows to run it on; None makes some up.
        skip: columns of the file that are left out.
        most_rows: the most rows of a batch.
        advance: called with the steps that are done.

    Raises:
        InputError: the file of rows cannot be read.
        ModelError: there is no such version.
    """
    verified, left = Verified(f"{name}@{version}"), steps_of(most_rows)

    def step() -> None:
        nonlocal left
        left -= 1
        advance(1)

    start = time.monotonic()
    path = repository.found(name, version).place
    try:
        model = repository.load(name, version)
    except ModelError as error:
        verified.faults.append(str(error))
        advance(left)
        return verified
    try:
        model.warm_up()
        verified.load_s = time.monotonic() - start
        step()
        given = None if rows is None else from_file(rows, model.signature, skip)
        check(model, given, most_rows, verified, step)
    except ModelError as error:
        verified.faults.append(
            f"{error}. A worker warms {path} up with zeros and empty strings, and would not start: let it answer them"
        )
    except RequestError as error:
        verified.faults.append(f"{rows} does not fit the model: {error}; `penstock model show {name}` prints what does")
    finally:
        model.close()
        advance(left)
    return verified
