"""Other names of versions: `aliases.json` in a model's folder.

{"penstock": "aliases/1", "aliases": {"champion": "3"}}
"""

import re
from collections.abc import Mapping
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from penstock.schemas.errors import ModelError

ALIASES: Final = "aliases.json"
LATEST: Final = "latest"
_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")

Version = Annotated[str, StringConstraints(pattern=r"^[1-9][0-9]{0,18}$")]


class _Document(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, hide_input_in_errors=True)

    penstock: Literal["aliases/1"] = "aliases/1"
    aliases: dict[str, Version] = Field(max_length=1000)


def read_aliases(content: bytes | None, model: str) -> dict[str, str]:
    """Read the aliases of a model; None is a file that is not there.

    Raises:
        ModelError: the file is faulty.
    """
    if content is None:
        return {}
    try:
        found = _Document.model_validate_json(content).aliases
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise ModelError(f"{model}/{ALIASES} is faulty: {first['msg']}") from None
    for alias in found:
        check_alias(alias)
    return found


def write_aliases(aliases: Mapping[str, str]) -> bytes:
    """Return the content of the file."""
    return _Document(aliases=dict(sorted(aliases.items()))).model_dump_json(indent=1).encode() + b"\n"


def check_alias(alias: str) -> None:
    """Hold an alias to be a name that can be told from a version.

    Raises:
        ModelError: it cannot.
    """
    if alias == LATEST or alias.isdigit() or not _NAME.fullmatch(alias):
        raise ModelError(
            f"{alias!r} is no alias: letters, digits, '.', '_' and '-', not digits alone, and not {LATEST!r}"
        )
