"""Any mixture of good, forged, replayed, late and foreign records and snapshots: everybody who reads it agrees.

The model here decides by what is known of how a record was made, and neither reads records nor checks signatures.
"""

from dataclasses import dataclass, field
from typing import Any

import orjson
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from penstock.schemas.control.refusals import CommandRefused
from penstock.schemas.control.signing import Signer
from penstock.schemas.control.snapshot import read_snapshot
from penstock.schemas.control.state import ControlState
from tests.schemas.control.writing import EXPIRES_MS, IRIS, ROOT, Log, document, read, signed, spec_of_key, trust

SECOND = Signer("second", b"2" * 32)
SIGNERS = {"root": ROOT, "second": SECOND, **{name: Signer(name, name.encode() * 16) for name in ("k1", "k2")}}
RESOURCES = ["deployment/iris", "deployment/wine", "throttle/global", "lane/in"]
SPECS: dict[str, Any] = {
    "deployment": [IRIS, {"versions": [{"version": "1", "weight": 9}, {"version": "2"}]}],
    "throttle": [{"rows_per_s": 0.0}, {"rows_per_s": 5.0, "on_excess": "reject"}],
    "lane": [{}, {"state": "paused"}],
}
SCOPES = ["*", "deployment/*", "deployment/iris", "throttle/*", "key/*", "key/k1", "snapshot"]
EVERYTHING = [*RESOURCES, *(f"key/{name}" for name in SIGNERS), "snapshot", "deployment/", "key/"]


def covered(scopes):
    """What scopes take, of all there is; each ends in its star."""
    return [
        {each for each in EVERYTHING if each == scope or (scope.endswith("*") and each.startswith(scope[:-1]))}
        for scope in scopes
    ]


@dataclass
class Expected:
    """What must come out."""

    entries: dict[str, Any] = field(default_factory=dict)  # resource -> (sequence, spec)
    keys: dict[str, Any] = field(
        default_factory=lambda: {"root": (ROOT, ["*"]), "second": (SECOND, ["deployment/*", "key/k1"])}
    )
    revoked: set[str] = field(default_factory=set)

    def take(self, resource, spec, sequence, signer, claimed, faultless, gives=None):
        """Tell whether a command is accepted, and remember it then. `gives`: a signer and scopes, of a new key."""
        own, scopes = self.keys.get(claimed, (None, []))
        allowed = own is signer and any(resource in each for each in covered(scopes))
        given = covered(gives[1]) if gives else []
        allowed = allowed and all(any(each <= mine for mine in covered(scopes)) for each in given)
        if not faultless or not allowed or sequence <= self.entries.get(resource, (0, None))[0]:
            return False
        kind, _, name = resource.partition("/")
        if kind == "key":
            if spec is not None and name in self.revoked:
                return False
            if spec is None:
                self.revoked.add(name)
                self.keys.pop(name, None)
            else:
                self.keys[name] = gives
        self.entries[resource] = (sequence, spec)
        return True


