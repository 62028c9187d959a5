"""A service that can be commanded: keys, topics, and the variables of its workers and of whoever commands."""

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from penstock.cli.control.key_making import add_to_trusted, made
from penstock.transport.control.topics import ensure_control_topics
from tests.support.command import Ran, penstock
from tests.support.lane import Lane


@dataclass(frozen=True)
class Service:
    """A lane with a control topic, and the keys of two people: anna may do everything, ben nothing but lanes.

    Attributes:
        variables: what `penstock` finds in its environment; anna commands.
    """

    lane: Lane
    folder: Path
    variables: dict[str, str] = field(default_factory=dict)

    def key(self, name: str) -> str:
        return str(self.folder / f"{name}.key")

    def __call__(self, *arguments: object, **variables: str) -> Ran:
        """Run a command to its end."""
        return penstock(*arguments, variables={**self.variables, **variables}, folder=self.folder)


@pytest.fixture
async def service(lane: Lane, tmp_path: Path) -> Service:
    """A service whose topics are there, without workers."""
    return await new_service(lane, tmp_path)


async def new_service(lane: Lane, folder: Path) -> Service:
    """Make the control topics and the keys."""
    trusted = folder / "trusted.toml"
    for name, scope in (("anna", "*"), ("ben", "lane/*")):
        add_to_trusted(trusted, name, made(name, [scope], folder / f"{name}.key", trusted))
    await ensure_control_topics({"bootstrap_servers": lane.bootstrap}, f"{lane.group}-control", f"{lane.group}-status")
    variables = {
        "PENSTOCK_KAFKA__BOOTSTRAP_SERVERS": lane.bootstrap,
        "PENSTOCK_WORKER__REQUEST_TOPICS": lane.requests,
        "PENSTOCK_WORKER__REPLY_TOPIC": lane.replies,
        "PENSTOCK_WORKER__GROUP_ID": lane.group,
        "PENSTOCK_CONTROL__ENABLED": "true",
        "PENSTOCK_CONTROL__TRUSTED_KEYS": str(trusted),
        "PENSTOCK_CONTROL__KEY": str(folder / "anna.key"),
    }
    return Service(lane, folder, variables)
