"""Two worker processes that follow signed commands while requests flow: the study of control, short, by counts."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from benchmarks.studies.control_faults import refused
from benchmarks.studies.control_load import Load
from benchmarks.studies.control_models import SWITCHED, make_models
from benchmarks.studies.control_scene import Scene
from benchmarks.studies.control_switches import PERCENTS, Pace, switched
from benchmarks.studies.service import Service
from penstock.producer.control.control import Control

FAULTS = ("failed", "lost", "doubles", "wrong")
PACE = Pace(per_second=300, keys=100, versions=SWITCHED[:4], between=0.2, step=0.8, shadow=0.4)

Playing = tuple[list[Service], Load, Control]


@pytest.fixture
async def playing(bootstrap: str, tmp_path: Path) -> AsyncIterator[Playing]:
    make_models(tmp_path / "models")
    scene = Scene(bootstrap, tmp_path)
    async with scene.service(await scene.lane("under-load")) as found:
        yield found


async def test_nobody_notices_switches_canaries_shadows_and_versions_that_cannot_serve(playing: Playing) -> None:
    services, load, control = playing
    found = await switched(services, load, control, PACE)
    assert found["requests"] > 500
    assert [found[fault] for fault in FAULTS] == [0, 0, 0, 0]
    assert [step["percent"] for step in found["steps"]] == list(PERCENTS)
    for step in found["steps"]:
        assert step["keys"] > PACE.keys / 2
        assert step["both"] == 0, "no key saw both versions between two commands"
        assert step["sigmas_off"] <= 3.0, step
    assert found["shadow"]["answered"] + found["shadow"]["failed"] + found["shadow"]["dropped"] > 0

    found = await refused(load, control, 200)
    assert [found[fault] for fault in FAULTS] == [0, 0, 0, 0]
    assert found["versions"] == [1], "what served before goes on"
    assert {what: order["acks"] for what, order in found["orders"].items()} == {
        "not ONNX": ["failed", "failed"],
        "tampered": ["failed", "failed"],
        "other inputs": ["failed", "failed"],
    }
