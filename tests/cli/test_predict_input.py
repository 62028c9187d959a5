"""What `penstock predict` reads: rows in every format, and what is said of those that are none."""

from collections.abc import Iterable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest
import typer

from penstock.cli.predict.choice import CsvChoice, Format
from penstock.cli.predict.json_input import read_json
from penstock.cli.predict.numbers import Datatypes, encode
from penstock.cli.predict.rows import InputError, Source, grouped
from penstock.cli.predict.source import open_source

ALL = CsvChoice()


def source_of(
    folder: Path, name: str, content: bytes | str, choice: CsvChoice = ALL, form: Format | None = None
) -> Source:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return open_source(str(path), form, choice)


def values_of(source: Source, rows: int = 1, datatypes: Datatypes | None = None) -> list[Any]:
    """The requests of a source: its data by input, flat, or the whole where it is sent as it is."""
    found = []
    for block in grouped(source.blocks, rows):
        document = orjson.loads(encode(source, block, datatypes or Datatypes()))
        found.append(
            {tensor["name"]: (tensor["datatype"], tensor["shape"], tensor["data"]) for tensor in document["inputs"]}
        )
    return found


def rows_of(source: Source) -> list[list[Any]]:
    """The rows of a source with one input."""
    return [tensors[""][2] for tensors in values_of(source)]


def fault_of(source: Source, **options: Any) -> str:
    with pytest.raises(InputError) as caught:
        values_of(source, **options)
    return caught.value.format_message().removeprefix(f"{source.name}").removeprefix(", ").removeprefix(": ")


@pytest.mark.parametrize(
    ("document", "rows"),
    [
        ("[1, 2.5]", [[1, 2.5]]),
        ("[[1, 2], [3, 4]]", [[1, 2], [3, 4]]),
        ("\n\n[[1,2],\n[3,4]]\n", [[1, 2], [3, 4]]),
        ('{"": [[1, 2], [3, 4]]}', [[1, 2], [3, 4]]),
        ("[1, 2]\n\n[3, 4]\n", [[1, 2], [3, 4]]),
        ("[[1, 2], [3, 4]]\n[5, 6]", [[1, 2], [3, 4], [5, 6]]),
        ('["a", "b"]', [["a", "b"]]),
        ("[true, false]", [[True, False]]),
        ("\ufeff[1, 2]", [[1, 2]]),
    ],
)
def test_json_is_a_row_or_rows_or_lines_of_them(tmp_path: Path, document: str, rows: list[list[Any]]) -> None:
    assert rows_of(source_of(tmp_path, "rows.json", document)) == rows


def test_json_object_has_rows_by_input(tmp_path: Path) -> None:
    one_by_one = [
        {"a": ("FP32", [1, 2], [1, 2]), "b": ("BYTES", [1, 1], ["x"])},
        {"a": ("FP32", [1, 2], [3, 4]), "b": ("BYTES", [1, 1], ["y"])},
    ]
    for document in (
        '{"a": [[1, 2], [3, 4]], "b": [["x"], ["y"]]}',
        '[{"a": [1, 2], "b": "x"}, {"a": [3, 4], "b": ["y"]}]',
    ):
        assert values_of(source_of(tmp_path, "rows.json", document)) == one_by_one


def test_whole_request_is_sent_as_it_is(tmp_path: Path) -> None:
    request = {
        "id": "r",
        "inputs": [{"name": "x", "shape": [2, 1], "datatype": "INT8", "data": [1, 2]}],
        "outputs": [{"name": "y"}],
    }
    source = source_of(tmp_path, "r.json", orjson.dumps(request))
    (block,) = grouped(source.blocks, 1)
    assert orjson.loads(encode(source, block, Datatypes())) == request
    assert len(block) == 2


@pytest.mark.parametrize(
    ("name", "text", "fault"),
    [
        ("a.json", "", "no rows, it is empty"),
        ("a.json", "[1, 2", "not JSON: unexpected end"),
        ("a.json", "[]", "an empty list has no rows"),
        ("a.json", "{}", "an empty object has no inputs"),
        ("a.json", "7", "a row is a list"),
        ("a.json", '[{"a": 1}, 2]', "row 2: not an object"),
        ("a.json", '{"a": [[1]], "b": [[1], [2]]}', "the inputs differ in their number of rows: a has 1, b has 2"),
        ("a.json", "[[1, null]]", "row 1, element 2: null is not a number"),
        ("a.json", '[[1, 2], [3, "x"]]', "row 2, element 2: 'x' is not a number"),
        ("a.json", "[1, true]", "row 1, element 2: True is not a number"),
        ("a.json", "[1e39]", "row 1, element 1: 1e+39 does not fit FP32"),
        ("a.json", "[[1, 2], [3]]", "row 1: rows that differ in length cannot be one request"),
        ("a.jsonl", "[1]\n[1,\n", "line 2: not JSON"),
        ("a.jsonl", '[1]\n{"x": [1, null]}\n', "line 2, input x, element 2: null is not a number"),
    ],
)  # fmt: skip
def test_faulty_json_is_told_with_its_place(tmp_path: Path, name: str, text: str, fault: str) -> None:
    assert fault_of(source_of(tmp_path, name, text), rows=2).startswith(fault)


