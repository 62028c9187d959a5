"""Routes: where an answer may go."""

from fnmatch import fnmatchcase

import pytest

from penstock.consumer.routes import ReplyRouter
from penstock.schemas.envelope import BARE, Envelope
from penstock.schemas.errors import ErrorCode, RequestError
from penstock.transport.topics import TopicDirectory


class KnownTopics(TopicDirectory):
    """A directory that never asks Kafka."""

    def __init__(self, **counts: int) -> None:
        super().__init__({})
        self.counts = counts

    def partitions(self, topic: str) -> int:
        return self.counts.get(topic, 0)


TOPICS = KnownTopics(replies=4, mine=2, requests=8)


def router(default: str = "replies", allowed: str = "m*", topics: KnownTopics = TOPICS) -> ReplyRouter:
    return ReplyRouter(topics, default, lambda topic: topic == default or fnmatchcase(topic, allowed))


def asking(topic: str | None = None, partition: int | None = None) -> Envelope:
    envelope = Envelope()
    envelope.reply_topic, envelope.reply_partition = topic, partition
    return envelope


def refused(routes: ReplyRouter, envelope: Envelope) -> ErrorCode:
    with pytest.raises(RequestError) as caught:
        routes.route(envelope, 0)
    return caught.value.code


@pytest.mark.parametrize(("source", "partition"), [(0, 0), (3, 3), (4, 0), (7, 3)])
def test_an_answer_goes_to_the_source_partition_modulo_the_reply_topics(source: int, partition: int) -> None:
    assert router().route(BARE, source) == ("replies", partition)
    assert router().default_route(source) == ("replies", partition)
    assert router().route(asking("mine"), source) == ("mine", partition % 2)


def test_a_named_partition_is_kept_to() -> None:
    assert router().route(asking(partition=1), 3) == ("replies", 1)
    assert router().route(asking("mine", 1), 0) == ("mine", 1)


@pytest.mark.parametrize("partition", [-1, 2, 2**31, -(2**31)])
def test_a_partition_that_the_topic_has_not_is_a_bad_value(partition: int) -> None:
    assert refused(router(), asking("mine", partition)) is ErrorCode.BAD_VALUE


def test_a_topic_outside_the_allow_list_is_forbidden_even_if_it_does_not_exist() -> None:
    assert refused(router(), asking("requests")) is ErrorCode.REPLY_FORBIDDEN
    assert refused(router(), asking("nowhere", -1)) is ErrorCode.REPLY_FORBIDDEN


def test_an_allowed_topic_that_does_not_exist_is_unknown() -> None:
    assert refused(router(), asking("missing")) is ErrorCode.REPLY_UNKNOWN


def test_a_default_topic_that_is_gone_leaves_no_route() -> None:
    routes = router("gone")
    assert routes.default_route(0) is None
    assert refused(routes, BARE) is ErrorCode.REPLY_UNKNOWN
    assert routes.route(asking("mine"), 1) == ("mine", 1)


def test_a_topic_that_appears_later_is_found() -> None:
    topics = KnownTopics()
    routes = router(topics=topics)
    assert refused(routes, asking("mine")) is ErrorCode.REPLY_UNKNOWN
    topics.counts["mine"] = 1
    assert routes.route(asking("mine"), 5) == ("mine", 0)


def test_verdicts_on_names_from_outside_are_not_kept_without_end() -> None:
    asked: list[str] = []

    def may_reply(topic: str) -> bool:
        asked.append(topic)
        return topic == "mine"

    routes = ReplyRouter(TOPICS, "replies", may_reply)
    for number in range(10_500):
        assert refused(routes, asking(f"x{number}")) is ErrorCode.REPLY_FORBIDDEN
    assert len(routes._verdicts) == 10_000
    assert routes.route(asking("mine"), 0) == ("mine", 0)  # not remembered, still judged
    routes.route(asking(), 0)
    refused(routes, asking("x0"))
    assert len(asked) == 10_501
