"""Dead letters as a worker writes them, and as they are read again."""

import time
from typing import Any

import pytest
from aiokafka.structs import ConsumerRecord, TopicPartition
from hypothesis import given
from hypothesis import strategies as st

from penstock.consumer.dead_letters import dead_letter
from penstock.consumer.pending import PendingRequest
from penstock.consumer.progress import PartitionProgress
from penstock.schemas.dead_letters.digest import digest_of
from penstock.schemas.dead_letters.letter import Coordinates, DeadLetter, read_dead_letter, redriven_headers
from penstock.schemas.envelope import Envelope
from penstock.schemas.errors import ErrorCode, RequestError
from penstock.schemas.headers import Header
from penstock.transport.publisher import Outgoing

PROGRESS = PartitionProgress(TopicPartition("requests", 5), 0)
WHY = RequestError(ErrorCode.BAD_VALUE, "why")
# A sender may call headers as we do, and write anything into them.
NAMES = ["a", "penstock-reason", "penstock-dlt-model", "kafka_dlt-original-topic", "penstock-redrives"]
HEADERS = st.lists(st.tuples(st.sampled_from(NAMES), st.binary(max_size=9)), max_size=6).map(tuple)


def request_of(headers: tuple[Header, ...] = (), error: RequestError | None = WHY, **envelope: Any) -> PendingRequest:
    asked = Envelope()
    for name, value in envelope.items():
        setattr(asked, name, value)
    record = ConsumerRecord("requests", 5, 9, -7, 0, b"k9", b"v", None, 2, 1, headers)
    request = PendingRequest(PROGRESS, record, asked, None)
    request.error = error
    return request


def on_topic(letter: Outgoing, offset: int = 3) -> ConsumerRecord[bytes | None, bytes | None]:
    """The record as it is read again."""
    key, value, headers, *_ = letter
    return ConsumerRecord("requests-dlt", 0, offset, 1000, 0, key, value, None, -1, -1, tuple(headers))


def read(letter: Outgoing) -> DeadLetter:
    found = read_dead_letter("requests-dlt", 0, on_topic(letter))
    assert found is not None
    return found


@pytest.mark.parametrize("error", [WHY, None])
def test_a_dead_letter_holds_the_payload_and_the_reason(error: RequestError | None) -> None:
    before = time.time_ns() // 1_000_000
    request = request_of((("a", b"\xff"),), error)
    key, value, headers, token, timestamp = dead_letter(request, "workers")
    code = b"BAD_VALUE" if error else b"MODEL_FAILED"
    assert (key, value, token, timestamp) == (b"k9", b"v", request, None)
    named = dict(headers)
    assert len(named) == len(headers)
    assert before <= int(named.pop("penstock-dlt-time")) <= time.time_ns() // 1_000_000
    assert len(named.pop("penstock-dlt-digest")) == 16
    assert named == {
        "a": b"\xff",
        "kafka_dlt-original-topic": b"requests",
        "kafka_dlt-original-partition": bytes([0, 0, 0, 5]),
        "kafka_dlt-original-offset": bytes([0] * 7 + [9]),
        "kafka_dlt-original-timestamp": bytes([255] * 7 + [249]),
        "kafka_dlt-original-consumer-group": b"workers",
        "kafka_dlt-exception-fqcn": b"penstock." + code,
        "kafka_dlt-exception-message": b"why" if error else b"the model gave no output",
        "penstock-reason": code,
        "penstock-source": b"requests/5/9",
        "penstock-dlt-attempts": b"1",
        "penstock-dlt-payload": b"kept",
    }


@given(HEADERS)
def test_what_is_written_is_read_again_whatever_the_request_calls_its_headers(headers: tuple[Header, ...]) -> None:
    found = read(dead_letter(request_of(headers), "workers"))
    assert (found.key, found.value, found.headers) == (b"k9", b"v", headers)
    assert (found.reason, found.message, found.digest) == ("BAD_VALUE", "why", digest_of(WHY))
    assert (found.source, found.source_time_ms, found.group) == (Coordinates("requests", 5, 9), -7, "workers")
    assert found.at == Coordinates("requests-dlt", 0, 3)
    assert found.model == ""


@pytest.mark.parametrize(
    ("asked", "named"),
    [({}, ""), ({"model": "iris"}, "iris"), ({"model": "iris", "version": "4"}, "iris@4"), ({"version": "4"}, "")],
)
def test_the_model_is_named_as_far_as_the_request_named_it(asked: dict[str, Any], named: str) -> None:
    assert read(dead_letter(request_of(**asked), "workers")).model == named


def test_a_payload_that_is_left_out_leaves_key_and_headers() -> None:
    found = read(dead_letter(request_of((("a", b"b"),)), "workers", with_payload=False))
    assert (found.key, found.value, found.headers) == (b"k9", None, (("a", b"b"),))
    assert not found.payload_kept


def test_coordinates_alone_fit_any_topic() -> None:
    found = read(dead_letter(request_of((("a", b"b"),)), "workers", coordinates_only=True))
    assert (found.key, found.value, found.headers, found.payload_kept) == (None, None, (), False)
    assert found.source == Coordinates("requests", 5, 9)


def test_what_nobody_can_read_has_no_payload_to_send_again() -> None:
    found = read(dead_letter(request_of(error=RequestError(ErrorCode.UNREADABLE, "why")), "workers"))
    assert found.hopeless
    assert not found.payload_kept


def test_attempts_grow_each_time_a_request_is_sent_again() -> None:
    headers: tuple[Header, ...] = (("a", b"b"),)
    for attempts in (1, 2, 3):
        letter = read(dead_letter(request_of(headers), "workers"))
        assert letter.attempts == attempts
        headers = tuple(redriven_headers(letter, letter.headers))
        assert headers == (
            ("a", b"b"), ("penstock-redriven-from", b"requests-dlt/0/3"), ("penstock-redrives", b"%d" % attempts)
        )  # fmt: skip


def test_a_letter_of_a_worker_of_before_is_read() -> None:
    key, value, headers, *rest = dead_letter(request_of(), "workers")
    before = [each for each in headers if not each[0].startswith("penstock-dlt-")]
    found = read((key, value, before, rest[0], None))
    assert (found.digest, found.attempts, found.payload_kept, found.time_ms) == ("", 1, True, 1000)
    assert not read((None, None, before, rest[0], None)).payload_kept


@pytest.mark.parametrize(
    "headers",
    [
        (),
        (("penstock-reason", b"BAD_VALUE"),),
        (("kafka_dlt-original-topic", b"requests"), ("kafka_dlt-original-partition", b"\0"), ("penstock-reason", b"X")),
        (("kafka_dlt-original-topic", b"requests"), ("kafka_dlt-exception-fqcn", b"java.lang.Error")),
    ],
    ids=["nothing", "a reason alone", "damaged", "Spring's"],
)
def test_a_record_of_others_is_no_letter_of_ours(headers: tuple[Header, ...]) -> None:
    assert read_dead_letter("requests-dlt", 0, on_topic((b"k", b"v", list(headers), None, None))) is None