class Reading(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.log = Log(trust(second=(SECOND, ["deployment/*", "key/k1"])))
        self.expected = Expected()
        self.issued: list[Any] = []  # what replays need: the record, and the model's view of it
        self.good_snapshots: list[Any] = []

    def _next(self, resource, step):
        return max(1, self.expected.entries.get(resource, (0, None))[0] + step)

    def _append(self, resource, spec, sequence, by, claimed, fault, gives=None):
        value = orjson.dumps(document(resource, spec, sequence, **fault.get("document", {})))
        headers = signed(value, SIGNERS[by], claimed)
        if fault.get("tampered"):
            value = value.replace(b'"issuer":"anna"', b'"issuer":"anne"')
        lasting = bool(fault.get("document") or fault.get("tampered"))
        self._put(value, headers, (resource, spec, sequence, SIGNERS[by], claimed, not lasting, gives), fault)

    def _put(self, value, headers, facts, fault):
        """Append a record with a fault that is none of the value's: it may come again without it."""
        before = self.log.state.digest()
        resource, spec, sequence, signer, claimed, faultless, gives = facts
        late_ms, unsigned = fault.get("late", 0), fault.get("unsigned")
        verdict = self.log.append(value, [] if unsigned else headers, at=EXPIRES_MS + late_ms)
        accepted = self.expected.take(
            resource, spec, sequence, signer, claimed, faultless and not late_ms and not unsigned, gives
        )
        assert (verdict.refused is None) == accepted, verdict.refused
        assert (self.log.state.digest() != before) == accepted
        self.issued.append((value, headers, facts))

    faults = st.sampled_from(
        [{}] * 12
        + [{"tampered": True}, {"unsigned": True}, {"late": 1}]
        + [{"document": {"cluster": "other"}}, {"document": {"group": "other"}}, {"document": {"expires": 1}}]
    )
    steps = st.sampled_from([1, 1, 1, 5, 0, -1])
    names = st.sampled_from([*SIGNERS, "root", "root"])

    @rule(resource=st.sampled_from(RESOURCES), which=st.sampled_from([0, 1, None]), step=steps, by=names, fault=faults)
    def issue(self, resource, which, step, by, fault):
        spec = None if which is None else SPECS[resource.partition("/")[0]][which]
        self._append(resource, spec, self._next(resource, step), by, by, fault)

    @rule(resource=st.sampled_from(RESOURCES), by=names, claimed=names)
    def forge(self, resource, by, claimed):
        spec = SPECS[resource.partition("/")[0]][0]
        self._append(resource, spec, self._next(resource, 1), by, claimed, {})

    @rule(
        name=st.sampled_from(["k1", "k2", "k1"]),
        holder=st.sampled_from(["k1", "k2"]),
        scopes=st.lists(st.sampled_from(SCOPES), min_size=1, max_size=3),
        by=st.sampled_from(["root", "second", "root", "k1"]),
        step=steps,
        fault=faults,
    )
    def add_key(self, name, holder, scopes, step, by, fault):
        gives = (SIGNERS[holder], scopes)
        spec = spec_of_key(SIGNERS[holder], *scopes)
        self._append(f"key/{name}", spec, self._next(f"key/{name}", step), by, by, fault, gives)

    @rule(name=st.sampled_from(["k1", "k2", "second", "root"]), step=steps, by=st.sampled_from(["root", "root", "k1"]))
    def revoke(self, name, step, by):
        self._append(f"key/{name}", None, self._next(f"key/{name}", step), by, by, {})

    @rule(data=st.data())
    def replay(self, data):
        if self.issued:
            value, headers, facts = data.draw(st.sampled_from(self.issued))
            self._put(value, headers, facts, {})

    @rule(value=st.sampled_from([None, b"", b"{}", b"\xff", b'{"penstock":"snapshot/1",', b"x" * 70_000]))
    def junk(self, value):
        before = self.log.state.digest()
        self.log.append(value)
        assert self.log.state.digest() == before

    @rule(by=st.sampled_from([ROOT, SECOND, SIGNERS["k1"], None]), forged=st.booleans())
    def snapshot(self, by, forged):
        if self.log.state.epoch >= 0:
            state = ControlState(self.log.state.epoch, {}) if forged else self.log.state
            record = self.log.snapshot(by, state)
            if by is not ROOT:
                try:
                    read_snapshot(record, self.log.trust)
                except CommandRefused:
                    return
                raise AssertionError("a snapshot that no root key with the scope has signed")
            if not forged:  # one that a root key has forged is believed: that is what a root key is
                self.good_snapshots.append(record)

    @invariant()
    def what_is_wanted_is_what_was_accepted(self):
        state = self.log.state
        assert {str(about): entry.sequence for about, entry in state.entries.items()} == {
            resource: sequence for resource, (sequence, _) in self.expected.entries.items()
        }
        wanted = {resource: spec for resource, (_, spec) in self.expected.entries.items()}
        found = {str(about): entry.spec for about, entry in state.entries.items()}
        for resource, spec in wanted.items():
            assert (found[resource] is None) == (spec is None)
            said = found[resource]
            assert said is None or orjson.loads(said.model_dump_json(exclude_unset=True)) == spec

    def teardown(self):
        records, whole = self.log.records, self.log.state.digest()
        assert read(records, self.log.trust).digest() == whole
        for record in self.good_snapshots:
            start = read_snapshot(record, self.log.trust)
            late = read(records[start.epoch + 1 :], self.log.trust, start)
            assert (late.epoch, late.digest()) == (self.log.state.epoch, whole)
            assert dict(late.entries) == dict(self.log.state.entries)


Reading.TestCase.settings = settings(max_examples=50, stateful_step_count=30, deadline=None)
TestReading = Reading.TestCase
