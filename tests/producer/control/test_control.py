"""Orders to a service on a real broker: what is written, and what is known of it."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from penstock.producer.control import ledger
from penstock.producer.control.control import Control
from penstock.producer.control.results import CannotChange, Change, Issued
from penstock.schemas.control.refusals import CommandRefused, RefusalCode
from penstock.schemas.control.signing import Signer
from penstock.schemas.control.specs import Deployment, Lane, Throttle
from tests.transport.control.service import ControlledService, wanted

Open = Callable[..., Awaitable[Control]]


def weights(change: Change) -> dict[str, float]:
    assert isinstance(change.after, Deployment)
    return {each.version: each.weight for each in change.after.versions}


async def test_order_is_signed_accepted_and_seen_by_others(control: Open):
    anna, ben = await control(), await control(issuer="ben")
    issued = await anna.deploy("iris", "4", reason="a better one")
    assert isinstance(issued, Issued)
    assert (issued.offset, issued.before, weights(issued), issued.seen) == (0, None, {"4": 100.0}, -1)
    assert (issued.command.issuer, issued.command.reason, issued.command.sequence) == ("anna", "a better one", 1)
    state = await ben.state()
    entry = state.deployments()["iris"]
    assert (entry.spec, entry.key_id, entry.offset) == (issued.after, "root", 0)
    assert state.digest() == (await anna.state()).digest()
    again = await ben.deploy("iris", "5")
    assert (again.before, again.seen) == (issued.after, 0)


async def test_canary_promotion_and_rollback_follow_the_log(control: Open):
    one = await control()
    await one.deploy("iris", "3", salt="spring")
    assert weights(await one.deploy("iris", "4", canary=10)) == {"3": 90.0, "4": 10.0}
    assert weights(await one.deploy("iris", "4", canary=60)) == {"3": 40.0, "4": 60.0}
    promoted = await one.promote("iris")
    assert weights(promoted) == {"4": 100.0}
    assert isinstance(promoted.after, Deployment)
    assert promoted.after.salt == "spring"
    assert weights(await one.rollback("iris", dry_run=True)) == {"3": 40.0, "4": 60.0}
    back = await one.rollback("iris", stable=True)
    assert weights(back) == {"3": 100.0}
    assert weights(await one.rollback("iris")) == {"4": 100.0}
    gone = await one.undeploy("iris")
    assert gone.after is None
    assert (await one.state()).deployments() == {}
    with pytest.raises(CannotChange, match="no deployment"):
        await one.promote("iris")
    with pytest.raises(CannotChange, match="nothing is asked of deployment/iris"):
        await one.undeploy("iris")
    assert weights(await one.rollback("iris")) == {"4": 100.0}


async def test_dry_run_judges_and_writes_nothing(control: Open, service: ControlledService):
    one = await control()
    change = await one.throttle("model:iris", 200, on_excess="reject", dry_run=True)
    assert not isinstance(change, Issued)
    assert change.after == Throttle(rows_per_s=200.0, on_excess="reject")
    with pytest.raises(CommandRefused, match="BAD_SPEC"):
        await one.throttle("model:iris", -1, dry_run=True)
    with pytest.raises(ValueError, match="dry run"):
        await one.wait(change)
    assert (await one.state()).epoch == -1


async def test_throttles_lanes_and_keys_are_set_and_taken_away(control: Open):
    one = await control()
    await one.throttle("tenant:acme", 50.0, burst=100)
    await one.lane("requests", "paused", 3)
    kept = await one.lane("requests", "running")
    assert kept.after == Lane(state="running", weight=3)
    await one.unthrottle("tenant:acme")
    state = await one.state()
    assert state.throttles() == {}
    assert list(state.lanes()) == ["requests"]
    with pytest.raises(CannotChange, match="no scope: global, model:NAME"):
        await one.throttle("everybody", 1.0)


async def test_key_that_the_log_trusts_may_do_what_its_scopes_say(control: Open):
    root = await control()
    ben = Signer.generate("ben")
    await root.trust("ben", ben.public_hex, ["throttle/*"])
    by_ben = await control(ben)
    await by_ben.throttle("global", 10.0)
    with pytest.raises(CommandRefused) as caught:
        await by_ben.deploy("iris", "4")
    assert caught.value.code is RefusalCode.OUT_OF_SCOPE
    await root.revoke("ben")
    with pytest.raises(CommandRefused) as caught:
        await by_ben.throttle("global", 20.0)
    assert caught.value.code is RefusalCode.UNKNOWN_KEY
    assert len(await root.log()) == 3  # what nobody would follow was not written


async def test_calls_of_one_control_wait_for_each_other(control: Open):
    one = await control()
    issued = await asyncio.gather(*(one.throttle("global", float(rate)) for rate in range(1, 6)))
    assert sorted((each.seen, each.offset) for each in issued) == [(-1, 0), (0, 1), (1, 2), (2, 3), (3, 4)]


async def test_log_tells_what_was_refused_too_and_the_newest_last(control: Open, service: ControlledService):
    one = await control()
    await one.throttle("global", 1.0)
    await service.write(service.command("throttle/global", wanted(2)), (b"x", b"no command"))
    await one.throttle("global", 3.0)
    verdicts = await one.log()
    assert [verdict.offset for verdict in verdicts] == [0, 1, 2, 3]
    assert [verdict.refused and verdict.refused.code.value for verdict in verdicts] == [
        None, "UNSIGNED", "NO_COMMAND", None,
    ]  # fmt: skip
    assert [verdict.offset for verdict in await one.log(2)] == [2, 3]
    assert await one.log(0) == []


async def test_snapshot_is_written_when_one_is_due_and_only_by_a_root_key(
    control: Open, service: ControlledService, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(ledger, "SNAPSHOT_EVERY", 4)
    root = await control()
    ben = Signer.generate("ben")
    await root.trust("ben", ben.public_hex, ["*"])
    by_ben = await control(ben)
    for rate in range(1, 6):
        await by_ben.throttle("global", float(rate))
    assert (await root.state()).epoch == 5
    await root.deploy("iris", "4")  # its snapshot is offset 7
    late = await control()
    assert (await late.state()).epoch == 7
    _, log, _ = await signed(service).fold()
    assert log.snapshot is not None
    assert log.snapshot.epoch == 6
    assert (await late.state()).digest() == (await root.state()).digest()
    await root.deploy("iris", "5")
    assert (await root.state()).epoch == 8  # none is due yet
    assert weights(await late.rollback("iris")) == {"4": 100.0}  # known from before the snapshot
    assert len(await late.log()) == 9


async def test_snapshot_may_be_asked_for_with_a_key_that_workers_trust_for_it(
    control: Open, service: ControlledService
):
    root = await control()
    ben = Signer.generate("ben")
    await root.trust("ben", ben.public_hex, ["*"])
    assert await root.snapshot() == 1
    _, log, _ = await signed(service).fold()
    assert log.snapshot is not None
    assert log.snapshot.digest() == (await root.state()).digest()
    with pytest.raises(CommandRefused, match=r"control\.trusted_keys") as refused:
        await (await control(ben)).snapshot()
    assert refused.value.code is RefusalCode.OUT_OF_SCOPE


def signed(service: ControlledService) -> ControlledService:
    return replace(service, signing=True)


async def test_with_signing_off_no_key_is_needed(control: Open, service: ControlledService):
    one = await control(None, trusted_keys=None, signing="off")
    await service.write(*service.throttles(3))
    await one.deploy("iris", "4")
    assert (await one.state()).deployments()["iris"].key_id == ""
