"""Rows after the signature of a model in a repository on this machine."""

import sys
from contextlib import redirect_stdout
from pathlib import Path

import typer

from penstock.cli.bench.inputs import MadeUpInputs, requests_made_up
from penstock.cli.model.files import RepositorySettings
from penstock.cli.model.rows import made_up
from penstock.cli.options import partial_settings
from penstock.core.repository import open_repository
from penstock.schemas.errors import ConfigurationError


def made_up_inputs(
    config: Path | None, repository: str | None, overrides: list[str] | None, model: str, version: str | None, rows: int
) -> MadeUpInputs:
    """Load a model for its signature, and make rows up.

    Args:
        config: see `penstock.cli.options.tool_settings`.
        repository: the folder of models; None is that of the settings.
        overrides: see `penstock.cli.options.tool_settings`.
        model: its name.
        version: which one; None is the one that is served by default.
        rows: in a request.

    Raises:
        typer.BadParameter: there is no repository, or the model takes one whole tensor a request.
        ConfigurationError, ModelError: the repository, or the model, is of no use.
    """
    try:
        settings = partial_settings(RepositorySettings, config, None, overrides, models__repository=repository)
    except ConfigurationError as error:
        if not str(error).startswith("models.repository: required"):
            raise
        raise typer.BadParameter(
            "no rows to send: name a file of them, or make them up with --repository FOLDER, the folder of models",
            param_hint="--rows",
        ) from None
    with redirect_stdout(sys.stderr):  # a model may print what it likes
        loaded = open_repository(settings.models).load(model, version)
        try:
            signature = loaded.signature
        finally:
            loaded.close()
    if not signature.batched and rows > 1:
        raise typer.BadParameter(f"{model} takes one whole tensor a request", param_hint="--rows-per-request")
    return MadeUpInputs(signature, rows, made_up(signature, rows * requests_made_up(signature, rows)))
