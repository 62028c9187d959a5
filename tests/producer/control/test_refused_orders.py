"""Orders that change nothing: who was quicker, what nobody would follow, and what cannot be an order."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from penstock.producer.control import ledger
from penstock.producer.control.control import Control
from penstock.producer.control.results import CannotChange, Conflict, Issued
from penstock.schemas.control.refusals import CommandRefused, RefusalCode
from penstock.schemas.control.signing import Signer
from penstock.schemas.errors import ClientClosed, ConfigurationError, TransportError
from penstock.transport.control.appending import append
from penstock.transport.settings import KafkaSettings
from tests.transport.control.service import ControlledService, new_service

Open = Callable[..., Awaitable[Control]]


async def test_order_that_is_based_on_an_old_look_is_a_conflict(control: Open):
    anna, ben = await control(), await control(issuer="ben")
    look = await anna.deploy("iris", "4", dry_run=True)
    await ben.deploy("iris", "5", reason="night shift")
    with pytest.raises(Conflict, match=r"ben has changed it at 20.*\(offset 0: night shift\)") as caught:
        await anna.deploy("iris", "4", expect=look.seen)
    assert caught.value.by is not None
    assert caught.value.by.issuer == "ben"
    assert isinstance(await anna.deploy("iris", "4", expect=0), Issued)


async def test_whoever_is_second_hears_who_was_first(control: Open, monkeypatch: pytest.MonkeyPatch):
    anna, ben = await control(), await control(issuer="ben")

    async def write_after_ben(*args: Any, **named: Any) -> int:
        monkeypatch.undo()
        await ben.deploy("iris", "5")
        return await append(*args, **named)

    monkeypatch.setattr(ledger, "append", write_after_ben)
    with pytest.raises(Conflict, match="ben has changed it"):
        await anna.deploy("iris", "4")
    refused = (await anna.log())[-1].refused
    assert refused is not None
    assert refused.code is RefusalCode.OUT_OF_SEQUENCE
    assert isinstance(await anna.deploy("iris", "4"), Issued)


async def test_order_that_takes_too_long_to_arrive_is_refused_and_the_clock_is_asked_about(
    control: Open, monkeypatch: pytest.MonkeyPatch
):
    one = await control(expires_s=0.5)

    async def write_late(*args: Any, **named: Any) -> int:
        await asyncio.sleep(1.0)
        return await append(*args, **named)

    monkeypatch.setattr(ledger, "append", write_late)
    with pytest.raises(CommandRefused, match=r"EXPIRED: Kafka took it in .*\n.*clock") as caught:
        await one.deploy("iris", "4")
    assert caught.value.code is RefusalCode.EXPIRED
    assert (await one.state()).deployments() == {}


async def test_without_a_key_one_may_look_and_not_order(control: Open):
    looker = await control(None)
    assert (await looker.state()).epoch == -1
    with pytest.raises(ConfigurationError, match="commands must be signed, and there is no private key"):
        await looker.deploy("iris", "4")
    stranger = await control(None, trusted_keys=None)
    with pytest.raises(ConfigurationError, match="there are no trusted keys to judge them by"):
        await stranger.state()


async def test_key_that_nobody_trusts_is_refused_before_anything_is_written(control: Open):
    stranger = await control(Signer.generate("stranger"))
    with pytest.raises(CommandRefused, match="UNKNOWN_KEY: key 'stranger' is not trusted here"):
        await stranger.deploy("iris", "4")
    assert (await stranger.state()).epoch == -1


async def test_what_cannot_be_a_command_is_refused_in_words(control: Open, service: ControlledService):
    one = await control()
    with pytest.raises(CommandRefused, match=r"BAD_SPEC: .*a version is there twice"):
        await one.issue("deployment/iris", {"versions": [{"version": "4"}, {"version": "4"}]})
    with pytest.raises(CannotChange, match="is no resource"):
        await one.issue("model/iris", None)
    with pytest.raises(CommandRefused, match="reason"):
        await one.deploy("iris", "4", reason="x" * 501)
    with pytest.raises(CannotChange, match="a canary is one version"):
        await one.deploy("iris", {"3": 1, "4": 1}, canary=10)
    quick = await control(expires_s=-1.0)
    with pytest.raises(CommandRefused, match="EXPIRED"):
        await quick.deploy("iris", "4")


async def test_outside_of_its_block_it_says_so(control: Open, service: ControlledService):
    one = await control()
    await one.close()
    with pytest.raises(ClientClosed):
        await one.state()
    with pytest.raises(ConfigurationError, match="not both"):
        Control("a:1", "g", kafka=KafkaSettings())


def test_names_that_no_topic_can_have_are_said():
    with pytest.raises(ConfigurationError, match="topic 'a b' is no name of a topic"):
        Control("a:1", "g", topic="a b")
    with pytest.raises(ConfigurationError, match=r"group 'a b' cannot give its name to a topic.*\n.*control\.topic"):
        Control("a:1", "a b")
    Control("a:1", "a b", topic="a-control", status_topic="a-status")


async def test_missing_topic_and_missing_broker_are_said_at_the_start(bootstrap: str):
    absent = await new_service(bootstrap, topics=False)
    with pytest.raises(ConfigurationError, match="does not exist"):
        async with Control(bootstrap, absent.group, trusted_keys=absent.keys):
            pass
    with pytest.raises(TransportError):
        async with Control("127.0.0.1:1", absent.group, trusted_keys=absent.keys, timeout_s=2.0):
            pass
