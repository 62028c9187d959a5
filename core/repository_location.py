"""Where a model repository is: a folder, or a URL that fsspec reads, such as `s3://bucket/models`."""

import re
from pathlib import Path
from typing import Annotated, Final
from urllib.parse import unquote, urlsplit

from pydantic import PlainValidator

_URL: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://.+", re.DOTALL)
_USER: Final = re.compile(r"(?<=://)[^/]*@")


def parse_location(value: object) -> Path | str:
    """Tell a folder from a URL; `file://` is a folder.

    Raises:
        ValueError: it is neither, or a URL with a password: those are shown and logged.
    """
    if isinstance(value, Path):
        return value
    if not isinstance(value, str):
        raise ValueError("must be a path or a URL")
    if not _URL.fullmatch(value):
        return Path(value)
    if value.lower().startswith("file://"):
        return Path(unquote(urlsplit(value).path))
    user = _USER.search(value)
    if user and ":" in user[0]:
        raise ValueError("a URL with a password in it would be shown and logged; what opens it reads the environment")
    return value


def shown(location: Path | str) -> str:
    """Return a location as messages and logs have it: without a user, and without a query, which may be a secret."""
    if isinstance(location, Path):
        return str(location)
    return _USER.sub("", location).partition("?")[0].rstrip("/")


Location = Annotated[Path | str, PlainValidator(parse_location)]
