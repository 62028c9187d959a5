"""Keys that come and go in the log: each counts from its place on, and never again once it is revoked."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.schemas.control.refusals import RefusalCode
from penstock.schemas.control.signing import Signer
from tests.schemas.control.writing import IRIS, ROOT, Log, key_of, read, spec_of_key, trust

ANNA = Signer("anna", b"a" * 32)
ANNAS_NEXT = Signer("anna", b"b" * 32)
CARL = Signer("carl", b"c" * 32)


def code(verdict):
    return None if verdict.refused is None else verdict.refused.code


@pytest.fixture
def log():
    return Log()


def test_a_key_counts_from_its_place_in_the_log_on(log):
    assert code(log.issue("deployment/iris", IRIS, 1, ANNA)) is RefusalCode.UNKNOWN_KEY
    assert code(log.issue("key/anna", spec_of_key(ANNA, "deployment/*"), 1)) is None
    assert list(log.state.keys()) == ["anna"]
    assert code(log.issue("deployment/iris", IRIS, 1, ANNA)) is None
    assert code(log.issue("lane/in", {}, 1, ANNA)) is RefusalCode.OUT_OF_SCOPE


def test_what_a_revoked_key_has_done_stays_and_it_does_nothing_more(log):
    log.issue("key/anna", spec_of_key(ANNA, "deployment/*"), 1)
    log.issue("deployment/iris", IRIS, 1, ANNA)
    assert code(log.issue("key/anna", None, 2)) is None
    verdict = log.issue("deployment/iris", None, 2, ANNA)
    assert code(verdict) is RefusalCode.UNKNOWN_KEY
    assert "revoked at offset 2" in verdict.refused.message
    assert list(log.state.deployments()) == ["iris"]
    assert log.state.keys() == {}


def test_a_revoked_id_never_comes_back(log):
    log.issue("key/anna", spec_of_key(ANNA, "deployment/*"), 1)
    log.issue("key/anna", None, 2)
    for sequence, signer in ((3, ANNA), (4, ANNAS_NEXT)):
        assert code(log.issue("key/anna", spec_of_key(signer, "*"), sequence)) is RefusalCode.REVOKED
    assert code(log.issue("deployment/iris", IRIS, 1, ANNA)) is RefusalCode.UNKNOWN_KEY


def test_a_key_that_is_set_again_is_replaced_from_there_on(log):
    log.issue("key/anna", spec_of_key(ANNA, "deployment/*"), 1)
    assert code(log.issue("key/anna", spec_of_key(ANNAS_NEXT, "lane/*"), 2)) is None
    assert code(log.issue("lane/in", {}, 1, ANNA)) is RefusalCode.BAD_SIGNATURE
    assert code(log.issue("lane/in", {}, 1, ANNAS_NEXT)) is None


def test_a_root_key_can_be_revoked_by_another_key(log):
    log.issue("key/anna", spec_of_key(ANNA, "key/*"), 1)
    log.issue("deployment/iris", IRIS, 1, ROOT)
    assert code(log.issue("key/root", None, 1, ANNA)) is None
    assert code(log.issue("deployment/iris", None, 2, ROOT)) is RefusalCode.UNKNOWN_KEY
    assert code(log.issue("key/root", spec_of_key(ROOT, "key/*"), 2, ANNA)) is RefusalCode.REVOKED
    assert list(log.state.deployments()) == ["iris"]
    assert read(log.records, log.trust).digest() == log.state.digest()


def test_a_key_may_revoke_itself(log):
    assert code(log.issue("key/root", None, 1)) is None
    assert code(log.issue("key/root", None, 2)) is RefusalCode.UNKNOWN_KEY


@pytest.mark.parametrize(
    ("own", "given_away", "may"),
    [
        (["key/*", "deployment/*"], ["deployment/*"], True),
        (["key/*", "deployment/*"], ["deployment/iris", "deployment/w*"], True),
        (["key/*", "deployment/*"], ["deployment/*", "lane/in"], False),
        (["key/*", "deployment/*"], ["*"], False),
        (["key/*", "deployment/iris"], ["deployment/*"], False),
        (["key/*"], ["key/*"], True),
        (["key/*"], ["snapshot"], False),
        (["*"], ["snapshot", "*"], True),
        (["key/*", "throttle/tenant:?"], ["throttle/tenant:*"], False),
        (["key/*", "throttle/tenant:[*]"], ["throttle/tenant:*"], False),
    ],
)
def test_a_key_gives_away_only_what_it_has(own, given_away, may):
    log = Log(trust(anna=(ANNA, own)))
    verdict = log.issue("key/carl", spec_of_key(CARL, *given_away), 1, ANNA)
    assert code(verdict) is (None if may else RefusalCode.OUT_OF_SCOPE)


def test_only_a_star_is_a_wildcard():
    key = key_of(ANNA, ["throttle/tenant:a?", "throttle/tenant:[b]"])
    assert key.may_change("throttle/tenant:a?")
    assert key.may_change("throttle/tenant:[b]")
    assert not key.may_change("throttle/tenant:ab")
    assert not key.may_change("throttle/tenant:b")


PATTERNS = st.text("a*?[!]", min_size=1, max_size=4)
FILLINGS = st.lists(st.text("ab*?[!]", max_size=3), min_size=10, max_size=10)


def filled(pattern, fillings):
    """The pattern with something in the place of each star."""
    parts = pattern.split("*")
    return "".join(part + fill for part, fill in zip(parts, [*fillings[: len(parts) - 1], ""], strict=True))


@given(own=PATTERNS, narrower=FILLINGS, resource=FILLINGS)
def test_what_is_narrower_than_a_scope_may_be_given_away(own, narrower, resource):
    scope = filled(own, narrower)
    text = filled(scope, resource * 2)
    if scope:
        assert key_of(ANNA, [own]).may_grant(scope)
        assert key_of(ANNA, [own]).may_change(text)


@given(own=PATTERNS, scope=PATTERNS, resource=FILLINGS)
def test_nothing_that_is_given_away_goes_beyond_what_one_has(own, scope, resource):
    text = filled(scope, resource)
    assert key_of(CARL, [scope]).may_change(text)
    if key_of(ANNA, [own]).may_grant(scope):
        assert key_of(ANNA, [own]).may_change(text)
