"""The worker's settings, and the root of all sections."""

from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from penstock.consumer.settings import ServiceSettings, WorkerSettings
from penstock.core.configuration import fields_of, load
from penstock.core.settings import LimitsSettings, LogSettings, ModelsSettings
from penstock.schemas.errors import ConfigurationError
from penstock.schemas.limits import Limits

REQUIRED = {
    "PENSTOCK_KAFKA__BOOTSTRAP_SERVERS": "one:9092,two:9092",
    "PENSTOCK_WORKER__REQUEST_TOPICS": "requests,more-requests",
    "PENSTOCK_WORKER__REPLY_TOPIC": "replies",
    "PENSTOCK_WORKER__GROUP_ID": "workers",
    "PENSTOCK_MODELS__REPOSITORY": "/models",
    "PENSTOCK_MODELS__DEFAULT": "iris",
}


def worker(**values: Any) -> WorkerSettings:
    return WorkerSettings.model_validate(
        {"request_topics": ["requests"], "reply_topic": "replies", "group_id": "workers", **values}
    )


def refused(**values: Any) -> str:
    with pytest.raises(ValidationError) as caught:
        worker(**values)
    return str(caught.value)


def test_six_variables_are_enough_for_a_worker() -> None:
    settings = load(ServiceSettings, environ=REQUIRED)
    assert settings.kafka.bootstrap_servers == ("one:9092", "two:9092")
    assert settings.worker.request_topics == ("requests", "more-requests")
    assert settings.worker.reply_topic == "replies"
    assert settings.worker.group_id == "workers"
    assert settings.models.repository == Path("/models")
    assert settings.models.default == "iris"


def test_nothing_given_names_each_setting_that_must_be() -> None:
    with pytest.raises(ConfigurationError) as caught:
        load(ServiceSettings, environ={})
    named = [line.partition(":")[0] for line in str(caught.value).splitlines()]
    assert named == ["worker.group_id", "models.repository"]


def test_every_setting_has_a_description_and_every_number_a_bound() -> None:
    for name, field in fields_of(ServiceSettings):
        assert field.description, name
        if field.annotation in (int, float):
            assert any(hasattr(bound, "ge") or hasattr(bound, "gt") for bound in field.metadata), name


def test_a_default_that_does_not_fit_another_setting_is_told() -> None:
    with pytest.raises(ConfigurationError, match=r"worker\.heartbeat_interval_s: must be less than a third"):
        load(ServiceSettings, environ={**REQUIRED, "PENSTOCK_WORKER__SESSION_TIMEOUT_S": "1.2"})


@pytest.mark.parametrize("name", ["", ".", "..", "a b", "a/b", "é", "x" * 250])
def test_topics_have_kafkas_names(name: str) -> None:
    assert "is no topic name" in refused(request_topics=[name])
    assert "is no topic name" in refused(reply_topic=name)


def test_a_worker_reads_at_least_one_topic_and_each_once() -> None:
    assert "at least 1 item" in refused(request_topics=[])
    assert "there twice" in refused(request_topics=["a", "a"])


def test_a_worker_does_not_write_where_it_reads() -> None:
    assert "is a request topic" in refused(reply_topic="requests")
    assert "is a request topic" in refused(dead_letter_topic="requests")
    assert "is the reply topic" in refused(dead_letter_topic="replies")


def test_replies_go_to_the_allowed_topics_only() -> None:
    settings = worker(allowed_reply_topics=["replies.*", "other"], dead_letter_topic="replies.dead")
    assert settings.may_reply_to("replies")
    assert settings.may_reply_to("replies.eu")
    assert settings.may_reply_to("other")
    assert not settings.may_reply_to("otherwise")
    assert not settings.may_reply_to("Replies.eu")
    assert not settings.may_reply_to("replies.dead")


def test_no_pattern_lets_a_reply_become_a_request() -> None:
    settings = worker(allowed_reply_topics=["*"])
    assert settings.may_reply_to("anything")
    assert not settings.may_reply_to("requests")


@pytest.mark.parametrize("pattern", ["", "a b", "[ab]", "a/*"])
def test_patterns_know_only_star_and_question_mark(pattern: str) -> None:
    assert "is no topic name" in refused(allowed_reply_topics=[pattern])


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1])
def test_durations_are_finite_and_not_negative(value: float) -> None:
    refused(drain_timeout_s=value)


def test_limits_are_those_of_the_decoder() -> None:
    assert LimitsSettings().to_limits() == Limits()
    assert set(LimitsSettings.model_fields) == {field.name for field in fields(Limits)}
    assert LimitsSettings(max_bytes=5).to_limits() == Limits(max_bytes=5)


@pytest.mark.parametrize("name", ["", ".hidden", "-x", "a/b", "a b"])
def test_a_default_model_is_one_that_can_be_named(name: str) -> None:
    with pytest.raises(ValidationError, match="is no model name"):
        ModelsSettings(repository=Path("/models"), default=name)


def test_the_default_model_is_among_the_loaded() -> None:
    with pytest.raises(ValidationError, match="not one of the models in load: iris"):
        ModelsSettings(repository=Path("/models"), load=("iris",), default="wine")


def test_a_log_level_may_be_in_capitals() -> None:
    assert LogSettings.model_validate({"level": "WARNING"}).level == "warning"
