"""Where rows come from: a file or standard input, in a format that its name, an option or its first bytes tell."""

import io
import os
import stat
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, Final

import numpy as np
import typer

from penstock.cli.predict.choice import CsvChoice, Format
from penstock.cli.predict.csv_input import read_csv
from penstock.cli.predict.json_input import read_json, read_json_lines
from penstock.cli.predict.rows import Block, Source

STANDARD_INPUT: Final = "-"
_MOST_COUNTED: Final = 2**30  # bytes of a file whose lines are counted for a progress bar
_CHUNK: Final = 2**20
_SUFFIXES: Final = {
    **{f".{form.value}": form for form in Format},
    ".ndjson": Format.JSONL,
    ".tsv": Format.CSV,
}


def open_source(given: str | None, form: Format | None, choice: CsvChoice) -> Source:
    """Open an input. Nothing is read yet, but for the first bytes of standard input.

    Args:
        given: a path; "-" or None is standard input.
        form: the format; None finds it out.
        choice: which columns of CSV, or arrays of an npz file, are sent.

    Raises:
        InputError: there is no such file, or no telling its format.
        typer.BadParameter: there is no input, or the format has no columns.
    """
    if given is None or given == STANDARD_INPUT:
        source, stream, form = _standard_input(given, form)
    else:
        source, stream, form = _file(Path(given), form)
    if (choice.columns or choice.skip) and form not in (Format.CSV, Format.NPZ):
        raise typer.BadParameter(
            f"{form.value} has no columns; they are for CSV", param_hint="--columns, --skip-column"
        )
    if (choice.by_column or choice.header is not None) and form is not Format.CSV:
        raise typer.BadParameter(
            f"is for CSV, and {source.name} is {form.value}", param_hint="--by-column, --no-header"
        )
    source.alike = form in (Format.CSV, Format.NPY, Format.NPZ)
    source.blocks = _blocks(source, stream, form, choice)
    return source


def _file(path: Path, form: Format | None) -> tuple[Source, IO[bytes], Format]:
    source = Source(str(path), iter(()))
    try:
        stream = path.open("rb")
    except OSError as error:
        what = "no such file" if isinstance(error, FileNotFoundError) else (error.strerror or str(error)).lower()
        raise source.fault(what) from None
    found = form or _SUFFIXES.get(path.suffix.lower())
    if found is None:
        stream.close()
        raise source.fault(f"its name tells no format; say which with --format: {', '.join(Format)}")
    if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
        source.live = True
    elif found in (Format.CSV, Format.JSONL):
        source.total = _lines(path)
    return source, stream, found


def _standard_input(given: str | None, form: Format | None) -> tuple[Source, IO[bytes], Format]:
    if sys.stdin is None or (given is None and sys.stdin.isatty()):
        raise typer.BadParameter(
            "no rows: name a file, or pipe them in, as in `echo '[1, 2, 3]' | penstock predict MODEL`",
            param_hint="INPUT",
        )
    # A stream of our own: at its end Python waits for one of its own that a thread is still reading.
    stream = os.fdopen(os.dup(sys.stdin.fileno()), "rb")
    source = Source("standard input", iter(()), live=not stat.S_ISREG(os.fstat(stream.fileno()).st_mode))
    return source, stream, form or _recognised(stream.peek(8).lstrip(b"\xef\xbb\xbf \t\r\n"))


def _recognised(start: bytes) -> Format:
    if start.startswith(b"\x93NUMPY"):
        return Format.NPY
    if start.startswith(b"PK\x03\x04"):
        return Format.NPZ
    return Format.JSON if start[:1] in (b"[", b"{") else Format.CSV


def _blocks(source: Source, stream: IO[bytes], form: Format, choice: CsvChoice) -> Iterator[Block]:
    with stream:
        if form is Format.CSV:
            yield from read_csv(source, stream, choice)
        elif form is Format.JSONL:
            yield from read_json_lines(source, stream)
        elif form is Format.JSON:
            yield from read_json(source, stream)
        else:
            yield _block_of_arrays(source, _arrays(source, stream, form), choice)


def _arrays(source: Source, stream: IO[bytes], form: Format) -> dict[str, Any]:
    """Load numpy's formats; pickled objects, which could run code, never."""
    try:
        if form is Format.NPY and source.name != "standard input":
            return {"": np.load(source.name, mmap_mode="r", allow_pickle=False)}
        loaded = np.load(io.BytesIO(stream.read()), allow_pickle=False)
        if form is Format.NPY or isinstance(loaded, np.ndarray):
            return {"": loaded}
        with loaded:
            return dict(loaded)
    except (ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
        if "object" in str(error).lower():
            raise source.fault("holds pickled Python objects, which are not read; save arrays of numbers") from None
        raise source.fault(f"not a file of numpy's: {error}") from None


def _block_of_arrays(source: Source, arrays: dict[str, Any], choice: CsvChoice) -> Block:
    for name in (*choice.columns, *choice.skip):
        if name not in arrays:
            raise source.fault(f"no array {name!r}; it has {', '.join(arrays)}")
    kept = [name for name in choice.columns or arrays if name not in choice.skip]
    if len(kept) == 1:
        # With one array there is one input, whatever the file calls it.
        arrays, kept = {"": arrays[kept[0]]}, [""]
    # As with JSON, a flat array is one row, and nested ones are rows.
    inputs = {name: arrays[name] if arrays[name].ndim > 1 else np.atleast_2d(arrays[name]) for name in kept}
    counts = {name: len(rows) for name, rows in inputs.items()}
    if len(set(counts.values())) != 1:
        found = ", ".join(f"{name} has {count}" for name, count in counts.items()) or "none is left"
        raise source.fault(f"the arrays differ in their number of rows: {found}")
    (rows,) = set(counts.values())
    if not rows or any(array.size == 0 for array in inputs.values()):
        raise source.fault("no rows")
    source.total = rows
    return Block(inputs, "row", range(1, rows + 1))


def _lines(path: Path) -> int | None:
    """Count the lines of a file: about as many as it has rows."""
    if path.stat().st_size > _MOST_COUNTED:
        return None
    with path.open("rb") as file:
        return sum(chunk.count(b"\n") for chunk in iter(lambda: file.read(_CHUNK), b""))
