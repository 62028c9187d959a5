"""What can become of a transaction, and what a broker's error codes mean for it.

Codes: Kafka's protocol guide, "Error Codes". Numbers, because aiokafka does not know the newer ones.
"""

from collections.abc import Iterable
from enum import Enum
from typing import Final

from aiokafka import errors as kafka_errors
from aiokafka.structs import TopicPartition

from penstock.schemas.errors import TransportError


class Fenced(TransportError):
    """Another producer has taken the transactional id over: what it stands for belongs to somebody else now."""


class InDoubt(TransportError):
    """The end of a transaction was asked for and not answered: it may have committed."""


class Refused(Exception):
    """Kafka will not take a record batch, or nothing for this partition at all. The transaction has to be aborted.

    Attributes:
        place: the partition.
        error: aiokafka's error of the broker's code.
    """

    def __init__(self, place: TopicPartition, error: Exception) -> None:
        super().__init__(f"{place.topic}/{place.partition}: {error!r}")
        self.place = place
        self.error = error


class Verdict(Enum):
    """What the answer to one request means."""

    DONE = "done"
    AGAIN = "ask again in a moment: nothing was done"
    MOVED = "ask another broker: nothing was done"
    FENCED = "another producer has the id"
    REFUSED = "never for this partition or record"
    FAILED = "give this transaction up"


_CODES: Final = {
    0: Verdict.DONE,
    46: Verdict.DONE,  # DUPLICATE_SEQUENCE_NUMBER: it was written before
    47: Verdict.FENCED,  # INVALID_PRODUCER_EPOCH
    90: Verdict.FENCED,  # PRODUCER_FENCED
    14: Verdict.MOVED,  # COORDINATOR_LOAD_IN_PROGRESS
    19: Verdict.AGAIN,  # NOT_ENOUGH_REPLICAS: also how an old client is told that the last markers are being written
    20: Verdict.AGAIN,  # NOT_ENOUGH_REPLICAS_AFTER_APPEND; written, and its sequence number says so the next time
    51: Verdict.AGAIN,  # CONCURRENT_TRANSACTIONS: the markers of the last one are being written
    5: Verdict.MOVED,  # LEADER_NOT_AVAILABLE
    6: Verdict.MOVED,  # NOT_LEADER_OR_FOLLOWER
    15: Verdict.MOVED,  # COORDINATOR_NOT_AVAILABLE
    16: Verdict.MOVED,  # NOT_COORDINATOR
    3: Verdict.REFUSED,  # UNKNOWN_TOPIC_OR_PARTITION
    10: Verdict.REFUSED,  # MESSAGE_TOO_LARGE
    17: Verdict.REFUSED,  # INVALID_TOPIC_EXCEPTION
    18: Verdict.REFUSED,  # RECORD_LIST_TOO_LARGE
    29: Verdict.REFUSED,  # TOPIC_AUTHORIZATION_FAILED
}
NOT_ATTEMPTED: Final = 55  # OPERATION_NOT_ATTEMPTED: another partition of the request was the reason


def verdict(code: int) -> Verdict:
    """Return what one error code means."""
    return _CODES.get(code, Verdict.FAILED)


def judge(codes: Iterable[tuple[TopicPartition, int]]) -> Verdict:
    """Return what the codes of one answer mean together.

    Raises:
        Fenced: another producer has the id.
        Refused: one partition is out of the question.
        KafkaError: anything else that asking again does not help.
    """
    found = {verdict(code): (place, code) for place, code in codes if code not in (0, NOT_ATTEMPTED)}
    if Verdict.FENCED in found:
        raise Fenced("another worker serves this partition now")
    for kind in (Verdict.REFUSED, Verdict.FAILED):
        if kind in found:
            place, code = found[kind]
            error: Exception = kafka_errors.for_code(code)()
            raise Refused(place, error) if kind is Verdict.REFUSED else error
    return next((kind for kind in (Verdict.MOVED, Verdict.AGAIN) if kind in found), Verdict.DONE)


def explain(transactional_id: str, timeout_s: float, error: Exception) -> str:
    """Say why an id can never be taken over, and what to do."""
    if isinstance(error, kafka_errors.TransactionalIdAuthorizationFailed):
        return (
            f"this user may not use transactional id {transactional_id}. Allow WRITE and DESCRIBE on it, or on its "
            "prefix (kafka-acls --transactional-id PREFIX --resource-pattern-type prefixed)."
        )
    if isinstance(error, kafka_errors.InvalidTransactionTimeout):
        return (
            f"the brokers allow no transaction of {timeout_s:g} s. Set worker.transaction_timeout_s to at most their "
            "transaction.max.timeout.ms."
        )
    if isinstance(error, kafka_errors.IncompatibleBrokerVersion | NotImplementedError):
        return "the brokers have no transactions as exactly-once delivery needs them: Kafka 2.5 or later."
    return f"transactional id {transactional_id} could not be taken over: {error!r}"
