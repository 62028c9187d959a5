"""Operations that are all interrupted at once: a broker stands still, each of them at a moment of its own.

    prepare -> at the moment -> (all are: SIGSTOP) -> ends with its error, or waits -> (SIGCONT) -> recovers

An operation is a coroutine function. It prepares itself, begins, and says by `stand` that it is where it is to be
interrupted. From then on it either asks for its end within a deadline (`ends`), or waits for the broker (`recovers`).
"""

import asyncio
import time
import traceback
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

from penstock.broker.node import KafkaNode
from penstock.transport.settings import KafkaSettings
from tests.support.frozen.gate import Gate, Moment
from tests.support.lane import Lane

T = TypeVar("T")
Operation = Callable[["Scene"], Coroutine[Any, Any, None]]

REQUEST_S: Final = 4.0  # kafka.request_timeout_s of everybody
MARGIN_S: Final = 20.0  # on top of a deadline, for a machine that has other things to do
_PREPARED_S: Final = 60.0
_AT_ONCE: Final = 4  # operations that prepare themselves; two cores carry no more in good time
_LONGEST_S: Final = 90.0  # that the broker stands still
_RECOVERED_S: Final = 60.0


class Scene:
    """What the operations share. Each of them is one task.

    Args:
        node: the broker.
        lanes: by name; topics of one partition.
        models: a repository of models.
        folder: an empty one.
    """

    def __init__(self, node: KafkaNode, lanes: dict[str, Lane], models: Path, folder: Path) -> None:
        self.node = node
        self.lanes = lanes
        self.models = models
        self.folder = folder
        self.gate = Gate()
        self.resumed = asyncio.Event()
        self._frozen = asyncio.Event()
        self._go = asyncio.Event()  # for those that cannot wait long at their moment
        self._hurrying: set[asyncio.Task[Any] | None] = set()
        self._standing: set[asyncio.Task[Any] | None] = set()
        self._ending = 0  # operations that have yet to end while the broker stands still
        self._changed = asyncio.Event()
        self._looks: list[Callable[[], object]] = []  # at the last moment before the broker goes on

    def kafka(self, name: str) -> KafkaSettings:
        """The connection of one client."""
        return KafkaSettings(
            bootstrap_servers=(self.node.bootstrap_server,), client_id=name, request_timeout_s=REQUEST_S
        )

    async def hurry(self) -> None:
        """Wait until all others stand: what comes then cannot wait for long."""
        self._hurrying.add(asyncio.current_task())
        self._changed.set()
        await self._go.wait()

    async def stand(self, *moments: Moment, work: "asyncio.Future[Any] | None" = None) -> None:
        """Wait at the moments until the broker stands still; without any, what comes then is begun in that state.

        Args:
            moments: where.
            work: what comes to them; what it raises before is raised here.
        """
        for moment in moments:
            reached = asyncio.ensure_future(moment.reached.wait())
            either: set[asyncio.Future[Any]] = {reached, *([work] if work is not None else [])}
            await asyncio.wait(either, timeout=_PREPARED_S, return_when=asyncio.FIRST_COMPLETED)
            if not reached.done():
                reached.cancel()
                raise AssertionError(f"never came to {moment!r}: {_became(work) if work and work.done() else 'waits'}")
        self._standing.add(asyncio.current_task())
        self._changed.set()
        await self._frozen.wait()
        assert not work or not work.done(), "it had ended before"

    async def ends(self, work: Awaitable[T], within_s: float, *moments: Moment) -> "asyncio.Future[T]":
        """Return what the work became, while the broker stands still, by the deadline."""
        self._ending += 1
        future = asyncio.ensure_future(work)
        began = time.monotonic()
        try:
            await asyncio.wait([future], timeout=within_s + MARGIN_S)
            assert future.done(), f"it hangs: not ended after {within_s:g} + {MARGIN_S:g} s"
            assert not self.resumed.is_set(), "it ended because the broker came back"
            assert not [each for each in moments if each.answered], "it was answered, and not interrupted"
            print(f"{_named()}: ended after {time.monotonic() - began:.1f} s of {within_s:g}: {_became(future)}")
        finally:
            self._ending -= 1
            self._changed.set()
        return future

    async def recovers(self, work: Awaitable[T], *moments: Moment) -> T:
        """Return what the work gives once the broker goes on; it must not have ended before."""
        future = asyncio.ensure_future(work)
        await self.interrupted(*moments, also=lambda: not future.done())
        async with asyncio.timeout(_RECOVERED_S):
            return await future

    async def interrupted(self, *moments: Moment, also: Callable[[], bool] = lambda: True) -> None:
        """Wait until the broker goes on, and see that nothing was answered before that."""
        still: list[bool] = []
        self._looks.append(lambda: still.append(also() and not any(moment.answered for moment in moments)))
        await self.resumed.wait()
        assert still == [True], "it was not interrupted"

    async def play(self, operations: Sequence[Operation]) -> dict[str, str]:
        """Interrupt all of them at once, and return how each failed; empty where it went as it had to."""
        running: list[asyncio.Task[None]] = []
        try:
            with self.gate.in_place():
                for operation in operations:
                    task = asyncio.create_task(operation(self), name=name_of(operation))
                    task.add_done_callback(lambda _: self._changed.set())
                    running.append(task)
                    await self._until_none(lambda: self._preparing(running)[_AT_ONCE:], _PREPARED_S)
                await self._conduct(running)
                await asyncio.wait(running, timeout=2 * _RECOVERED_S)
        finally:
            late = [task for task in running if not task.done()]
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late, timeout=MARGIN_S)
        return {task.get_name(): _failure(task) for task in running}

    async def _conduct(self, running: Sequence["asyncio.Task[None]"]) -> None:
        """Freeze the broker when all stand at their moment, and let it go on when what has to end has ended."""
        await self._until_none(lambda: self._preparing(running), _PREPARED_S)
        self._go.set()
        self._hurrying.clear()
        await self._until_none(lambda: self._preparing(running), _PREPARED_S)
        self.node.suspend()
        began = time.monotonic()
        try:
            self._frozen.set()
            self.gate.opened.set()
            await asyncio.sleep(REQUEST_S)  # what waits for nothing but the broker has asked it by then
            await self._until_none(lambda: ["ends"] * self._ending, _LONGEST_S)
            for look in self._looks:
                look()
        finally:
            self.resumed.set()
            self.node.resume()
        print(f"the broker stood still for {time.monotonic() - began:.1f} s")

    def _preparing(self, running: Sequence["asyncio.Task[None]"]) -> list["asyncio.Task[None]"]:
        return [task for task in running if not task.done() and task not in self._standing | self._hurrying]

    async def _until_none(self, late: Callable[[], Sequence[object]], within_s: float) -> None:
        try:
            async with asyncio.timeout(within_s):
                while late():
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            raise AssertionError(f"after {within_s:g} s still on their way: {late()}") from None


def name_of(operation: Operation) -> str:
    """What an operation is, in words."""
    return operation.__name__.replace("_", " ")


def _failure(task: "asyncio.Task[None]") -> str:
    if not task.done() or task.cancelled():
        return "it did not come to its end"
    error = task.exception()
    return "" if error is None else "".join(traceback.format_exception(error, chain=False)[-4:])


def _named() -> str:
    task = asyncio.current_task()
    return "" if task is None else task.get_name()


def _became(future: "asyncio.Future[Any]") -> str:
    error = future.exception()
    return repr(future.result())[:80] if error is None else f"{type(error).__name__}: {error}".splitlines()[0][:100]
