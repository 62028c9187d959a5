"""Write the pages of docs/ that are made from the code: `python -m tools.reference`, or `make reference`.

docs/configuration.md   from the settings, in `configuration_page`
docs/cli.md             from the commands, in `command_page`
"""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

from tools import command_page, configuration_page

DOCS: Final = Path(__file__).resolve().parent.parent / "docs"
PAGES: Final[dict[str, Callable[[], str]]] = {
    "configuration.md": configuration_page.page,
    "cli.md": command_page.page,
}


def main() -> int:
    """Write the pages that have changed, and name them."""
    for name, page in PAGES.items():
        path, text = DOCS / name, page()
        if not path.exists() or path.read_text() != text:
            path.write_text(text)
            print(f"written: docs/{name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
