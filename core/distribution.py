"""What the package is called where packages are installed from; what is imported is `penstock`."""

from importlib.metadata import version
from typing import Final

DISTRIBUTION: Final = "penstock-kafka"


def installed_version() -> str:
    """Return the version that is installed."""
    return version(DISTRIBUTION)


def install_command(extra: str) -> str:
    """Return the command that installs an extra."""
    return f'pip install "{DISTRIBUTION}[{extra}]"'
