"""Which commands change what is wanted, and why the others do not."""

import orjson
import pytest

from penstock.schemas.control.command import KEY_HEADER, MAX_COMMAND_BYTES, SIGNATURE_HEADER
from penstock.schemas.control.refusals import RefusalCode
from penstock.schemas.control.resources import GLOBAL, Kind, Resource, Scope
from penstock.schemas.control.signing import Signer
from penstock.schemas.control.specs import Throttle
from tests.schemas.control.writing import EXPIRES_MS, IRIS, ROOT, Log, document, read, signed, spec_of_key, trust

STRANGER = Signer("stranger", bytes(32))
VALUE = orjson.dumps(document("deployment/iris", IRIS, 2))
SIGNED = signed(VALUE, ROOT)


@pytest.fixture
def log():
    """A log whose first command has been accepted."""
    log = Log()
    assert log.issue("deployment/iris", {"versions": [{"version": "0"}]}, 1).refused is None
    return log


def refused(log, value, headers=None, **more):
    """Append a record that must change nothing but the epoch; return why."""
    before = log.state
    verdict = log.append(value, SIGNED if headers is None else headers, **more)
    assert verdict.refused is not None
    assert (log.state.epoch, log.state.digest()) == (verdict.offset, before.digest())
    assert dict(log.state.entries) == dict(before.entries)
    return verdict.refused.code


def test_a_command_that_is_accepted_is_what_is_wanted(log):
    verdict = log.append(VALUE, SIGNED)
    assert (verdict.offset, verdict.refused, verdict.command.id) == (1, None, "command-1")
    (entry,) = log.state.deployments().values()
    assert [each.version for each in entry.spec.versions] == ["1"]
    assert (entry.sequence, entry.offset, entry.key_id, entry.issuer) == (2, 1, "root", "anna")
    assert log.state.epoch == 1


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (None, RefusalCode.NO_COMMAND),
        (b"", RefusalCode.NO_COMMAND),
        (b"null", RefusalCode.NO_COMMAND),
        (b"[" * 60_000, RefusalCode.NO_COMMAND),
        (b"\xff\xfe", RefusalCode.NO_COMMAND),
        (b"{}", RefusalCode.NO_COMMAND),
        (b" " * MAX_COMMAND_BYTES + VALUE, RefusalCode.NO_COMMAND),
        (b"x" * 20_000_000, RefusalCode.NO_COMMAND),
        (VALUE.replace(b"command/1", b"command/2"), RefusalCode.UNSUPPORTED),
        (VALUE.replace(b'"id"', b'"colour":1,"id"'), RefusalCode.UNSUPPORTED),
        (VALUE.replace(b"deployment/", b"shard/"), RefusalCode.UNSUPPORTED),
        (VALUE.replace(b'"spec":{', b'"spec":{"colour":1,'), RefusalCode.UNSUPPORTED),
        (VALUE.replace(b'"sequence":2', b'"sequence":2.5'), RefusalCode.NO_COMMAND),
        (VALUE.replace(b'"sequence":2', b'"sequence":0'), RefusalCode.NO_COMMAND),
        (VALUE.replace(b'"sequence":2', b'"sequence":' + b"9" * 400), RefusalCode.NO_COMMAND),
        (VALUE.replace(b"set", b"remove"), RefusalCode.BAD_SPEC),
        (orjson.dumps(document("deployment/iris", None, 2, action="set")), RefusalCode.BAD_SPEC),
        (orjson.dumps(document("deployment/iris", {"versions": []}, 2)), RefusalCode.BAD_SPEC),
    ],
    ids=lambda value: None if isinstance(value, RefusalCode) else repr(value)[:24],
)
def test_what_is_no_command_is_refused(log, value, code):
    assert refused(log, value) is code


@pytest.mark.parametrize(
    ("rate", "code"),
    [
        (b"-1", RefusalCode.BAD_SPEC),
        (b"1e30", RefusalCode.BAD_SPEC),
        (b"true", RefusalCode.BAD_SPEC),
        (b'"9"', RefusalCode.BAD_SPEC),
        (b"null", RefusalCode.BAD_SPEC),
        (b"NaN", RefusalCode.NO_COMMAND),
        (b"Infinity", RefusalCode.NO_COMMAND),
        (b"1e999", RefusalCode.NO_COMMAND),
    ],
)
def test_a_throttle_is_a_rate_that_can_be(log, rate, code):
    value = orjson.dumps(document("throttle/global", {"rows_per_s": 7}, 1)).replace(b":7}", b":" + rate + b"}")
    assert refused(log, value, signed(value, ROOT)) is code


