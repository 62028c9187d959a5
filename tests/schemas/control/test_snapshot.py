"""Snapshots: whoever starts at one knows the same, and only what a root key has signed counts."""

import dataclasses
from typing import Any

import orjson
import pytest

from penstock.schemas.control.fold import ControlRecord, Fold
from penstock.schemas.control.refusals import CommandRefused, RefusalCode
from penstock.schemas.control.resources import Kind, Resource
from penstock.schemas.control.signing import Signer, message
from penstock.schemas.control.snapshot import MAX_SNAPSHOT_BYTES, encode_snapshot, read_snapshot
from penstock.schemas.control.specs import Deployment
from penstock.schemas.control.state import NOTHING
from penstock.schemas.errors import PenstockError
from tests.schemas.control.writing import CLUSTER, GROUP, IRIS, ROOT, Log, read, spec_of_key, trust

ANNA = Signer("anna", b"a" * 32)


@pytest.fixture
def log():
    """Something of each kind, something removed, a key revoked, and a refused command."""
    log = Log(trust(second=(ANNA, ["deployment/*"])))
    shadowed = {
        "versions": [{"version": "1", "weight": 3}, {"version": "2"}],
        "shadows": [{"version": "3", "share": 1.0}],
    }
    log.issue("deployment/iris", shadowed, 1, reason="é \u2028 \U0001f600")
    log.issue("deployment/wine", IRIS, 1)
    log.issue("throttle/tenant:acme", {"rows_per_s": 1e9, "burst": 0.1}, 4)
    log.issue("lane/in", {"state": "paused"}, 2)
    log.issue("key/anna", spec_of_key(ANNA, "lane/*"), 1)
    log.issue("deployment/wine", None, 2)
    log.issue("key/anna", None, 2)
    log.issue("lane/in", {"state": "running"}, 2)
    return log


def code_of(record, trusted):
    with pytest.raises(CommandRefused) as refused:
        read_snapshot(record, trusted)
    return refused.value.code


def test_a_snapshot_holds_all_that_is_known(log):
    state = log.state
    record = log.snapshot()
    restored = read_snapshot(record, log.trust)
    assert (restored.epoch, restored.digest()) == (state.epoch, state.digest()) == (7, restored.digest())
    assert dict(restored.entries) == dict(state.entries)
    assert restored.entries[Resource(Kind.KEY, "anna")].spec is None


def test_a_snapshot_tells_what_a_model_was_to_do_before(log):
    entry = read_snapshot(log.snapshot(), log.trust).entries[Resource(Kind.DEPLOYMENT, "wine")]
    assert [(each.offset, each.spec) for each in entry.past] == [(1, Deployment.model_validate(IRIS))]


def test_a_snapshot_of_an_older_penstock_is_read_and_its_digest_says_that_something_is_missing(log):
    older = resigned(log.snapshot(), lambda it: [each.pop("past", None) for each in it["state"]])
    restored = read_snapshot(older, log.trust)
    assert restored.deployments().keys() == log.state.deployments().keys()
    assert restored.digest() != log.state.digest()


def test_a_snapshot_says_of_a_spec_what_the_command_said(log):
    said = {orjson.loads(each.value)["resource"]: orjson.loads(each.value).get("spec") for each in log.records[:7]}
    assert {each["resource"]: each["spec"] for each in orjson.loads(log.snapshot().value)["state"]} == said


def test_who_starts_at_a_snapshot_judges_what_follows_as_everybody_does(log):
    start = read_snapshot(log.snapshot(), log.trust)
    log.issue("deployment/wine", IRIS, 2)  # of a sequence that was used up
    log.issue("key/anna", spec_of_key(ANNA, "lane/*"), 3)  # of a revoked id
    log.issue("deployment/wine", IRIS, 3)
    late = read(log.records[start.epoch + 1 :], log.trust, start)
    assert (late.epoch, late.digest()) == (log.state.epoch, log.state.digest())
    assert read(log.records, log.trust, start).digest() == log.state.digest()


def test_what_came_between_its_epoch_and_its_own_place_is_not_lost(log):
    earlier = log.state
    log.issue("deployment/late", IRIS, 1)
    start = read_snapshot(log.snapshot(state=earlier), log.trust)
    assert read(log.records[start.epoch + 1 :], log.trust, start).digest() == log.state.digest()


def test_a_snapshot_changes_nothing_where_it_is_read_in_turn(log):
    before = log.state
    record = log.snapshot(by=None)
    assert log.state.epoch == record.offset
    assert log.state.digest() == before.digest()


def test_a_snapshot_and_its_digest_are_the_same_bytes_whoever_writes_it(log):
    again = read(log.records, log.trust)
    facts: dict[str, Any] = {"cluster": CLUSTER, "group": GROUP, "id_": "snapshot-1", "time_ms": 5}
    assert encode_snapshot(again, ROOT, **facts) == encode_snapshot(log.state, ROOT, **facts)


def test_only_a_root_key_that_may_signs_snapshots(log):
    log.issue("key/carl", spec_of_key(ANNA, "*"), 1)
    assert code_of(log.snapshot(Signer("carl", b"a" * 32)), log.trust) is RefusalCode.UNKNOWN_KEY
    assert code_of(log.snapshot(Signer("second", b"a" * 32)), log.trust) is RefusalCode.OUT_OF_SCOPE
    assert code_of(log.snapshot(Signer("root", b"a" * 32)), log.trust) is RefusalCode.BAD_SIGNATURE
    assert code_of(log.snapshot(None), log.trust) is RefusalCode.UNSIGNED
    allowed = trust(second=(ANNA, ["snapshot"]))
    assert read_snapshot(log.snapshot(Signer("second", b"a" * 32)), allowed).digest() == log.state.digest()


