"""Strict JSON: what is refused, and under which code."""

import contextlib
import json
import time
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from penstock.schemas import strict_json
from penstock.schemas.errors import ErrorCode, RequestError
from penstock.schemas.limits import Limits

TEXTS = st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from('[]{}"\\'), max_size=6)
DOCUMENTS = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=20,
)


def refused(value: bytes | None, **limits: int) -> ErrorCode:
    with pytest.raises(RequestError) as caught:
        strict_json.loads(value, Limits(**limits))
    return caught.value.code


def nesting(document: Any) -> int:
    if isinstance(document, dict):
        return 1 + max(map(nesting, document.values()), default=0)
    return 1 + max(map(nesting, document), default=0) if isinstance(document, list) else 0


def scanned_depth(text: bytes) -> int:
    """The reference: one byte after another."""
    depth = deepest = 0
    inside = escaped = False
    for byte in text.decode("latin-1"):
        if inside:
            inside = escaped or byte != '"'
            escaped = byte == "\\" and not escaped
        elif byte == '"':
            inside = True
        else:
            depth += (byte in "[{") - (byte in "]}")
            deepest = max(deepest, depth)
    return deepest


@pytest.mark.parametrize("value", [None, b""])
def test_an_empty_value_is_a_bad_request(value: bytes | None) -> None:
    assert refused(value) is ErrorCode.BAD_REQUEST


@pytest.mark.parametrize(
    "value",
    [
        b"\xff",
        b'"\xc3"',
        b'"\xed\xa0\x80"',
        b'"\\ud800"',
        b"{",
        b"{'a':1}",
        b"[1,]",
        b"[1] 2",
        b"\xef\xbb\xbf{}",
        b"hello",
        b'{"a":1',
        b'"' + b"1" * 500,
        b'["NaN",',
        b'{"a":"Infinity"',
    ],
)
def test_what_is_not_json_in_utf8_is_a_bad_encoding(value: bytes) -> None:
    assert refused(value) is ErrorCode.BAD_ENCODING


@pytest.mark.parametrize("value", [b"[" * 100_000, b'{"a":' * 100_000, b"[" * 100_000 + b"]" * 100_000])
def test_deep_nesting_is_too_complex(value: bytes) -> None:
    assert refused(value) is ErrorCode.TOO_COMPLEX


def test_nesting_is_taken_to_the_limit_and_not_beyond() -> None:
    assert strict_json.loads(b"[" * 4 + b"]" * 4, Limits(max_depth=4)) == [[[[]]]]
    assert refused(b"[" * 5 + b"]" * 5, max_depth=4) is ErrorCode.TOO_COMPLEX
    assert strict_json.loads(b"[" + b"[]," * 99 + b"[]]", Limits(max_depth=2)) == [[]] * 100


def test_brackets_inside_strings_do_not_count() -> None:
    assert strict_json.loads(b'["' + b"[{" * 500 + b'"]', Limits(max_depth=1)) == ["[{" * 500]
    assert strict_json.loads(b'["\\"[[[[\\\\"]', Limits(max_depth=1)) == ['"[[[[\\']


def test_closing_brackets_inside_strings_hide_no_depth() -> None:
    value = b'["' + b"]" * 50 + b'",' + b"[" * 40 + b"]" * 40 + b"]"
    assert refused(value) is ErrorCode.TOO_COMPLEX


@pytest.mark.parametrize("value", [b"9" * 10_000_000, b"[1,-" + b"7" * 500 + b"]"], ids=["10 MB", "500 digits"])
def test_an_endless_integer_is_too_complex(value: bytes) -> None:
    assert refused(value) is ErrorCode.TOO_COMPLEX


def test_a_value_over_the_limit_is_too_large() -> None:
    assert refused(b"[1,2]", max_bytes=4) is ErrorCode.TOO_LARGE
    assert strict_json.loads(b"[1,2]", Limits(max_bytes=5)) == [1, 2]


@pytest.mark.parametrize("value", [b"NaN", b"[1,-NaN]", b"[Infinity]", b'{"a":-Infinity}', b"[nan]", b"[1e999]"])
def test_nan_and_infinity_are_bad_values(value: bytes) -> None:
    assert refused(value) is ErrorCode.BAD_VALUE


@pytest.mark.parametrize("value", [b'"' + b'\\"' * 200_000, b'{"a":[' * 20 + b'"' + b'\\"' * 200_000])
def test_a_string_without_an_end_takes_no_longer_than_its_length(value: bytes) -> None:
    # A search that starts again at every quote takes minutes for this.
    start = time.process_time()
    assert refused(value) in (ErrorCode.BAD_ENCODING, ErrorCode.TOO_COMPLEX)
    assert time.process_time() - start < 2


@given(DOCUMENTS)
def test_every_legal_document_is_read_and_its_depth_told(document: Any) -> None:
    value = json.dumps(document, allow_nan=False).encode()
    assert strict_json.loads(value, Limits(max_depth=100)) == document
    assert strict_json.depth_of(value) == nesting(document)


@given(st.text('[]{}"\\ua', max_size=40))
@example('"]]]",[[[')
@example('"\\"[[')
def test_the_depth_of_any_text_is_what_a_scan_finds(text: str) -> None:
    assert strict_json.depth_of(text.encode()) == scanned_depth(text.encode())


@given(st.binary(max_size=60) | st.text('[]{}"\\,:1eNa-', max_size=40).map(str.encode))
def test_any_bytes_are_read_or_refused(value: bytes) -> None:
    with contextlib.suppress(RequestError):
        strict_json.loads(value, Limits(max_depth=5))
