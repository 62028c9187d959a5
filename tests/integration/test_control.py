"""Workers that follow commands, on a real broker: versions are switched while requests flow."""

from pathlib import Path

import pytest

from penstock.producer.control.control import Control
from penstock.schemas.control.snapshot import SNAPSHOT_KEY, encode_snapshot
from penstock.schemas.control.specs import Batching
from penstock.transport.control.appending import append
from penstock.transport.control.topics import cluster_id
from tests.support.adders import BROKEN, FICKLE, SLOW, WIDE, add, adders, commands, settled, traffic, worker
from tests.support.embedding import DOUBLER, client, metric
from tests.support.lane import Lane
from tests.support.waiting import until


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    return adders(tmp_path / "adders")


async def test_versions_are_switched_under_load_and_no_answer_is_lost_or_wrong(lane: Lane, repository: Path) -> None:
    async with worker(lane, repository), commands(lane) as control, traffic(lane) as requests:
        await requests.until_answered_by("1")
        for version in ("2", "3", SLOW):
            issued = await control.deploy("adder", version)
            acks = await control.wait(issued, timeout_s=20)
            assert [ack.kind for ack in acks] == ["applied"]
            await requests.until_answered_by(version)
            await requests.more()
            assert requests.versions[-1] == version
            assert requests.epochs[-1] == issued.offset
        (status,) = await control.status()
        assert [(each.version, each.state, each.share) for each in status.versions] == [(SLOW, "serving", 1.0)]
    assert requests.versions == ["1", "2", "3", SLOW]


async def test_a_canary_gets_its_part_of_the_keys_and_a_pinned_version_answers(lane: Lane, repository: Path) -> None:
    async with worker(lane, repository) as inside, commands(lane) as control, client(lane) as caller:
        issued = await control.deploy("adder", {"1": 3, "2": 1, "3": 0})
        await settled(control, at=issued.offset)
        answers = [await caller.predict("adder", [[0.0]], key=f"key-{number}") for number in range(60)]
        again = [await caller.predict("adder", [[0.0]], key=f"key-{number}") for number in range(60)]
        pinned = await caller.predict("adder", [[0.0]], version="3")
        assert metric(inside, "penstock_model_loaded") == 3
        assert metric(inside, "penstock_model_serving") == 2

    assert [each.version for each in answers] == [each.version for each in again]
    assert 5 <= sum(each.version == "2" for each in answers) <= 25
    assert {each.version for each in answers} == {"1", "2"}
    assert pinned["y"].tolist() == [[3000.0]]


@pytest.mark.parametrize(
    ("version", "why"),
    [
        (BROKEN, "load raised ValueError"),
        (WIDE, "inputs or outputs of version 12 differ from those of 1"),
        (FICKLE, "self-test failed: output 'y' differs between two runs"),
        ("99", "model 'adder' has no '99'"),
    ],
)
async def test_what_cannot_serve_is_failed_and_what_served_goes_on(
    lane: Lane, repository: Path, version: str, why: str
) -> None:
    async with worker(lane, repository) as inside, commands(lane) as control, traffic(lane) as requests:
        issued = await control.deploy("adder", {"2": 1, version: 1})
        (ack,) = await control.wait(issued, timeout_s=20)
        assert (ack.kind, why in ack.reason) == ("failed", True), ack
        await requests.more()
        assert metric(inside, "penstock_control_failed") == 1

        issued = await control.deploy("adder", "3")
        (ack,) = await control.wait(issued, timeout_s=20)
        assert ack.kind == "applied"
        await requests.until_answered_by("3")
        assert metric(inside, "penstock_control_failed") == 0
    assert requests.versions == ["1", "3"]


async def test_what_failed_is_tried_again_and_serves_once_it_can(lane: Lane, repository: Path) -> None:
    async with worker(lane, repository), commands(lane) as control, client(lane) as caller:
        issued = await control.deploy("adder", "4")
        (ack,) = await control.wait(issued, timeout_s=20)
        assert ack.kind == "failed"
        add(repository, "4")

        async def answers() -> bool:
            return (await caller.predict("adder", [[0.0]])).version == "4"

        await until(answers)
        (status,) = await settled(control, at=issued.offset)
        assert status.failed == ()


async def test_a_newer_command_does_not_wait_for_an_older_load(lane: Lane, repository: Path) -> None:
    async with worker(lane, repository), commands(lane) as control, traffic(lane) as requests:
        await requests.until_answered_by("1")
        await control.deploy("adder", SLOW)
        issued = await control.deploy("adder", "2")
        await settled(control, at=issued.offset)
        await requests.until_answered_by("2")
    assert requests.versions == ["1", "2"]


