"""`penstock version`: which one is installed."""

from penstock.cli.options import Json
from penstock.cli.terminal import print_json


def version(*, json: Json = False) -> None:
    """Print the version."""
    from penstock.core.distribution import installed_version

    if json:
        print_json({"version": installed_version()})
    else:
        print(installed_version())