def test_a_throttle_of_zero_stops_its_scope(log):
    assert log.issue("throttle/global", {"rows_per_s": 0}, 1).refused is None
    assert log.issue("throttle/tenant:acme", {"rows_per_s": 2.5}, 1).refused is None
    specs = {scope: entry.spec for scope, entry in log.state.throttles().items()}
    assert specs == {GLOBAL: Throttle(rows_per_s=0.0), Scope("tenant", "acme"): Throttle(rows_per_s=2.5)}


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ([], RefusalCode.UNSIGNED),
        (SIGNED[:1], RefusalCode.UNSIGNED),
        (SIGNED[1:], RefusalCode.UNSIGNED),
        (SIGNED * 2, RefusalCode.UNSIGNED),
        ([SIGNED[0], (SIGNATURE_HEADER, None)], RefusalCode.UNSIGNED),
        ([SIGNED[0], (SIGNATURE_HEADER, b"\xff" * 128)], RefusalCode.BAD_SIGNATURE),
        ([SIGNED[0], (SIGNATURE_HEADER, b"12")], RefusalCode.BAD_SIGNATURE),
        ([SIGNED[0], (SIGNATURE_HEADER, b"00" * 64)], RefusalCode.BAD_SIGNATURE),
        ([(KEY_HEADER, b"\xff"), SIGNED[1]], RefusalCode.BAD_SIGNATURE),
        ([(KEY_HEADER, b"nobody"), SIGNED[1]], RefusalCode.UNKNOWN_KEY),
        (signed(VALUE, STRANGER), RefusalCode.UNKNOWN_KEY),
        (signed(VALUE, STRANGER, "root"), RefusalCode.BAD_SIGNATURE),
        (signed(VALUE.replace(b'"1"', b'"2"'), ROOT), RefusalCode.BAD_SIGNATURE),
    ],
)
def test_only_what_a_trusted_key_has_signed_counts(log, headers, code):
    assert refused(log, VALUE, headers) is code


def test_a_key_changes_only_what_it_may():
    log = Log(trust(anna=(STRANGER, ["throttle/*", "deployment/w*"])))
    value = VALUE.replace(b"/iris", b"/wine")
    assert refused(log, VALUE, signed(VALUE, STRANGER, "anna")) is RefusalCode.OUT_OF_SCOPE
    assert log.append(value, signed(value, STRANGER, "anna")).refused is None


@pytest.mark.parametrize("member", [{"cluster": "another"}, {"group": "another"}])
def test_a_command_for_another_service_is_refused_whoever_signed_it(log, member):
    value = orjson.dumps(document("deployment/iris", IRIS, 2, **member))
    assert refused(log, value, signed(value, ROOT)) is RefusalCode.WRONG_SERVICE


def test_expiry_is_judged_by_the_time_at_which_the_broker_took_it_in(log):
    assert refused(log, VALUE, at=EXPIRES_MS + 1) is RefusalCode.EXPIRED
    assert log.append(VALUE, SIGNED, at=EXPIRES_MS).refused is None


def test_a_replay_changes_nothing(log):
    log.append(VALUE, SIGNED)
    assert refused(log, VALUE) is RefusalCode.OUT_OF_SEQUENCE
    assert refused(log, log.records[0].value, log.records[0].headers) is RefusalCode.OUT_OF_SEQUENCE


def test_a_removed_resource_keeps_its_sequence(log):
    assert log.issue("deployment/iris", None, 3).refused is None
    assert log.state.deployments() == {}
    assert refused(log, VALUE) is RefusalCode.OUT_OF_SEQUENCE
    assert log.state.entries[Resource(Kind.DEPLOYMENT, "iris")].sequence == 3
    assert log.issue("deployment/iris", IRIS, 4).refused is None


def test_the_records_key_is_its_resource_or_nothing(log):
    assert refused(log, VALUE, key=b"deployment/wine") is RefusalCode.NO_COMMAND
    assert log.append(VALUE, SIGNED, key=b"deployment/iris").refused is None


def test_the_first_rule_that_fails_is_the_reason(log):
    value = orjson.dumps(document("deployment/iris", IRIS, 1, expires=0, cluster="another"))
    assert refused(log, value, []) is RefusalCode.WRONG_SERVICE
    value = orjson.dumps(document("deployment/iris", IRIS, 1, expires=0))
    assert refused(log, value, []) is RefusalCode.UNSIGNED
    assert refused(log, value, signed(value, ROOT)) is RefusalCode.EXPIRED


def test_without_signing_nobody_is_asked_for_a_signature():
    log = Log(trust(signing=False))
    assert log.append(VALUE).refused is None
    assert refused(log, VALUE, []) is RefusalCode.OUT_OF_SEQUENCE
    assert [entry.key_id for entry in log.state.entries.values()] == [""]


def test_a_record_that_was_read_before_is_passed_over(log):
    log.append(VALUE, SIGNED)
    before = log.state
    verdict = log.fold.apply(log.records[0])
    assert (verdict.command, verdict.refused, log.state) == (None, None, before)


def test_a_state_never_changes_however_much_is_read_after_it(log):
    first = log.state
    digest, entries = first.digest(), dict(first.entries)
    states = [log.state for number in range(2, 300) if not log.issue(f"lane/in-{number}", {"weight": 2}, 1).refused]
    assert (first.digest(), dict(first.entries)) == (digest, entries)
    assert [len(state.lanes()) for state in states] == list(range(1, 299))
    assert len({state.digest() for state in states}) == 298
    assert read(log.records, log.trust).digest() == log.state.digest()


def test_nobody_takes_the_last_sequence_of_a_resource_away_from_the_others(log):
    assert log.issue("key/ben", spec_of_key(STRANGER, "lane/*"), 2**53).refused.code is RefusalCode.OUT_OF_SEQUENCE
    assert log.issue("key/ben", spec_of_key(STRANGER, "lane/*"), 1_000_000).refused is None
    assert log.issue("key/ben", None, 2_000_001).refused.code is RefusalCode.OUT_OF_SEQUENCE
    assert log.issue("key/ben", None, 2_000_000).refused is None
