"""How many examples a property is tried with: some hundred, or 10,000 where PENSTOCK_TEST_LONG=1 asks for it."""

import os
from typing import Final

LONG_VARIABLE: Final = "PENSTOCK_TEST_LONG"
_LONG: Final = 10_000


def examples(usual: int) -> int:
    """Return how many examples to try."""
    return _LONG if os.environ.get(LONG_VARIABLE, "0") not in ("", "0") else usual