def test_line_is_read_no_sooner_than_it_is_wanted() -> None:
    def lines() -> Iterable[bytes]:
        yield b"[1]\n"
        raise AssertionError("the second line was read before the first was taken")

    first = next(iter(read_json(Source("pipe", iter(()), live=True), lines())))  # type: ignore[arg-type]
    assert first.inputs == {"": [[1]]}


@pytest.mark.parametrize(
    ("text", "columns", "rows"),
    [
        ("1,2\n3,4\n", ["1", "2"], [[1, 2], [3, 4]]),
        ("a,b\n1,2\n\n3,4.5", ["a", "b"], [[1, 2], [3, 4.5]]),
        ("\ufeffa;b\r\n+1; .5\r\n", ["a", "b"], [[1, 0.5]]),
        ("a\tb\n-1e3\t007\n", ["a", "b"], [[-1000, 7]]),
        ('"a","b, c"\n"1",2\n', ["a", "b, c"], [[1, 2]]),
        (",b\n1,2\n", ["1", "b"], [[1, 2]]),
        ("0,1,name\n5,6,7\n", ["0", "1", "name"], [[5, 6, 7]]),
        ("text\nhello\nbye", ["text"], [["hello"], ["bye"]]),
    ],
)
def test_csv_has_a_header_or_none(tmp_path: Path, text: str, columns: list[str], rows: list[list[Any]]) -> None:
    source = source_of(tmp_path, "rows.csv", text)
    assert rows_of(source) == rows
    assert source.columns == columns


def test_columns_are_picked_and_ordered_by_name_or_number(tmp_path: Path) -> None:
    text = "a,b,c\n1,2,3\n"
    assert rows_of(source_of(tmp_path, "rows.csv", text, CsvChoice(columns=("c", "1")))) == [[3, 1]]
    assert rows_of(source_of(tmp_path, "rows.csv", text, CsvChoice(skip=("b",)))) == [[1, 3]]
    assert rows_of(source_of(tmp_path, "rows.csv", "1,2,3\n", CsvChoice(skip=("3",)))) == [[1, 2]]


def test_text_label_beside_numbers_is_left_out_by_its_number(tmp_path: Path) -> None:
    flowers = "5.1,3.5,setosa\n4.9,3.0,setosa\n"
    assert rows_of(source_of(tmp_path, "iris.csv", flowers, CsvChoice(skip=("3",)))) == [[5.1, 3.5], [4.9, 3.0]]


def test_columns_of_both_kinds_are_inputs_of_their_own(tmp_path: Path) -> None:
    source = source_of(tmp_path, "rows.csv", "age,city\n34,Berlin\n51,1000\n")
    assert values_of(source, rows=2) == [
        {"age": ("FP32", [2, 1], [34, 51]), "city": ("BYTES", [2, 1], ["Berlin", "1000"])}
    ]
    assert source.by_column


def test_columns_of_numbers_are_inputs_of_their_own_where_that_is_asked_for(tmp_path: Path) -> None:
    source = source_of(tmp_path, "rows.csv", "a,b\n1,2\n", CsvChoice(by_column=True))
    assert values_of(source) == [{"a": ("FP32", [1, 1], [1]), "b": ("FP32", [1, 1], [2])}]


def test_first_line_is_a_row_where_that_is_said(tmp_path: Path) -> None:
    assert rows_of(source_of(tmp_path, "rows.csv", "x,y\nz,w\n", CsvChoice(header=False))) == [["x", "y"], ["z", "w"]]


@pytest.mark.parametrize(
    ("text", "choice", "fault"),
    [
        ("", ALL, "no rows, it is empty"),
        ("a,b\n", ALL, "no rows after the header"),
        ("a,b\n1,2\n3,many\n", ALL, "line 3, column b: 'many' is not a number"),
        ("a,b\n1,2\n3,\n", ALL, "line 3, column b: a number is missing; JSON"),
        ("a,b\nnan,2\n", ALL, "line 2, column a: 'nan' is not a number; JSON"),
        ("a,b\n1,2\n1_000,2\n", ALL, "line 3, column a: '1_000' is not a number"),
        ("a,b\n1,2\n\"1,2\",2\n", ALL, "line 3, column a: '1,2' is not a number"),
        ("a,b\n1,2\n1,true\n", ALL, "line 3, column b: 'true' is not a number"),
        ("a,b\n1,2\n1,2,3\n", ALL, "line 3: 3 columns, where the first line has 2"),
        ("a,b\n1,2\n1,1e39\n", ALL, "line 3, column b: 1e+39 does not fit FP32"),
        ("a,b\n1,2\n", CsvChoice(columns=("c",)), "no column 'c'; it has a, b"),
        ("1,2\n1,2\n", CsvChoice(skip=("label",)), "no column 'label'; it has no header, so name columns by number"),
        ("a,b\n1,2\n", CsvChoice(skip=("a", "b")), "no column is left"),
        ("5.1,setosa\n4.9,setosa\n", ALL, "line 1, column 2: 'setosa' is not a number;"),
        ("1,2\n", CsvChoice(by_column=True), "line 1, column 1: columns without a header cannot be inputs"),
    ],
)  # fmt: skip
def test_faulty_csv_is_told_with_line_and_column(tmp_path: Path, text: str, choice: CsvChoice, fault: str) -> None:
    assert fault_of(source_of(tmp_path, "rows.csv", text, choice)).startswith(fault)


