"""Where a study's figures go: a JSON file, pictures, and the table of a page."""

import os
import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from benchmarks.studies.failures import StudyError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BEGIN = "<!-- the study writes from here -->"
END = "<!-- to here -->"
# Told apart in print and by people who see colours differently (Okabe and Ito).
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7")
MARKS = ("o", "s", "^", "D")
_PACKAGES = ("aiokafka", "onnxruntime", "numpy", "confluent-kafka")


def machine() -> dict[str, Any]:
    """Return what figures depend on and do not say themselves."""
    return {
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "system": platform.system(),
        "python": platform.python_version(),
        **{name: version(name) for name in _PACKAGES},
    }


def made_on(figures: Mapping[str, Any]) -> str:
    """Return what `machine` found, as a sentence."""
    machine = figures["machine"]
    names = [f"{name} {found}" for name, found in machine.items() if name not in ("cores", "system", "python")]
    return f"{machine['cores']} cores, {machine['system']}, Python {machine['python']}, {', '.join(names)}."


def write_json(path: Path, figures: dict[str, Any]) -> None:
    """Write the figures of a study."""
    path.write_bytes(orjson.dumps(figures, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))


def read_json(path: Path) -> dict[str, Any]:
    """Read what `write_json` has written.

    Raises:
        StudyError: it is not there, or not whole.
    """
    try:
        found: dict[str, Any] = orjson.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise StudyError(f"no figures in {path}: {error}. Run the study without --redraw.") from None
    return found


def markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table; the first column is text and the others are numbers."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def with_table(page: str, table: str) -> str:
    """Return a page with the table between its two marks.

    Raises:
        StudyError: it has not both of them.
    """
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise StudyError(f"the page has no place for the table: it needs the lines {BEGIN} and {END}")
    return f"{before}{BEGIN}\n\n{table}\n\n{END}{after}"


def write_table(page: Path, table: str) -> None:
    """Put the table into a page, if that is there."""
    if page.exists():
        page.write_text(with_table(page.read_text(), table))


def save(figure: "Figure", path: Path, title: str) -> None:
    """Write a picture that is the same for the same figures, with text as text."""
    from matplotlib import rc_context

    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "penstock", "font.family": "sans-serif"}):
        figure.savefig(path, metadata={"Title": title, "Date": None, "Creator": None}, facecolor="white")


def said(what: str) -> None:
    """Tell a person how far the study is."""
    print(what, flush=True)
