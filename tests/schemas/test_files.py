"""Files in a request's place are told from requests and tensors."""

import io
import pickle
import zipfile
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.schemas.errors import ErrorCode, RequestError
from penstock.schemas.files import FILE_STARTS, File, file_in, not_served
from penstock.schemas.limits import Limits
from penstock.schemas.strict_json import loads


def saved(array: Any) -> bytes:
    file = io.BytesIO()
    np.save(file, array, allow_pickle=True)
    return file.getvalue()


def archive(comment: bytes = b"") -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as made:
        made.writestr("x.npy", saved(np.zeros(3)))
        made.comment = comment
    return file.getvalue()


FILES = [
    (saved(np.zeros((2, 3))), File.NPY),
    (saved(np.array([{}], dtype=object)), File.NPY),
    (archive(), File.ZIP),
    (archive(b"a" * 65_535), File.ZIP),
    *((pickle.dumps([1, 2], protocol), File.PICKLE) for protocol in (2, 3, 4, 5)),
]


@pytest.mark.parametrize(("value", "kind"), FILES)
def test_a_file_is_known_and_is_unsupported_where_json_is_read(value: bytes, kind: File) -> None:
    assert file_in(value) is kind
    with pytest.raises(RequestError, match=kind.value) as caught:
        loads(value, Limits())
    assert caught.value.code is ErrorCode.UNSUPPORTED
    assert str(caught.value) == str(not_served(kind))


@pytest.mark.parametrize("value", [archive()[:-30], b"PK\x03\x04", b"\x80\x04.x", b"\x93NUMP", b"", b"{}"])
def test_what_only_begins_like_one_is_none(value: bytes) -> None:
    assert file_in(value) is None


@given(st.recursive(st.none() | st.text() | st.floats(allow_nan=False), st.lists, max_leaves=5))
def test_no_json_is_a_file(document: Any) -> None:
    import orjson

    assert file_in(orjson.dumps(document)) is None


@pytest.mark.parametrize(("value", "kind"), FILES[:4])
def test_what_may_be_taken_for_a_tensor_is_seen_by_its_first_bytes(value: bytes, kind: File) -> None:
    assert value.startswith(FILE_STARTS), kind