def test_without_signing_any_snapshot_of_the_service_counts(log):
    record = log.snapshot(None)
    assert read_snapshot(record, trust(signing=False)).digest() == log.state.digest()
    assert code_of(log.snapshot(None, group="another"), trust(signing=False)) is RefusalCode.WRONG_SERVICE


@pytest.mark.parametrize("changed", [{"cluster": "another"}, {"group": "another"}])
def test_a_snapshot_of_another_service_is_passed_over(log, changed):
    assert code_of(log.snapshot(**changed), log.trust) is RefusalCode.WRONG_SERVICE


def resigned(record, change):
    """The snapshot with a change in its document, signed again by the root key."""
    document = orjson.loads(record.value)
    change(document)
    value = orjson.dumps(document)
    facts = [document.get(name) for name in ("cluster", "group", "id", "epoch", "time")]
    headers = ROOT.sign_message(message(value, "penstock-snapshot/1", *facts))
    return dataclasses.replace(record, value=value, headers=headers)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda it: it.update(epoch=8), RefusalCode.OUT_OF_SEQUENCE),
        (lambda it: it.update(epoch=-1), RefusalCode.NO_COMMAND),
        (lambda it: it.pop("state"), RefusalCode.NO_COMMAND),
        (lambda it: it.update(colour=1), RefusalCode.UNSUPPORTED),
        (lambda it: it["state"][0].update(colour=1), RefusalCode.UNSUPPORTED),
        (lambda it: it["state"][0]["spec"].update(colour=1), RefusalCode.UNSUPPORTED),
        (lambda it: it["state"][0].update(resource="shard/1"), RefusalCode.UNSUPPORTED),
        (lambda it: it["state"][0].update(spec={"versions": []}), RefusalCode.BAD_SPEC),
        (lambda it: it["state"][0].update(offset=8), RefusalCode.BAD_SPEC),
        (lambda it: it["state"].append(it["state"][0]), RefusalCode.BAD_SPEC),
        (lambda it: it["state"][1]["past"].append(it["state"][1]["past"][0]), RefusalCode.BAD_SPEC),
        (lambda it: it["state"][1]["past"][0].update(offset=5), RefusalCode.BAD_SPEC),
        (lambda it: it["state"][1]["past"][0]["spec"].update(colour=1), RefusalCode.UNSUPPORTED),
        (lambda it: it["state"][2].update(past=[{"offset": 0, "spec": None}]), RefusalCode.BAD_SPEC),
        (lambda it: it.update(penstock="snapshot/2"), RefusalCode.NO_COMMAND),
    ],
)
def test_a_snapshot_that_cannot_be_is_passed_over_though_it_is_signed(log, change, code):
    record = log.snapshot()
    assert read_snapshot(resigned(record, lambda it: it), log.trust).digest() == log.state.digest()
    assert code_of(resigned(record, change), log.trust) is code


@pytest.mark.parametrize("value", [None, b"", b"{}", b'{"penstock":"snapshot/1",', b'{"penstock":"snapshot/1","a":1}'])
def test_what_is_no_snapshot_is_passed_over(log, value):
    assert code_of(ControlRecord(9, 0, None, value, ()), log.trust) in (RefusalCode.NO_COMMAND, RefusalCode.UNSUPPORTED)


def test_one_changed_byte_anywhere_makes_it_void(log):
    record = log.snapshot()
    for place in range(0, len(record.value), 7):
        value = bytearray(record.value)
        value[place] ^= 1
        with pytest.raises(CommandRefused):
            read_snapshot(dataclasses.replace(record, value=bytes(value)), log.trust)


def test_a_snapshot_may_be_larger_than_a_command_but_fits_a_record():
    log = Log(trust(signing=False))
    for number in range(700):
        log.issue(f"deployment/model-{number}", IRIS, 1, reason="x" * 400)
    record = log.snapshot(None)
    assert record.value is not None
    assert 64 * 1024 < len(record.value) < MAX_SNAPSHOT_BYTES
    assert read_snapshot(record, log.trust).digest() == log.state.digest()
    for number in range(700, 1700):
        log.issue(f"deployment/model-{number}", IRIS, 1, reason="x" * 400)
    with pytest.raises(PenstockError, match="at most 900000"):
        log.snapshot(None)
    huge = dataclasses.replace(record, value=record.value + b" " * MAX_SNAPSHOT_BYTES)
    assert code_of(huge, log.trust) is RefusalCode.NO_COMMAND


def test_before_anything_was_read_there_is_no_snapshot():
    with pytest.raises(PenstockError, match="nothing has been read"):
        encode_snapshot(NOTHING, None, cluster=CLUSTER, group=GROUP, id_="snapshot-1", time_ms=0)


def test_a_snapshot_of_less_than_is_known_is_not_gone_back_to(log):
    earlier = read_snapshot(log.snapshot(), log.trust)
    log.issue("deployment/late", IRIS, 1)
    known = log.state
    assert [log.fold.restore(each) for each in (earlier, known, None)] == [False] * 3
    assert log.state.digest() == known.digest()
    assert Fold(log.trust).restore(earlier)
