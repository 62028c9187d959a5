"""The AsyncAPI document: its parts fit together, and its messages are those that are on the topics.

It was checked against the official JSON Schema of AsyncAPI 3.0.0 when it was written; no package brings that schema.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import orjson
import pytest
from jsonschema import Draft202012Validator

from penstock.schemas import headers as h
from penstock.schemas.control.asyncapi import ServiceTopics, asyncapi
from penstock.schemas.errors import ErrorCode, RequestError
from penstock.schemas.oip import encode_request
from penstock.schemas.replies import BatchEncoder, encode_error
from tests.schemas.control.writing import IRIS, ROOT, document, signed

TOPICS = ServiceTopics(
    requests=["one", "two"],
    reply="replies",
    dead_letters=["letters", "letters"],
    control="iris-control",
    status="iris-status",
    brokers=["a:9092", "b:9092"],
    secure=True,
)
DOCUMENT = asyncapi(TOPICS, title="iris", version="1.2.3")
MESSAGES = DOCUMENT["components"]["messages"]


def references(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        yield from [part["$ref"]] if isinstance(part.get("$ref"), str) else []
        part = list(part.values())
    if isinstance(part, list):
        for each in part:
            yield from references(each)


def at(pointer: str) -> Any:
    found: Any = DOCUMENT
    for step in pointer.removeprefix("#/").split("/"):
        found = found[step]
    return found


def payload_is_valid(message: str, value: bytes) -> bool:
    schema = {**MESSAGES[message]["payload"], "components": DOCUMENT["components"]}
    return bool(Draft202012Validator(schema).is_valid(orjson.loads(value)))


def test_the_document_has_the_parts_that_the_specification_asks_for():
    assert DOCUMENT["asyncapi"] == "3.0.0"
    assert {"title", "version"} <= set(DOCUMENT["info"])
    assert {(each["host"], each["protocol"]) for each in DOCUMENT["servers"].values()} == {
        ("a:9092", "kafka-secure"),
        ("b:9092", "kafka-secure"),
    }
    for operation in DOCUMENT["operations"].values():
        assert operation["action"] in ("send", "receive")
        assert operation["channel"]["$ref"].startswith("#/channels/")


def test_every_reference_leads_somewhere():
    found = list(references(DOCUMENT))
    assert len(found) > 20
    for pointer in found:
        assert at(pointer)


def test_every_topic_is_a_channel_and_every_channel_is_used():
    addresses = [channel["address"] for channel in DOCUMENT["channels"].values()]
    assert addresses == ["one", "two", "replies", "letters", "iris-control", "iris-status"]
    assert set(references(DOCUMENT["operations"])) == {f"#/channels/{name}" for name in DOCUMENT["channels"]}


def test_a_request_is_answered_on_the_reply_topic():
    operation = DOCUMENT["operations"]["receive.requests.one"]
    assert at(operation["reply"]["channel"]["$ref"])["address"] == "replies"


def test_a_service_with_one_request_topic_has_plain_names():
    topics = ServiceTopics(requests=["r"], reply="a", dead_letters=["d"], control=None, status=None, brokers=["k:1"])
    channels = asyncapi(topics, title="t", version="0")["channels"]
    assert list(channels) == ["requests", "replies", "deadLetters", "control", "status"]
    assert channels["control"]["address"] is None
    assert asyncapi(topics, title="t", version="0")["servers"]["broker1"]["protocol"] == "kafka"


def test_what_client_and_worker_write_is_what_the_document_says():
    request = encode_request({"x": ("FP32", np.ones((2, 3), dtype=np.float32))}, request_id="r-1")
    answer = BatchEncoder("iris", "1", {"y": np.ones((2, 1), dtype=np.float32)}).encode(0, 2, b'"r-1"')
    error = encode_error(RequestError(ErrorCode.BAD_SHAPE, "wrong"), None)
    written = {"request": request, "answer": answer, "error": error}
    for message, value in written.items():
        assert [name for name in written if payload_is_valid(name, value)] == [message]
    assert payload_is_valid("command", orjson.dumps(document("deployment/iris", IRIS, 1)))
    assert not payload_is_valid("command", orjson.dumps(document("deployment/iris", {"rows_per_s": 1}, 1)))


@pytest.mark.parametrize("name", ["command", "snapshot"])
def test_signed_records_have_the_headers_that_sign_them(name):
    headers = {header: value.decode() for header, value in signed(b"{}", ROOT)}
    assert set(MESSAGES[name]["headers"]["properties"]) == set(headers)
    assert Draft202012Validator(MESSAGES[name]["headers"]).is_valid(headers)


def test_every_header_of_a_request_is_there():
    unsaid = {h.ID_ALIAS, h.JSON_LENGTH, h.JSON_TYPE, h.RAW_TYPE, h.SCHEMA_VERSION}
    names = {value for name, value in vars(h).items() if name.isupper() and isinstance(value, str)}
    others = {name for name in names if name.startswith(("kafka_", "correlation_id", "reply_to"))}
    said = {name for message in MESSAGES.values() for name in message.get("headers", {}).get("properties", {})}
    assert names - unsaid - others <= said
