"""Where an answer may go."""

from collections.abc import Callable

from penstock.consumer.pending import Route
from penstock.schemas.envelope import Envelope
from penstock.schemas.errors import ErrorCode, RequestError
from penstock.transport.topics import TopicDirectory


class ReplyRouter:
    """Decides reply topic and partition from a request's headers and the service's settings.

    Args:
        directory: which topics there are.
        default: the service's reply topic.
        may_reply: tells whether another topic that a request names may get its reply.
    """

    def __init__(self, directory: TopicDirectory, default: str, may_reply: Callable[[str], bool]) -> None:
        self._directory = directory
        self._default = default
        self._may_reply = may_reply
        self._verdicts: dict[str, bool] = {}

    def route(self, envelope: Envelope, source_partition: int) -> Route:
        """Return where the answer goes.

        A reply goes to the partition that the headers name, else to the source partition modulo the reply
        topic's partitions: the order of a key holds, and batches stay dense.

        Raises:
            RequestError: REPLY_FORBIDDEN or REPLY_UNKNOWN, reasons of a dead letter; BAD_VALUE when only the
                partition is wrong, which the default topic can be told.
        """
        topic = envelope.reply_topic
        if topic is None:
            topic = self._default
        elif not self.may_answer(topic):
            raise RequestError(ErrorCode.REPLY_FORBIDDEN, "the request's reply topic is not among those allowed")
        count = self._directory.partitions(topic)
        if count == 0:
            raise RequestError(ErrorCode.REPLY_UNKNOWN, "the reply topic does not exist")
        partition = envelope.reply_partition
        if partition is None:
            return topic, source_partition % count
        if not 0 <= partition < count:
            raise RequestError(ErrorCode.BAD_VALUE, f"the reply topic has no partition {partition}; it has {count}")
        return topic, partition

    def default_route(self, source_partition: int) -> Route | None:
        """Return the service's own reply topic, or None when it is gone."""
        count = self._directory.partitions(self._default)
        return (self._default, source_partition % count) if count else None

    def may_answer(self, topic: str) -> bool:
        """Tell whether a topic that a request names may get its reply."""
        verdict = self._verdicts.get(topic)
        if verdict is None:
            verdict = self._may_reply(topic)
            if len(self._verdicts) < 10_000:  # names come from outside: remember no more than that
                self._verdicts[topic] = verdict
        return verdict
