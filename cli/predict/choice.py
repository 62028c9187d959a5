"""What the options of `penstock predict` say about its input. Imports nothing that takes time."""

from dataclasses import dataclass
from enum import StrEnum


class Format(StrEnum):
    """How rows are written."""

    JSON = "json"
    JSONL = "jsonl"
    CSV = "csv"
    NPY = "npy"
    NPZ = "npz"


@dataclass(frozen=True, slots=True)
class CsvChoice:
    """Which columns are sent, and how.

    Attributes:
        columns: names, or numbers from 1, in the order wanted; empty is all.
        skip: names or numbers of columns that are left out.
        header: whether the first line names the columns; None looks whether it is all numbers.
        by_column: each column is an input of its own.
    """

    columns: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()
    header: bool | None = None
    by_column: bool = False
