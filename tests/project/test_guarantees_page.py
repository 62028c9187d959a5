"""docs/guarantees.md: its deadlines are those of the code, its tests exist, its faults are those of `make chaos`."""

import inspect
import re
from typing import Any

import pytest

from penstock import Client, Control, Worker
from penstock.consumer.control import follower
from penstock.producer import sync
from penstock.producer.sender import RequestSender
from penstock.transport.cluster_reader import ClusterReader
from penstock.transport.group import leave_for
from tests.chaos.faults.catalogue import CATALOGUE
from tests.support.examples import LONG_VARIABLE
from tests.support.frozen.bounds import CLOSE_S, CREATE_S, DISCONNECT_S, ONE_CLIENT_S, TOPICS_S, WHY_S, default
from tests.support.pages import ROOT, Page

PAGE = Page("docs/guarantees.md")
DEADLINES = {row[0]: row[1] for row in PAGE.table("Deadlines")}
FAULTS = PAGE.table("Faults")

WHY = f"{WHY_S:g} s to find out why"
FIXED = {
    "`Client.start`, `RequestSender.start`: the topics": f"{TOPICS_S:g} s, {WHY}, {ONE_CLIENT_S:g} s to disconnect",
    "`Client.start`: the end of its replies": f"`kafka.request_timeout_s`, {2 * ONE_CLIENT_S:g} s to disconnect",
    "`Client.close`": f"{CLOSE_S:g} s;",
    "`SyncClient.predict`": f"the same; {sync._MARGIN_S:g} s later",
    "a worker starts: the topics": f"{TOPICS_S:g} s, {WHY}, {DISCONNECT_S:g} s to disconnect",
    "a worker starts: making topics": f"{CREATE_S:g} s, {WHY}, {DISCONNECT_S:g} s to disconnect",
    "a worker buries": f"each try {CREATE_S:g} s",
    "SIGTERM": f"`worker.shutdown_timeout_s`, 1 s to commit, {DISCONNECT_S:g} s to disconnect",
    "a supervisor takes out a dead member": (
        f"{default(leave_for, 'timeout_s'):g} s, {2 * ONE_CLIENT_S:g} s to disconnect"
    ),
    "a worker follows commands": (
        f"each try {follower._PROBE_TIMEOUT_S:g} s; after {follower._STALE_S:g} s `/health/ready`"
    ),
    "`penstock topics list`": f"{default(ClusterReader.__init__, 'timeout_s'):g} s each call",
}
ARGUMENTS = {
    "`predict`, and each call of `predict_many`": (Client.__init__, "timeout_s"),
    "`RequestSender.send`": (RequestSender.__init__, "timeout_s"),
    "`Worker.start`": (Worker.__init__, "start_timeout_s"),
    "`Control`: each step of an order, or of a look": (Control.__init__, "timeout_s"),
    "`Control.wait`": (Control.wait, "timeout_s"),
}


@pytest.mark.parametrize("operation", FIXED)
def test_a_deadline_that_is_fixed_is_the_one_of_the_code(operation: str) -> None:
    assert DEADLINES[operation].startswith(FIXED[operation])


@pytest.mark.parametrize("operation", ARGUMENTS)
def test_a_deadline_that_is_an_argument_is_told_with_its_default(operation: str) -> None:
    function, argument = ARGUMENTS[operation]
    assert DEADLINES[operation].startswith(f"`{argument}` ({default(function, argument):g} s)")


def test_the_start_of_a_blocking_client_is_bounded_as_told() -> None:
    told = DEADLINES["`SyncClient.start`"]
    assert told == "60 s and `kafka.request_timeout_s`"
    assert "start_within_s = 60.0 + client._kafka.request_timeout_s" in inspect.getsource(Client.sync)


def test_every_fault_has_its_line_and_those_of_the_long_run_say_so() -> None:
    assert [int(row[0]) for row in FAULTS] == list(range(1, 36))
    told = {int(row[0]) for row in FAULTS if "`make chaos`" in row[3]}
    assert told == {planned.make().rank for planned in CATALOGUE}


def test_every_test_that_is_named_is_there() -> None:
    named = {code for code in PAGE.code() if re.fullmatch(r"tests/[\w/]+(\.py|/)", code)}
    assert len(named) > 20
    assert [path for path in sorted(named) if not (ROOT / path).exists()] == []


def test_the_variable_of_the_long_form_is_named() -> None:
    assert LONG_VARIABLE in PAGE.text


def test_figures_of_the_last_run_are_whole_lines_or_none() -> None:
    lines: list[list[Any]] = [row[1:] for row in PAGE.table("The last run")]
    assert len(lines) == 2
    assert all(all(row) or not any(row) for row in lines)
