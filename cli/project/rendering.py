"""The files of a new project, rendered; nothing is written here.

They lie in `files/` beside this module as they will lie in the project, but for `${project}`, which becomes its name.
"""

import re
from importlib.resources import files
from string import Template
from typing import Final

# Every file, in the order a newcomer meets them, and what it is for.
PURPOSES: Final = {
    "penstock.toml": "the settings of the service",
    "train.py": "trains a model and puts it into models/",
    "client.py": "asks the service",
    "compose.yml": "the same service in containers",
    "README.md": "these steps, and what each file is for",
    ".gitignore": "keeps what is made out of git",
}

# What can name a consumer group, a compose project and a folder alike. Source: the Compose specification, "name".
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
_FALLBACK: Final = "my-service"


def is_project_name(name: str) -> bool:
    """Tell whether a name can be used everywhere that a project's name stands."""
    return _NAME.fullmatch(name) is not None


def project_name(folder: str) -> str:
    """Return the name that is nearest to a folder's: lower case, with dashes for what a name cannot have."""
    near = re.sub(r"[^a-z0-9_]+", "-", folder.lower()).lstrip("_").strip("-")[:63]
    return near if is_project_name(near) else _FALLBACK


def rendered(name: str) -> dict[str, str]:
    """Return the text of each file of a project called `name`, by file name."""
    source = files(__package__) / "files"
    return {
        filename: Template((source / filename).read_text(encoding="utf-8")).substitute(project=name)
        for filename in PURPOSES
    }
