"""What hangs in a thread is given up at its deadline, and holds nobody else up."""

import asyncio
import threading
from collections.abc import Iterator

import pytest

from penstock.consumer.control.loading import MOST_HANGING, Loading
from penstock.schemas.errors import ModelError
from tests.support.waiting import until


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    """What hangs waits for it."""
    gate = threading.Event()
    yield gate
    gate.set()


async def hang(loading: Loading, gate: threading.Event, what: str = "loading iris@3") -> str:
    with pytest.raises(ModelError) as error:
        await loading.run(what, gate.wait)
    return str(error.value)


async def test_what_hangs_is_failed_and_the_next_one_goes_on(gate: threading.Event) -> None:
    loading = Loading(0.01)
    assert "loading iris@3 took longer than 0.01 s (control.load_timeout_s)" in await hang(loading, gate)
    assert await Loading(10.0).run("loading wine@1", lambda: 7) == 7


async def test_what_hangs_is_not_begun_again_until_it_has_ended_and_its_outcome_is_thrown_away(
    gate: threading.Event,
) -> None:
    loading, thrown = Loading(0.01), list[bool]()
    with pytest.raises(ModelError, match="took longer"):
        await loading.run("loading iris@3", gate.wait, discard=thrown.append)
    assert "loading iris@3 has not ended" in await hang(loading, gate)
    gate.set()
    await until(lambda: bool(thrown))
    assert thrown == [True]
    assert repr(loading) == "<Loading, 0 hang>"


async def test_so_many_may_hang_and_no_more(gate: threading.Event) -> None:
    loading = Loading(0.01)
    for number in range(MOST_HANGING):
        await hang(loading, gate, f"loading iris@{number}")
    assert "8 others hang in this worker" in await hang(loading, gate, "loading wine@1")


async def test_what_fails_after_its_deadline_is_no_trouble_to_anybody(gate: threading.Event) -> None:
    def fail() -> None:
        gate.wait()
        raise ModelError("no such file")

    loading = Loading(0.01)
    with pytest.raises(ModelError, match="took longer"):
        await loading.run("loading iris@3", fail)
    gate.set()
    await until(lambda: repr(loading) == "<Loading, 0 hang>")


async def test_who_is_cancelled_leaves_nothing_behind(gate: threading.Event) -> None:
    thrown = list[bool]()
    task = asyncio.create_task(Loading(10.0).run("loading iris@3", gate.wait, discard=thrown.append))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    gate.set()
    await until(lambda: bool(thrown))
