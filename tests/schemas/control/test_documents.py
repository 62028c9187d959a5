"""The JSON Schemas of the control and status topics: what they take is what the code takes."""

import copy
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from penstock.schemas.control.command import decode_command
from penstock.schemas.control.documents import json_schema
from penstock.schemas.control.fold import ControlRecord
from penstock.schemas.control.refusals import CommandRefused
from penstock.schemas.control.snapshot import read_snapshot
from penstock.schemas.control.status import decode_status
from tests.schemas.control.writing import CLUSTER, GROUP, IRIS, ROOT, document, spec_of_key, trust

VALIDATORS = {name: Draft202012Validator(json_schema(name)) for name in ("command", "status", "snapshot")}
SPECS: dict[str, dict[str, Any]] = {
    "deployment/iris": {
        "versions": [{"version": "1", "weight": 2.5}, {"version": "latest", "weight": 0}],
        "salt": "s",
        "shadows": [{"version": "3", "share": 0.5, "topic": "shadows"}],
        "batching": {"max_rows": 10, "max_delay_s": 0.5},
        "not_finite": "refuse",
        "signature_may_change": True,
    },
    "throttle/global": {"rows_per_s": 0, "burst": None, "on_excess": "reject"},
    "throttle/tenant:Zürich": {"rows_per_s": 1e9, "burst": 0.5},
    "lane/in.put": {"state": "draining", "weight": 1000},
    "key/anna": spec_of_key(ROOT, "throttle/*", "key/carl"),
}
COMMANDS = [
    *(document(resource, spec, 1, reason="why") for resource, spec in SPECS.items()),
    *(document(resource, None, 2**53) for resource in SPECS),
    {**document("deployment/iris", None, 3), "spec": None},
]
ENTRY = {"sequence": 4, "offset": 2, "id": "command-1", "issuer": "anna", "key": "root", "time": 5, "reason": ""}
SNAPSHOT = {
    "penstock": "snapshot/1",
    "cluster": CLUSTER,
    "group": GROUP,
    "id": "snapshot-1",
    "epoch": 9,
    "time": 3,
    "state": [
        *({"resource": resource, **ENTRY, "spec": spec} for resource, spec in SPECS.items()),
        {
            "resource": "deployment/wine",
            **ENTRY,
            "spec": None,
            "past": [{"offset": 0, "spec": None}, {"offset": 1, "spec": SPECS["deployment/iris"]}],
        },
        {"resource": "lane/gone", **ENTRY, "key": "", "spec": None},
    ],
}
STATUS = {
    "penstock": "status/1",
    "worker": "w-1",
    "started": 1,
    "time": 2,
    "interval_s": 1.0,
    "state": "running",
    "epoch": -1,
    "digest": "00",
    "pending": ["lane/in"],
    "model_bytes": 5,
    "rss_bytes": 6,
    "partitions": 2,
    "refused": [{"offset": 4, "id": "", "resource": "lane/in", "code": "EXPIRED", "reason": "late"}],
    "failed": [{"offset": 3, "resource": "deployment/iris", "reason": "no such version"}],
    "versions": [{"model": "iris", "version": "1", "state": "serving", "share": 0.5, "bytes": 3}],
    "demand": {"global": {"rows_per_s": 1.5, "granted_per_s": 2.0, "waiting": 1}},
    "lanes": {"in": "paused"},
}


def says(name: str, written: Any) -> bool:
    return bool(VALIDATORS[name].is_valid(orjson.loads(orjson.dumps(written))))


def takes(name: str, written: Any) -> bool:
    """Whether the reader takes it, but for what a schema cannot say."""
    value = orjson.dumps(written)
    try:
        if name == "command":
            decode_command(value)
        elif name == "snapshot":
            service = {**written} if isinstance(written, dict) else {}
            trusted = trust(signing=False)
            object.__setattr__(trusted, "cluster", service.get("cluster"))
            object.__setattr__(trusted, "group", service.get("group"))
            read_snapshot(ControlRecord(2**63, 0, None, value, ()), trusted)
        else:
            return decode_status(value) is not None
    except CommandRefused as refused:
        return "is there twice" in refused.message
    return True


