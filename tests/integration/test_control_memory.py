"""Versions that leave memory under a cap, on a real broker: what waits for them, and what makes way."""

from pathlib import Path

import pytest

from penstock.schemas.errors import ErrorCode, ServiceError
from tests.support.adders import add, commands, settled, worker
from tests.support.embedding import client, metric
from tests.support.lane import Lane
from tests.support.waiting import until


def three_models(root: Path, broken: Path) -> int:
    """Models that cannot be loaded while a file is there; returns the bytes of each."""
    for model in ("one", "two", "three"):
        add(root, "1", model=model, load=f"assert not __import__('os').path.exists({str(broken)!r})")
    return (root / "one" / "1" / "model.py").stat().st_size


async def test_requests_for_a_version_that_cannot_come_back_are_answered_and_it_is_reported(
    lane: Lane, tmp_path: Path
) -> None:
    repository, broken = tmp_path / "models", tmp_path / "broken"
    size = three_models(repository, broken)
    async with (
        worker(lane, repository, models__max_bytes=2 * size + 10) as inside,
        commands(lane) as control,
        client(lane) as caller,
    ):
        for model in ("one", "two", "three"):
            await caller.predict(model, [[1.0]])
        broken.touch()
        with pytest.raises(ServiceError, match=r"one@1 has left memory and cannot be loaded now$") as failed:
            await caller.predict("one", [[1.0]])
        assert failed.value.code == ErrorCode.MODEL_FAILED
        await until(lambda: metric(inside, "penstock_control_failed") == 1)
        (status,) = await settled(control, at=-1)
        assert [(each.offset, each.resource) for each in status.failed] == [(-1, "deployment/one")]
        assert "cannot be loaded again" in status.failed[0].reason
        assert (await caller.predict("three", [[1.0]]))["y"].tolist() == [[1001.0]]

        broken.unlink()

        async def is_back() -> bool:
            try:
                return (await caller.predict("one", [[1.0]])).version == "1"
            except ServiceError:
                return False

        await until(is_back, every_s=0.1)
        await until(lambda: metric(inside, "penstock_control_failed") == 0)


async def test_a_shadow_makes_way_for_a_version_that_requests_wait_for(lane: Lane, tmp_path: Path) -> None:
    for model in ("one", "two"):
        add(tmp_path, "1", model=model)
    size = (tmp_path / "one" / "1" / "model.py").stat().st_size
    async with (
        worker(lane, tmp_path, models__max_bytes=2 * size + 10) as inside,
        commands(lane) as control,
        client(lane) as caller,
    ):
        shadowed = await control.deploy("one", "1", shadows=["1"])
        (status,) = await settled(control, at=shadowed.offset)
        assert sorted(each.state for each in status.versions) == ["evicted", "serving", "shadow"]
        for model in ("two", "one"):
            assert (await caller.predict(model, [[1.0]]))["y"].tolist() == [[1001.0]]
        await until(lambda: metric(inside, "penstock_control_failed") == 1)
        (status,) = await settled(control, at=shadowed.offset)
        assert [each.state for each in status.versions] == ["serving", "serving"]
        assert "shadow 1 has left memory, which two@1 needs" in status.failed[0].reason
        assert metric(inside, "penstock_model_bytes") == 2 * size
