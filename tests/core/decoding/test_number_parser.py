"""The parsers of numbers: the same numbers, bit by bit, and the same refusals."""

from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from penstock.core.decoding import number_parser
from penstock.core.decoding.number_parser import Kind, NumberParser, OrjsonNumbers, SimdjsonNumbers, fastest_parser
from tests.core.decoding.decoded_answers import HAS_SIMDJSON, PARSERS

needs_simdjson = pytest.mark.skipif(not HAS_SIMDJSON, reason="simdjson is not installed")
KINDS: list[Kind] = ["d", "i", "u"]
DECIMALS = st.from_regex(r"-?(0|[1-9][0-9]{0,25})(\.[0-9]{1,25})?([eE][+-]?[0-9]{1,3})?", fullmatch=True)


def read(parser: NumberParser, text: str, kind: Kind) -> bytes | None:
    try:
        return parser.parse(bytearray(text.encode()), kind).tobytes()
    except ValueError:
        return None


@needs_simdjson
@given(st.lists(DECIMALS | st.floats(allow_nan=False, allow_infinity=False).map(repr), min_size=1, max_size=4))
@example(["-0"])
@example(["-0.0", "1e-400", "5e-324", "2.2250738585072011e-308"])
@example(["9007199254740993", "18446744073709551615", "-9223372036854775808"])
def test_both_parsers_read_the_same_doubles(texts: list[str]) -> None:
    text = f"[{','.join(texts)}]"
    simd, plain = (read(parser, text, "d") for parser in reversed(PARSERS))
    # simdjson alone refuses whole numbers beyond 64 bits; the general way reads them then.
    if simd is not None:
        assert (
            simd
            == plain
            == np.array([float(each.replace("-0", "0") if each == "-0" else each) for each in texts]).tobytes()
        )


@needs_simdjson
@pytest.mark.parametrize("kind", ["i", "u"])
@given(numbers=st.lists(st.integers(-(2**65), 2**65), min_size=1, max_size=3))
def test_both_parsers_read_the_same_whole_numbers(kind: Kind, numbers: list[int]) -> None:
    text = str(numbers)
    simd, plain = (read(parser, text, kind) for parser in reversed(PARSERS))
    low, high = (-(2**63), 2**63 - 1) if kind == "i" else (0, 2**64 - 1)
    fits = all(low <= number <= high for number in numbers)
    assert simd == plain == (np.array(numbers, f"{kind}8").tobytes() if fits else None)


@pytest.mark.parametrize("parser", PARSERS, ids=lambda parser: type(parser).__name__)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "bad",
    ["true", "false", "null", '"1"', "{}", '{"1":1}', "01", "+1", ".5", "1.", "0x1", "NaN", "1e400", "Infinity", "-",
     "", "1,", "1 2", "1]", "\ufeff1", "\x00", "é", "--1"],
)  # fmt: skip
def test_what_is_no_number_is_refused_and_the_parser_reads_on(parser: NumberParser, kind: Kind, bad: str) -> None:
    assert read(parser, f"[1,{bad},2]", kind) is None
    assert read(parser, "[1,2]", kind) == np.array([1, 2], kind.replace("d", "f") + "8").tobytes()


@pytest.mark.parametrize("parser", PARSERS, ids=lambda parser: type(parser).__name__)
@pytest.mark.parametrize("bad", ["1.0", "1e2", "-0.0"])
def test_a_double_is_no_whole_number(parser: NumberParser, bad: str) -> None:
    assert read(parser, f"[{bad}]", "i") is None


def test_an_array_stays_when_its_parser_reads_on() -> None:
    for parser in reversed(PARSERS):
        first = parser.parse(bytearray(b"[1,2]"), "d")
        parser.parse(bytearray(b"[3,4]"), "d")
        assert first.tolist() == [1, 2]


@needs_simdjson
def test_without_simdjson_orjson_reads() -> None:
    assert isinstance(fastest_parser(), SimdjsonNumbers)
    with patch.object(number_parser, "_SimdjsonParser", None):
        assert isinstance(fastest_parser(), OrjsonNumbers)