@pytest.mark.parametrize("name", VALIDATORS)
def test_the_schema_is_one(name):
    Draft202012Validator.check_schema(json_schema(name))
    assert json_schema(name)["$id"] == f"urn:penstock:{name}:1"
    assert "title" not in str(json_schema(name)["properties"])


@pytest.mark.parametrize(
    ("name", "written"), [*(("command", each) for each in COMMANDS), ("snapshot", SNAPSHOT), ("status", STATUS)]
)
def test_what_is_right_is_taken_by_both(name, written):
    assert [error.message for error in VALIDATORS[name].iter_errors(written)] == []
    assert takes(name, written)


@pytest.mark.parametrize(
    "wrong",
    [
        document("deployment/iris", SPECS["throttle/global"], 1),
        document("throttle/global", SPECS["deployment/iris"], 1),
        document("throttle/all", {"rows_per_s": 1}, 1),
        document("throttle/tenant:", {"rows_per_s": 1}, 1),
        document("throttle/global", {"rows_per_s": -1}, 1),
        document("throttle/global", {"rows_per_s": 1e30}, 1),
        document("deployment/iris", None, 1, action="set"),
        document("deployment/iris", IRIS, 1, action="remove"),
        document("deployment/../../x", IRIS, 1),
        document("deployment/iris", {"versions": [{"version": "1", "weight": 0}]}, 1),
        document("deployment/iris", IRIS, 0),
    ],
)
def test_what_is_wrong_is_taken_by_neither(wrong):
    assert not says("command", wrong)
    assert not takes("command", wrong)


# Left out is what the two see differently: 1.0 is a whole number for JSON Schema, and Python's $ passes over a last LF.
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\n"), max_size=6)
NAMES = st.sampled_from(["set", "remove", "lane/in", "key/a", "deployment/b", "iris", "1", "a" * 600, "0" * 64])
NUMBERS = st.integers(-(2**63), 2**63 - 1) | st.floats(-1e12, 1e12).filter(lambda number: not number.is_integer())
SMALL = st.none() | st.booleans() | st.integers(-2, 3) | NUMBERS | TEXTS | NAMES
VALUES = SMALL | st.lists(SMALL, max_size=2) | st.dictionaries(NAMES, SMALL, max_size=2)


def places(written: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The way to each member and item."""
    inside = written.items() if isinstance(written, dict) else enumerate(written if isinstance(written, list) else ())
    return [way for name, value in inside for way in ((*path, name), *places(value, (*path, name)))]


@st.composite
def changed(draw, written: Any) -> Any:
    """A document with a member changed, left out or added."""
    written = copy.deepcopy(written)
    for *path, name in draw(st.lists(st.sampled_from(places(written)), min_size=1, max_size=2)):
        holder = written
        try:
            for step in path:
                holder = holder[step]
            what = draw(st.sampled_from(["change", "change", "leave out", "add"]))
            if what == "change":
                holder[name] = draw(VALUES)
            elif what == "leave out":
                del holder[name]
            elif isinstance(holder, dict):
                holder[draw(TEXTS)] = draw(VALUES)
        except (KeyError, IndexError, TypeError):  # an earlier change has taken it away
            continue
    return written


@given(st.sampled_from(COMMANDS).flatmap(changed))
@settings(max_examples=120, deadline=None)
def test_a_command_is_taken_by_both_or_by_neither(written):
    assert says("command", written) == takes("command", written)


@given(changed(SNAPSHOT))
@settings(max_examples=60, deadline=None)
def test_a_snapshot_is_taken_by_both_or_by_neither(written):
    assert says("snapshot", written) == takes("snapshot", written)


@pytest.mark.parametrize("past", [{"offset": 1, "spec": IRIS}, {"offset": 1, "spec": None}])
def test_only_a_deployment_has_a_past(past):
    for resource, right in (("lane/gone", False), ("deployment/wine", True)):
        written = {**SNAPSHOT, "state": [{"resource": resource, **ENTRY, "spec": None, "past": [past]}]}
        assert (says("snapshot", written), takes("snapshot", written)) == (right, right)


@given(changed(STATUS))
@settings(max_examples=60, deadline=None)
def test_a_status_is_taken_by_both_or_by_neither(written):
    assert says("status", written) == takes("status", written)