async def test_a_load_that_hangs_is_failed_at_its_deadline_and_does_not_hold_up_other_models(
    lane: Lane, repository: Path
) -> None:
    gate = repository / "gate"
    add(repository, "15", load=f"while not __import__('os').path.exists({str(gate)!r}): time.sleep(0.02)")
    for version in ("1", "2"):
        add(repository, version, model="other")
    async with worker(lane, repository, control__load_timeout_s=1.0) as inside, commands(lane) as control:
        hanging = await control.deploy("adder", "15")
        (ack,) = await control.wait(hanging, timeout_s=20)
        assert (ack.kind, "loading adder@15 took longer than 1 s" in ack.reason) == ("failed", True), ack
        (ack,) = await control.wait(await control.deploy("other", "2"), timeout_s=20)
        assert ack.kind == "applied"
        gate.touch()
        await until(lambda: metric(inside, "penstock_control_failed") == 0)
        (status,) = await settled(control, at=hanging.offset)
    serving = [(each.model, each.version) for each in status.versions if each.state == "serving"]
    assert serving == [("adder", "15"), ("other", "2")]


async def test_what_is_loaded_is_switched_to_while_something_else_loads(lane: Lane, repository: Path) -> None:
    gate = repository / "gate"
    add(repository, "15", load=f"while not __import__('os').path.exists({str(gate)!r}): time.sleep(0.02)")
    async with worker(lane, repository), commands(lane) as control, client(lane) as caller:
        await control.wait(await control.deploy("adder", {"1": 1, "2": 0}), timeout_s=20)
        await control.deploy("adder", "15")

        async def loading() -> bool:
            return any(each.state == "loading" for status in await control.status() for each in status.versions)

        await until(loading, every_s=0.1)
        (ack,) = await control.wait(await control.deploy("adder", {"2": 1}), timeout_s=20)
        assert (ack.kind, (await caller.predict("adder", [[0.0]])).version) == ("applied", "2")
        assert await loading()
        gate.touch()
        (status,) = await settled(control, at=2)
    assert [each.version for each in status.versions if each.state == "serving"] == ["2"]


async def test_a_removed_deployment_goes_back_to_the_settings(lane: Lane, repository: Path) -> None:
    async with worker(lane, repository), commands(lane) as control, traffic(lane) as requests:
        await control.deploy("adder", "2")
        await requests.until_answered_by("2")
        issued = await control.undeploy("adder")
        await settled(control, at=issued.offset)
        await requests.more()
    assert requests.versions[-2:] == ["2", "1"]


async def test_who_comes_late_serves_the_same_and_says_so(lane: Lane, repository: Path) -> None:
    async with worker(lane, repository), commands(lane) as control:
        await control.deploy("adder", "2")
        await control.wait(await control.deploy("adder", BROKEN), timeout_s=20)
        issued = await control.throttle("tenant:acme", 100.0)
        async with worker(lane, repository):
            statuses = await settled(control, at=issued.offset, workers=2)
    assert len({each.digest for each in statuses}) == 1
    assert [[each.version for each in status.versions] for status in statuses] == [["2"], ["2"]]
    assert [[each.offset for each in status.failed] for status in statuses] == [[1], [1]]
    assert [list(each.demand) for each in statuses] == [["tenant:acme"], ["tenant:acme"]]


async def test_who_comes_late_refuses_other_inputs_as_those_did_who_were_there(lane: Lane, repository: Path) -> None:
    async with worker(lane, repository), commands(lane) as control:
        issued = await control.deploy("adder", WIDE)
        await control.wait(issued, timeout_s=20)
        async with worker(lane, repository):
            statuses = await settled(control, at=issued.offset, workers=2)
    assert [[each.version for each in status.versions] for status in statuses] == [["1"], ["1"]]
    assert all("differ from those of" in status.failed[0].reason for status in statuses)


async def write_snapshot(lane: Lane, control: Control) -> None:
    options = {"bootstrap_servers": lane.bootstrap}
    cluster = await cluster_id(options, 10.0)
    value, headers = encode_snapshot(
        await control.state(), None, cluster=cluster, group=lane.group, id_="snapshot-1", time_ms=0
    )
    await append(options, f"{lane.group}-control", key=SNAPSHOT_KEY, value=value, headers=headers, timeout_s=10.0)


async def test_who_begins_at_a_snapshot_serves_the_same(lane: Lane, repository: Path) -> None:
    async with worker(lane, repository), commands(lane) as control:
        await control.deploy("adder", "2")
        await write_snapshot(lane, control)
        issued = await control.deploy("adder", BROKEN)
        async with worker(lane, repository) as late:
            statuses = await settled(control, at=issued.offset, workers=2)
            assert metric(late, "penstock_control_commands_total") == 1
    assert len({each.digest for each in statuses}) == 1
    assert [[each.version for each in status.versions] for status in statuses] == [["2"], ["2"]]


