"""Workers that follow commands, and what goes wrong with that."""

import subprocess
import sys
from pathlib import Path

import pytest

from penstock import ConfigurationError, ModelError, TransportError
from penstock.broker import EmbeddedKafka
from penstock.core.store.publishing import open_writer, publish
from penstock.schemas.control.refusals import RefusalCode
from penstock.schemas.control.signing import Signer
from penstock.schemas.control.specs import Key
from penstock.transport.control.appending import append
from penstock.transport.control.keys import trusted_key_table, write_private_key
from penstock.transport.topics import create_topics
from tests.support.adders import BROKEN, add, adders, commands, settled, traffic, worker
from tests.support.command import environment
from tests.support.embedding import client, metric, own_tasks
from tests.support.lane import Lane, new_lane
from tests.support.waiting import until

NOWHERE = "127.0.0.1:1"


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    return adders(tmp_path / "adders")


async def test_a_worker_that_cannot_reach_kafka_does_not_serve_and_says_why(lane: Lane, repository: Path) -> None:
    late = worker(lane, repository, bootstrap_servers=NOWHERE, control__start_timeout_s=2)
    with pytest.raises(TransportError, match=r"no Kafka broker answers at 127\.0\.0\.1:1"):
        await late.start()
    assert await own_tasks() == []


async def test_a_control_topic_that_cannot_hold_commands_is_told_of_at_the_start(lane: Lane, repository: Path) -> None:
    await create_topics({"bootstrap_servers": lane.bootstrap}, {f"{lane.group}-control": 2}, replication_factor=1)
    with pytest.raises(ConfigurationError, match="cannot hold commands: it has 2 partitions"):
        await worker(lane, repository).start()
    assert await own_tasks() == []


async def test_signing_without_keys_is_told_of_at_the_start(lane: Lane, repository: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"control\.trusted_keys: required.*\n.*penstock keys create"):
        await worker(lane, repository, control__signing="required").start()


async def test_a_model_of_the_settings_that_cannot_be_loaded_at_all_ends_the_start(
    lane: Lane, repository: Path
) -> None:
    (repository / "adder" / "config.pbtxt").write_text(f"version_policy {{ specific {{ versions: [{BROKEN}] }} }}")
    with pytest.raises(ModelError, match="load raised ValueError: no"):
        await worker(lane, repository).start()
    # A connection that aiokafka was still opening when it was cancelled may read on until it is collected.
    assert [task for task in await own_tasks() if "AIOKafkaConnection._read" not in task] == []


async def test_a_command_that_nobody_trusted_has_signed_changes_nothing(
    lane: Lane, repository: Path, tmp_path: Path
) -> None:
    anna = Signer.generate("anna")
    write_private_key(tmp_path / "anna.key", anna)
    (tmp_path / "trusted.toml").write_text(trusted_key_table("anna", Key(public=anna.public_hex, scopes=("*",))))
    keys = {"signing": "required", "trusted_keys": tmp_path / "trusted.toml"}
    signed = {f"control__{name}": str(value) for name, value in keys.items()}
    async with (
        worker(lane, repository, **signed) as inside,
        commands(lane, **keys, key=tmp_path / "anna.key") as control,
        client(lane) as caller,
    ):
        issued = await control.deploy("adder", "2")
        (ack,) = await control.wait(issued, timeout_s=20)
        assert issued.command is not None
        forged = issued.command.model_copy(update={"sequence": 99, "spec": {"versions": [{"version": "3"}]}})
        options = {"bootstrap_servers": lane.bootstrap}
        offset = await append(
            options, f"{lane.group}-control", key=b"deployment/adder", value=forged.encode(), timeout_s=10
        )
        (status,) = await settled(control, at=offset)
        assert (ack.kind, [(each.offset, each.code) for each in status.refused]) == (
            "applied",
            [(offset, RefusalCode.UNSIGNED)],
        )
        assert (await caller.predict("adder", [[0.0]])).version == "2"
        assert metric(inside, "penstock_control_commands_total") == 2


async def test_a_version_that_is_not_what_was_published_is_failed(lane: Lane, repository: Path, tmp_path: Path) -> None:
    add(tmp_path / "aside", "5")
    published = publish(open_writer(repository), "adder", tmp_path / "aside" / "adder" / "5" / "model.py", version="20")
    file = Path(published.place) / "model.py"
    file.write_text(file.read_text() + "\n# one line more\n")
    async with worker(lane, repository), commands(lane) as control, traffic(lane) as requests:
        (ack,) = await control.wait(await control.deploy("adder", "20"), timeout_s=20)
        assert (ack.kind, "model.py" in ack.reason) == ("failed", True), ack
        await requests.more()
    assert requests.versions == ["1"]


async def test_while_the_control_topic_is_away_the_last_state_stays_and_then_it_goes_on(
    own_broker: EmbeddedKafka, tmp_path: Path
) -> None:
    lane = await new_lane(own_broker.bootstrap_servers)
    node = own_broker.nodes[0]
    repository = adders(tmp_path / "adders")
    async with worker(lane, repository) as inside, client(lane) as caller:
        async with commands(lane) as control:
            await settled(control, at=(await control.deploy("adder", "2")).offset)
        assert metric(inside, "penstock_control_lag_seconds") < 5
        await node.stop()
        await until(lambda: metric(inside, "penstock_control_lag_seconds") > 8)
        await node.start()
        await until(lambda: metric(inside, "penstock_control_lag_seconds") < 4)
        async with commands(lane) as control:
            await settled(control, at=(await control.deploy("adder", "3")).offset)
        assert (await caller.predict("adder", [[0.0]])).version == "3"


def test_without_control_nothing_of_it_is_imported() -> None:
    program = "import sys, penstock.consumer.service; print(*(name for name in sys.modules if 'control' in name))"
    found = subprocess.run(
        [sys.executable, "-c", program], env=environment(), capture_output=True, text=True, timeout=60, check=True
    )
    started = {"worker_control", "beginning", "applying", "follower", "reporter", "peers"}
    assert not started & {name.rpartition(".")[2] for name in found.stdout.split()}
