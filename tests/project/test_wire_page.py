"""docs/wire.md: every example on it is what the code reads and writes."""

import re

import numpy as np
import orjson
import pytest

from penstock.consumer.finished_set import FinishedSet
from penstock.schemas import headers as h
from penstock.schemas.datatypes import DTYPES
from penstock.schemas.envelope import read_envelope
from penstock.schemas.errors import ErrorCode, ServiceError
from penstock.schemas.limits import Limits
from penstock.schemas.oip import read_request
from penstock.schemas.replies import read_reply
from penstock.schemas.tensors import tensor_from_raw
from tests.support.pages import Block, Page

PAGE = Page("docs/wire.md")
JSON = PAGE.blocks("json")


@pytest.mark.parametrize("block", JSON, ids=lambda block: f"line {block.line}")
def test_example_is_read(block: Block) -> None:
    if "inputs" in orjson.loads(block.text):
        read_request(orjson.loads(block.text), Limits())
    elif block.section == "Error replies":
        with pytest.raises(ServiceError):
            read_reply(block.text.encode())
    else:
        assert read_reply(block.text.encode()).outputs["y"].tolist() == [[2.0, 4.0, 6.0]]


def test_raw_example_is_the_row_that_the_page_says() -> None:
    (block,) = PAGE.blocks("text")
    assert tensor_from_raw("FP32", (3,), bytes.fromhex(block.text)).tolist() == [[1.0, 2.0, 3.0]]
    assert np.dtype("<f4") == DTYPES["FP32"]


def test_committed_state_is_read_as_the_page_says() -> None:
    (form,) = (code for code in PAGE.code() if code.startswith("1:") and len(code) > 2)
    found = FinishedSet.decode(form, 100)
    assert list(found) == [(102, 104), (110, 111)]
    assert found.encode(100) == form


def test_every_datatype_is_listed() -> None:
    listed = {code for row in PAGE.table("Tensors in JSON") for code in re.findall(r"`([A-Z0-9]+)`", row[0])}
    assert listed == set(DTYPES)


def test_every_header_of_a_request_is_listed() -> None:
    rows = PAGE.table("Headers of a request") + PAGE.table("Other dialects")
    listed = {code for row in rows for cell in row for code in re.findall(r"`([a-zA-Z_-]+)`", cell)}
    names = {value for name, value in vars(h).items() if name.isupper() and isinstance(value, str)}
    answers = {h.SOURCE, h.EPOCH, h.ERROR, h.REASON, h.LIVE, h.RETRY_AFTER_MS}
    unsaid = {h.JSON_LENGTH, h.JSON_TYPE, h.RAW_TYPE, h.SCHEMA_VERSION}
    assert names - answers - unsaid <= listed
    for name in names - answers - unsaid:  # each one is read: twice the same is a fault
        twice = read_envelope([(name, b"\0\0\0\1"), (name, b"\0\0\0\1")], Limits())
        assert twice.error is not None, name


def test_every_header_of_a_reply_is_listed() -> None:
    listed = {row[0].strip("`") for row in PAGE.table("Replies")}
    assert {h.SOURCE, h.EPOCH, h.ERROR, h.MODEL, h.CONTENT_TYPE} <= listed


def test_every_code_of_an_error_reply_is_linked() -> None:
    linked = set(re.findall(r"\[([A-Z_]+)\]\(errors\.md#", PAGE.sections(3)["Error replies"]))
    assert linked == set(ErrorCode) - {"REPLY_FORBIDDEN", "REPLY_UNKNOWN", "UNREADABLE"}
