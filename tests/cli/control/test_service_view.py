"""What `penstock status` makes of the control topic and of what workers say."""

import io
from typing import Any

import pytest
from rich.console import Console

from penstock.cli.control.service_view import ServiceView, view_of
from penstock.cli.control.status_page import document, live_page, print_page
from penstock.schemas.control.resources import parse_resource
from penstock.schemas.control.specs import SPECS
from penstock.schemas.control.state import ControlState, Entry
from penstock.schemas.control.status import WorkerStatus

WANTED = {
    "deployment/iris": {"versions": [{"version": "1", "weight": 9.0}, {"version": "2"}]},
    "throttle/tenant:acme": {"rows_per_s": 100.0},
    "lane/requests": {"state": "paused"},
}


def state(**more: Any) -> ControlState:
    """What is wanted after offset 7."""
    entries = {}
    for number, (name, spec) in enumerate((WANTED | more).items()):
        about = parse_resource(name)
        entries[about] = Entry(SPECS[about.kind].model_validate(spec), 1, number, f"id-{number:08}", "anna", "", 0, "")
    return ControlState(7, entries)


def worker(name: str, **facts: Any) -> WorkerStatus:
    """A worker that has done all that is wanted, but for what is said."""
    said = {
        "worker": name,
        "started": 0,
        "time": 0,
        "interval_s": 1.0,
        "state": "running",
        "epoch": 7,
        "digest": state().digest(),
        "versions": [
            {"model": "iris", "version": "1", "state": "serving", "share": 0.9},
            {"model": "iris", "version": "2", "state": "serving", "share": 0.1},
        ],
        "demand": {"tenant:acme": {"rows_per_s": 170.0, "granted_per_s": 50.0, "waiting": 3}},
        "lanes": {"requests": "paused"},
    }
    return WorkerStatus.model_validate(said | facts)


def view(*statuses: WorkerStatus, silent: tuple[str, ...] = ()) -> ServiceView:
    return view_of("flowers", "flowers-control", state(), statuses, silent)


def drawn(seen: ServiceView) -> str:
    console = Console(file=io.StringIO(), width=100)
    console.print(live_page(seen, "q ends"))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_service_that_does_what_is_wanted_has_no_problems() -> None:
    seen = view(worker("a"), worker("b"))
    assert seen.problems == []
    assert (seen.live, seen.agreed) == (2, True)
    assert [(line.version, line.shares, dict(line.states)) for line in seen.versions] == [
        ("1", (0.9,), {"serving": 2}),
        ("2", (0.1,), {"serving": 2}),
    ]


def test_demand_is_the_sum_over_the_workers() -> None:
    (line,) = view(worker("a"), worker("b")).throttles
    assert (line.scope, line.wanted, line.asked_per_s, line.granted_per_s, line.waiting, line.holders) == (
        "tenant:acme", "100 rows/s", 340.0, 100.0, 6, 2
    )  # fmt: skip


def test_workers_that_read_the_same_and_want_something_else_are_said_first_and_loudly() -> None:
    seen = view(worker("a"), worker("b", digest="0" * 32), worker("c", state="gone"))
    assert seen.problems[0].startswith("WORKERS DISAGREE at epoch 7: digest 00000000 on b; digest ")
    assert "control.trusted_keys" in seen.problems[0]


def test_workers_that_read_less_may_want_something_else() -> None:
    seen = view(worker("a"), worker("b", epoch=5, digest="0" * 32))
    assert seen.problems == []
    assert [line.behind for line in seen.workers] == [0, 2]
    assert not seen.agreed


def test_worker_that_is_gone_does_not_count_and_one_that_stopped_is_not_shown() -> None:
    seen = view(worker("a"), worker("b", state="gone"), worker("c", state="stopped"))
    assert [(line.status.worker, line.gone) for line in seen.workers] == [("a", False), ("b", True)]
    assert dict(seen.versions[0].states) == {"serving": 1}
    assert seen.problems[0].startswith("b is gone: no word from it since ")


def test_member_that_says_nothing_is_named() -> None:
    (problem,) = view(worker("a"), silent=("old-1",)).problems
    assert problem.startswith("old-1: in the group, and silent.")


def test_failures_and_refusals_are_said_with_their_reasons() -> None:
    failed = [{"offset": 6, "resource": "deployment/iris", "reason": "no version 9"}]
    refused = [{"offset": 7, "resource": "deployment/iris", "code": "UNKNOWN_KEY", "reason": "key 'x' is not trusted"}]
    seen = view(worker("a", failed=failed, refused=refused), worker("b", failed=failed, refused=refused))
    assert seen.problems == ["deployment/iris (offset 6) failed on a, b: no version 9"]
    assert seen.refusals == ["offset 7 (deployment/iris) was refused: UNKNOWN_KEY: key 'x' is not trusted"]


@pytest.mark.parametrize("width", ["terminal", "pipe"])
def test_page_has_every_fact(width: str, capsys: pytest.CaptureFixture[str]) -> None:
    seen = view(worker("a"), worker("b", epoch=6, pending=["deployment/iris"]))
    if width == "pipe":
        print_page(seen)
    page = capsys.readouterr().out if width == "pipe" else drawn(seen)
    words = " ".join(page.split())
    assert words.startswith("flowers: 2 live workers; flowers-control: epoch 7, digest ")
    for fact in (
        "b running 6 (1 behind) 0 0 B deployment/iris",
        "deployment/iris",
        "iris@1 90 %, iris@2 10 %",
        "iris 1 90 % serving on 2 of 2",
        "tenant:acme 100 rows/s 340.0 100.0 6 2 of 2",
        "requests paused, weight 1 paused on 2 of 2",
    ):
        assert fact in words, page


def test_page_of_a_service_without_workers_or_commands(capsys: pytest.CaptureFixture[str]) -> None:
    print_page(view_of("flowers", "flowers-control", ControlState(-1, {}), (), ()))
    assert capsys.readouterr().out == "flowers: 0 live workers; flowers-control: no commands yet\n"


def test_document_has_what_the_workers_said() -> None:
    said = document(view(worker("a")))
    assert said["workers"][0]["worker"] == "a"
    assert said["deployments"] == {"iris": "iris@1 90 %, iris@2 10 %"}
    assert said["throttles"][0]["granted_per_s"] == 50.0
