"""The page of results: its tables and its charts, written from the file of results."""

from pathlib import Path
from typing import Final

from benchmarks.chart import draw
from benchmarks.processes import ROOT
from benchmarks.results import Results
from benchmarks.table import BEGIN, END, placed, render

FOLDER: Final = ROOT / "docs" / "benchmarks"
RESULTS: Final = "results.json"
PAGE: Final = "README.md"


def write(results: Results, folder: Path = FOLDER) -> list[Path]:
    """Write tables and charts into a folder, and return the files. A page keeps the text around its tables.

    Raises:
        ValueError: the page has no place for tables.
    """
    page = folder / PAGE
    text = page.read_text() if page.exists() else f"# Benchmarks\n\n{BEGIN}\n{END}\n"
    page.write_text(placed(text, render(results)))
    return [page, *draw(results, folder)]