def test_csv_that_is_not_utf_8_is_told(tmp_path: Path) -> None:
    assert fault_of(source_of(tmp_path, "rows.csv", "größe\n1\n".encode("latin-1"))) == "not text in UTF-8"


def saved(array: Any, **arrays: Any) -> bytes:
    file = BytesIO()
    np.savez(file, **arrays) if arrays else np.save(file, array, allow_pickle=True)
    return file.getvalue()


def test_arrays_keep_their_datatype(tmp_path: Path) -> None:
    numbers = np.array([[1, 2], [3, 4]], np.int16)
    assert values_of(source_of(tmp_path, "rows.npy", saved(numbers)), rows=2) == [{"": ("INT16", [2, 2], [1, 2, 3, 4])}]
    assert values_of(source_of(tmp_path, "row.npy", saved(numbers[0]))) == [{"": ("INT16", [1, 2], [1, 2])}]
    assert values_of(source_of(tmp_path, "row.npy", saved(numbers[0])), datatypes=Datatypes("FP64"))[0][""][0] == "FP64"


def test_file_of_several_arrays_has_rows_by_input(tmp_path: Path) -> None:
    a, b = np.array([[1.0], [2.0]]), np.array([["x"], ["y"]])
    several = values_of(source_of(tmp_path, "rows.npz", saved(None, a=a, b=b)))
    assert several[1] == {"a": ("FP64", [1, 1], [2.0]), "b": ("BYTES", [1, 1], ["y"])}
    one = source_of(tmp_path, "rows.npz", saved(None, rows=a, labels=b), CsvChoice(columns=("rows",)))
    assert rows_of(one) == [[1.0], [2.0]]


@pytest.mark.parametrize(
    ("name", "content", "fault"),
    [
        ("a.npy", saved(np.array([{"a": 1}], object)), "holds pickled Python objects, which are not read"),
        ("a.npy", b"\x93NUMPY", "not a file of numpy's"),
        ("a.npz", b"PK\x03\x04 no more", "not a file of numpy's"),
        ("a.npy", saved(np.zeros((0, 3))), "no rows"),
        ("a.npy", saved(np.array([[1.0, np.nan]])), "row 1, element 2: nan is not finite"),
        ("a.npy", saved(np.array([[1j]])), "row 1: no Open Inference Protocol datatype for numpy dtype complex128"),
        ("a.npz", saved(None, a=np.zeros((2, 1)), b=np.zeros((3, 1))), "the arrays differ in their number of rows"),
    ],
)  # fmt: skip
def test_faulty_arrays_are_told(tmp_path: Path, name: str, content: bytes, fault: str) -> None:
    assert fault_of(source_of(tmp_path, name, content)).startswith(fault)


def test_missing_file_and_unknown_format_are_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.csv: no such file"):
        open_source(str(tmp_path / "none.csv"), None, ALL)
    with pytest.raises(InputError, match="its name tells no format; say which with --format: json, jsonl, csv"):
        source_of(tmp_path, "rows.txt", "[1]")
    assert rows_of(source_of(tmp_path, "rows.txt", "[1]", form=Format.JSON)) == [[1]]


@pytest.mark.parametrize(
    ("choice", "said"), [(CsvChoice(columns=("a",)), "no columns"), (CsvChoice(by_column=True), "is for CSV")]
)
def test_option_that_would_do_nothing_is_refused(tmp_path: Path, choice: CsvChoice, said: str) -> None:
    with pytest.raises(typer.BadParameter, match=said):
        source_of(tmp_path, "rows.json", "[1]", choice)


def test_whole_numbers_are_sent_whole_and_others_refused(tmp_path: Path) -> None:
    integers = Datatypes("INT64")
    assert values_of(source_of(tmp_path, "a.csv", "9007199254740993,5.0\n"), datatypes=integers)[0][""][2][1] == 5
    assert (
        values_of(source_of(tmp_path, "a.csv", "9007199254740993,5\n"), datatypes=integers)[0][""][2][0]
        == 9007199254740993
    )
    assert (
        fault_of(source_of(tmp_path, "a.csv", "1,2\n3,4.5\n"), datatypes=integers)
        == "line 2, column 2: 4.5 does not fit INT64"
    )
    assert (
        fault_of(source_of(tmp_path, "a.csv", "1,300\n"), datatypes=Datatypes("UINT8"))
        == "line 1, column 2: 300 does not fit UINT8"
    )
