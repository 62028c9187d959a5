"""What goes wrong with commands is told in one to three lines: what happened, and what to do."""

import asyncio
from pathlib import Path

import pytest

from penstock.cli.control.outcome import NotFollowed, ack_line, conclusion, refusal
from penstock.cli.control.unknown import unknown
from penstock.cli.remedies import Own
from penstock.producer.control.results import Ack, Change, Issued
from penstock.schemas.control.command import Command
from penstock.schemas.control.refusals import CommandRefused, RefusalCode
from penstock.schemas.control.resources import parse_resource
from penstock.schemas.control.specs import Deployment, Lane, Throttle
from penstock.schemas.control.status import WorkerStatus
from tests.cli.control.conftest import Service
from tests.support.command import penstock

ONE = Deployment.model_validate({"versions": [{"version": "1"}]})
ON = ("--set", "control.enabled=true", "--set", "worker.group_id=flowers", "-b", "localhost:1")


@pytest.mark.parametrize(
    ("arguments", "cause", "remedy", "status"),
    [
        (("deploy", "iris"), "'iris' is not MODEL@VERSION", "penstock deploy --help", 2),
        (("deploy", "iris@1", "--shadow", "rose@2"), "'rose@2' is of another model", "penstock deploy --help", 2),
        (("throttle", "global"), "say how many rows a second, or --remove", "penstock throttle --help", 2),
        (("keys", "create", "a b"), "is no name of a key", "penstock keys create --help", 2),
        (("status",), "worker.group_id: required", "--set worker.group_id=NAME", 2),
        (("status", "--set", "worker.group_id=a"), "control is not enabled", "control.enabled = true", 2),
        (("deploy", "iris@1", *ON), "no Kafka broker answers", "penstock doctor", 1),
        (("deploy", "iris@1", "--set", "control.key=no.key", *ON), "no.key: there is no such file", "keys create", 2),
    ],
)  # fmt: skip
def test_wrong_use_is_told_with_its_remedy(
    arguments: tuple[str, ...], cause: str, remedy: str, status: int, tmp_path: Path
) -> None:
    (tmp_path / "trusted.toml").write_text(f'[anna]\npublic = "{"0" * 64}"\nscopes = ["*"]\n')
    variables = {"PENSTOCK_CONTROL__TRUSTED_KEYS": tmp_path / "trusted.toml"} if arguments[-1] == ON[-1] else {}
    ran = penstock(*arguments, folder=tmp_path, variables=variables)
    assert (ran.status, ran.out) == (status, ""), ran
    assert cause in ran.err
    assert remedy in ran.err
    assert 1 <= len(ran.lines) <= 3


async def test_who_may_not_or_has_no_key_or_no_topic_is_told_so(service: Service) -> None:
    def operate() -> None:
        forbidden = service("deploy", "iris@1", PENSTOCK_CONTROL__KEY=service.key("ben"))
        assert (forbidden.status, forbidden.out) == (1, "")
        assert forbidden.lines == [
            "penstock: refused, and nothing is changed: OUT_OF_SCOPE: key 'ben' may not change deployment/iris",
            "Who may, is in: penstock keys list",
        ]
        keyless = {name: value for name, value in service.variables.items() if name != "PENSTOCK_CONTROL__KEY"}
        unsigned = penstock("deploy", "iris@1", variables=keyless)
        assert unsigned.status == 2
        assert "`penstock keys create` makes one." in unsigned.lines[-1]

        missing = service("deploy", "iris@1", PENSTOCK_CONTROL__TOPIC="nowhere")
        assert missing.status == 2
        assert "nowhere does not exist" in missing.err
        assert "penstock topics create" in missing.err

        early = service("promote", "iris")
        assert early.status == 1
        assert early.lines == ["penstock: iris has no deployment, so there is no canary to promote"]

    await asyncio.to_thread(operate)


def test_missing_cryptography_is_named_with_its_extra(tmp_path: Path) -> None:
    (tmp_path / "cryptography.py").write_text("raise ImportError('no', name='cryptography')")
    ran = penstock("keys", "create", "anna", folder=tmp_path, variables={"PYTHONPATH": tmp_path})
    assert ran.status == 1
    assert "cryptography" in ran.lines[0]
    assert "[control]" in ran.lines[1]
    assert not (tmp_path / "anna.key").exists()


@pytest.mark.parametrize("code", RefusalCode)
def test_refusal_is_at_most_two_lines_and_names_its_code(code: RefusalCode) -> None:
    lines = str(refusal(CommandRefused(code, "because"), Own())).splitlines()
    assert lines[0] == f"refused, and nothing is changed: {code.value}: because"
    assert len(lines) <= 2


def issued(resource: str = "deployment/iris") -> Issued:
    command = Command.model_construct(id="x" * 8)
    return Issued(parse_resource(resource), None, ONE, offset=3, command=command)


@pytest.mark.parametrize(
    ("kinds", "said"),
    [
        (("applied", "refused"), "b refused it, though it was accepted here: why\n"),
        (("applied", "failed"), "1 of 2 workers could not do it; there what was before goes on.\nTake it back: "),
        (("pending", "silent"), "after 5.0 s a had not done it and b had said nothing."),
    ],
)
def test_order_that_not_everybody_follows_fails_with_what_to_do(kinds: tuple[str, ...], said: str) -> None:
    acks = [Ack(name, kind, "why") for name, kind in zip("ab", kinds, strict=True)]  # type: ignore[arg-type]
    with pytest.raises(NotFollowed) as caught:
        conclusion(issued(), acks, "flowers", 5.0, Own())
    assert str(caught.value).startswith(said)
    assert "penstock " in str(caught.value)


def test_everybody_and_nobody_are_no_failures() -> None:
    both = [Ack("a", "applied"), Ack("b", "applied")]
    assert conclusion(issued(), both, "flowers", 1.0, Own()) == "All 2 workers did it."
    assert conclusion(issued(), [], "flowers", 1.0, Own()).startswith("Nobody is in the group flowers now;")
    assert ack_line(Ack("a", "failed", "why")) == "  a  failed: why"


def test_model_and_topic_that_nobody_has_are_warned_of() -> None:
    versions = [{"model": "rose", "version": "1", "state": "serving"}]
    said = {"worker": "a", "started": 0, "time": 0, "interval_s": 1.0, "state": "running", "epoch": 0, "digest": ""}
    statuses = [WorkerStatus.model_validate(said | {"versions": versions})]

    def warnings(resource: str, after: Deployment | Throttle | Lane) -> list[str]:
        return list(unknown(Change(parse_resource(resource), None, after), statuses, ("requests",)))

    assert warnings("deployment/iris", ONE) == ["No worker has a model iris so far; they have rose. Is its name right?"]
    assert warnings("deployment/rose", ONE) == []
    assert len(warnings("throttle/model:iris", Throttle(rows_per_s=1.0))) == 1
    assert len(warnings("throttle/lane:nowhere", Throttle(rows_per_s=1.0))) == 1
    assert warnings("throttle/tenant:iris", Throttle(rows_per_s=1.0)) == []
    assert warnings("lane/requests", Lane()) == []
