"""Applying: makes the worker's models what the commands ask for, while requests are served.

One task looks at every model in turn and does the next thing, see `penstock.core.reconciler`. What is quick is done at
once, on the event loop; what asks the store or loads is done in a thread, one thing at a time, so that no more than one
version takes memory before it serves, and each by a deadline. Of several versions to load, that of the newest command
comes first; but one that requests wait for comes before all.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable, Collection, Coroutine, Sequence
from functools import partial
from typing import Any, Final

from penstock.consumer.control.loading import Loading
from penstock.consumer.control.returning import Returning
from penstock.consumer.control.served_models import ServedModels
from penstock.consumer.control.stock import Stock
from penstock.consumer.control.tracked_model import TrackedModel
from penstock.consumer.control.wishes import Wishes
from penstock.core.deployment_target import Target
from penstock.core.model_table import close_model
from penstock.core.reconciler import NEVER, Fail, Load, Retire, Serve, next_retry, next_step
from penstock.schemas.control.status import LoadedVersion
from penstock.schemas.errors import ModelError, PenstockError
from penstock.schemas.logger import Logger

log = Logger(__name__)

_AGAIN_S: Final = 2.0
_CALM_S: Final = 5.0  # what has run for requests in this time does not leave memory for a new version


class Applying:
    """Carries out what is wished for.

    Args:
        models: what there is; changed here alone.
        stock: where versions come from.
        wishes: what is asked for.
        on_change: called after each change.
        load_timeout_s: what takes longer to load is failed.
    """

    def __init__(
        self,
        models: ServedModels,
        stock: Stock,
        wishes: Wishes,
        on_change: Callable[[], object],
        *,
        load_timeout_s: float,
    ) -> None:
        self._models = models
        self._stock = stock
        self._wishes = wishes
        self._on_change = on_change
        self._threads = Loading(load_timeout_s)
        self._woken = asyncio.Event()
        self._work: asyncio.Task[None] | None = None  # in the thread
        self._loading: tuple[str, str] | None = None
        self._returning = Returning(models)
        models.table.on_wanted = self.on_wanted

    def __repr__(self) -> str:
        return f"<Applying {self._models!r}>"

    def wake(self) -> None:
        """Look again: something is wished for."""
        self._woken.set()

    def on_wanted(self, model: str, version: str) -> None:
        """Load a version that has left memory: requests wait for it."""
        if self._returning.want(model, version):
            self._woken.set()

    async def run(self) -> None:
        """Apply until cancelled."""
        try:
            while True:
                self._woken.clear()
                try:
                    self._advance()
                except Exception as error:  # the worker goes on as it is
                    log.error("a command could not be applied; trying again", error=repr(error))
                    await asyncio.sleep(_AGAIN_S)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self._rest_s()):
                        await self._woken.wait()
        finally:
            if self._work is not None:
                self._work.cancel()
            self._threads.close()

    async def settle(self) -> None:
        """Apply until there is nothing left to do now; for the start, before `run`."""
        while True:
            self._woken.clear()
            self._advance()
            if self._work is None:
                return
            await self._woken.wait()

    @property
    def loading(self) -> list[LoadedVersion]:
        """The version that is being loaded, if any."""
        if self._loading is None:
            return []
        model, version = self._loading
        return [LoadedVersion(model=model, version=version, state="loading")]

    def _advance(self) -> None:
        """Do all that is quick, and begin the next thing that is not."""
        models = sorted(self._wishes, key=self._wishes.newest, reverse=True)
        loads: list[Load] = []
        for model in models:
            here, now = self._models.of(model), time.monotonic()
            if self._wishes.is_due(model, here, now):
                if self._work is not None and self._wishes.at_hand(model, here) is None:
                    continue
                question = self._wishes.question(model, here)
                if question is not None:
                    self._begin(self._resolve(model, question))
                    continue
            step = self._quickly(model)
            if step is not None:
                loads.append(step)
        if self._work is None:
            self._begin_loading(loads)

    def _quickly(self, model: str) -> Load | None:
        """Do what needs no loading for a model; return what does."""
        targets, here = self._wishes.targets.get(model), self._models.of(model)
        while targets and (step := next_step(targets, here, time.monotonic())) is not None:
            match step:
                case Load():
                    return step
                case Serve(target):
                    self._models.serve(target)
                case Retire(_, version, shadow):
                    self._models.remove(model, version, shadow=shadow)
                case Fail(target, reason, for_good):
                    self._models.fail(target, reason, for_good=for_good)
            self._on_change()
        return None

    def _begin_loading(self, loads: list[Load]) -> None:
        wanted = self._returning.next(time.monotonic())
        if wanted is not None:
            self._begin(self._bring_back(*wanted))
        elif loads:
            self._begin(self._load(loads[0]))

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        self._work = asyncio.create_task(work, name="applying")
        self._work.add_done_callback(self._ended)

    def _ended(self, work: "asyncio.Task[None]") -> None:
        self._work = None
        self._loading = None
        if not work.cancelled() and (error := work.exception()) is not None:
            log.error("a command could not be applied", error=repr(error))
        self._on_change()
        self._woken.set()

    async def _resolve(self, model: str, question: Callable[[], Sequence[Target]]) -> None:
        newest = self._wishes.newest(model)
        try:
            self._wishes.targets[model] = await self._threads.run(f"looking up the versions of {model}", question)
        except PenstockError as error:  # the store cannot say: tried again as other failures are
            self._wishes.targets[model] = (Target(model, newest, fault=str(error)),)

    async def _load(self, load: Load) -> None:
        """Load a version for a target; what is not wanted any more when it is there is closed."""
        target, version = load.target, load.version
        try:
            if load.shadow and not self._stock.copies:
                raise ModelError(f"{target.model} is there once, in the program that runs this worker: no shadow of it")
            finite = target.not_finite == "refuse"
            split = target.split.versions
            beside = split if load.shadow or version in split else ()
            loaded = await self._loaded(target.model, version, finite=finite, beside=beside, calm_s=_CALM_S)
        except PenstockError as error:
            self._models.fail(target, str(error), version=version)
            return
        wanted = self._wishes.targets[target.model]
        if any(version in (each.shadowed if load.shadow else each.needed) for each in wanted):
            self._models.prepare(loaded, shadow=load.shadow)
        else:
            close_model(loaded)

    async def _bring_back(self, model: str, version: str) -> None:
        """Load a version that had left memory; if that fails its requests are answered so, and it is tried again."""
        serving = self._models.of(model).serving
        finite = serving is not None and serving.not_finite == "refuse"
        split = serving.split.versions if serving is not None and serving.versions else ()
        beside = split if version in split else ()
        try:
            # Requests wait: whatever does not run this moment has to make room, or they might wait for ever.
            loaded = await self._loaded(model, version, finite=finite, beside=beside, calm_s=0.0)
        except PenstockError as error:
            self._returning.failed(model, version, error, time.monotonic())
            return
        if self._models.evicted(model, version) is not None:
            self._models.put_back(loaded)
        else:  # retired meanwhile
            close_model(loaded)

    async def _loaded(
        self, model: str, version: str, *, finite: bool, beside: Collection[str], calm_s: float
    ) -> TrackedModel:
        self._loading = model, version
        self._on_change()
        start = time.monotonic()
        who = f"{model}@{version}"
        size, _ = await self._threads.run(f"looking up {who}", partial(self._stock.look_up, model, version))
        self._models.make_room(model, version, size, beside=beside, calm_s=calm_s)
        work = partial(self._stock.load, model, version, finite=finite)
        loaded = await self._threads.run(f"loading {who}", work, discard=close_model)
        log.info("model loaded", model=model, version=version, took_s=round(time.monotonic() - start, 3))
        return loaded

    def _rest_s(self) -> float | None:
        """Return after how many seconds there is something to do again; None where nobody knows."""
        if self._work is not None:
            return None
        retries = [next_retry(targets, self._models.of(model)) for model, targets in self._wishes.targets.items()]
        soonest = min([*retries, self._returning.soonest], default=NEVER)
        return None if soonest == NEVER else max(0.01, soonest - time.monotonic())