async def test_who_begins_at_a_snapshot_knows_what_came_before_the_newest_deployment(
    lane: Lane, repository: Path
) -> None:
    async with worker(lane, repository), commands(lane) as control:
        await control.deploy("adder", {WIDE: 1}, signature_may_change=True)
        await control.deploy("adder", {WIDE: 2})  # it fits what serves, and not what the settings say
        failing = await control.deploy("adder", BROKEN)
        await settled(control, at=failing.offset)
        await write_snapshot(lane, control)
        async with worker(lane, repository):
            statuses = await settled(control, at=failing.offset, workers=2)
    assert [[each.version for each in status.versions] for status in statuses] == [[WIDE], [WIDE]]
    assert [[each.offset for each in status.failed] for status in statuses] == [[2], [2]]


async def test_versions_leave_memory_and_come_back_when_they_are_asked_for(lane: Lane, tmp_path: Path) -> None:
    for model in ("one", "two", "three"):
        add(tmp_path, "1", model=model)
    size = (tmp_path / "one" / "1" / "model.py").stat().st_size
    async with worker(lane, tmp_path, models__max_bytes=2 * size + 10) as inside, commands(lane) as control:
        (status,) = await settled(control, at=-1)
        assert sorted(each.state for each in status.versions) == ["evicted", "serving", "serving"]
        async with client(lane) as caller:
            for _ in range(2):
                for model in ("one", "two", "three"):
                    assert (await caller.predict(model, [[1.0]]))["y"].tolist() == [[1001.0]]
        assert metric(inside, "penstock_model_bytes") <= 2 * size + 10


async def test_a_split_whose_versions_do_not_fit_beside_each_other_does_not_serve(lane: Lane, repository: Path) -> None:
    size = (repository / "adder" / "1" / "model.py").stat().st_size
    async with worker(lane, repository, models__max_bytes=2 * size - 1) as inside, commands(lane) as control:
        (ack,) = await control.wait(await control.deploy("adder", {"1": 1, "2": 1}), timeout_s=20)
        assert (ack.kind, "does not fit" in ack.reason) == ("failed", True), ack
        async with client(lane) as caller:
            assert (await caller.predict("adder", [[0.0]])).version == "1"
        assert metric(inside, "penstock_model_bytes") <= 2 * size


async def test_a_deployment_says_how_batches_form(lane: Lane, repository: Path) -> None:
    async with worker(lane, repository) as inside, commands(lane) as control, client(lane) as caller:
        issued = await control.deploy("adder", "1", batching=Batching(max_rows=1))
        await settled(control, at=issued.offset)
        before = metric(inside, "penstock_batch_rows_count")
        [answer async for answer in caller.predict_many("adder", ([[float(n)]] for n in range(50)))]
        assert metric(inside, "penstock_batch_rows_count") - before == 50


async def test_the_last_word_of_a_worker_is_that_it_has_stopped(lane: Lane, repository: Path) -> None:
    async with worker(lane, repository):
        pass
    async with commands(lane) as control:
        assert [each.state for each in await control.status()] == ["stopped"]


async def test_models_that_a_program_brings_follow_commands_too(lane: Lane) -> None:
    async with worker(lane, DOUBLER) as inside, commands(lane) as control, client(lane) as caller:
        (ack,) = await control.wait(await control.deploy("doubler", "2"), timeout_s=20)
        assert (ack.kind, "no version '2' in the program" in ack.reason) == ("failed", True)
        shadowed = await control.deploy("doubler", "1", shadows=["1"])
        (ack,) = await control.wait(shadowed, timeout_s=20)
        assert (ack.kind, "no shadow of it" in ack.reason) == ("failed", True)
        (ack,) = await control.wait(await control.deploy("doubler", "latest", shadows=()), timeout_s=20)
        assert ack.kind == "applied"
        assert (await caller.predict("doubler", [[1.0, 0.0, 0.0]], version="latest"))["y"][0][0] == 2.0
        assert metric(inside, "penstock_control_commands_total") == 3


async def test_a_shadow_gets_copies_and_leaves_with_its_deployment(lane: Lane, repository: Path) -> None:
    async with worker(lane, repository) as inside, commands(lane) as control, traffic(lane) as requests:
        issued = await control.deploy("adder", "1", shadows=["2"])
        (status,) = await settled(control, at=issued.offset)
        assert [(each.version, each.state) for each in status.versions] == [("1", "serving"), ("2", "shadow")]
        await until(lambda: metric(inside, "penstock_shadow_requests_total") > 20)
        issued = await control.deploy("adder", "1", shadows=())
        (status,) = await settled(control, at=issued.offset)
        assert [(each.version, each.state) for each in status.versions] == [("1", "serving")]
    assert requests.versions == ["1"]
