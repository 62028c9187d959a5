"""The models of a worker that follows commands: what is loaded, what serves, and how a change is made.

A version that is loaded takes traffic only with its target: until then it is kept out of the table. All changes are
made on the event loop, and take effect between two batches.
"""

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Literal

from penstock.consumer.control.shadowing import ShadowTarget
from penstock.consumer.control.tracked_model import TrackedModel
from penstock.core.deployment_target import Target
from penstock.core.evicted_model import EvictedModel
from penstock.core.model import Model
from penstock.core.model_memory import Held, make_room
from penstock.core.model_table import ModelTable, close_model
from penstock.core.reconciler import Here, failed
from penstock.schemas.control.specs import Batching
from penstock.schemas.control.status import LoadedVersion
from penstock.schemas.logger import Logger

log = Logger(__name__)


class ServedModels:
    """What a worker has of its models.

    Args:
        table: what the engine reads.
        cap: the most bytes of all versions; None is no bound.

    Attributes:
        here: by model, what the reconciler has to know.
        retire: closes a model that is in the table no more, after the batches that were handed over for it.
        on_batching: called with what each model has of its own, when that may have changed.
        on_shadows: called with the shadows of each model, when they may have changed; closes those that have gone.
            None before anybody runs them.
    """

    def __init__(self, table: ModelTable, cap: int | None) -> None:
        self.table = table
        self.here: dict[str, Here] = {}
        self.retire: Callable[[Model], object] = close_model
        self.on_batching: Callable[[Mapping[str, Batching]], object] = lambda _: None
        self.on_shadows: Callable[[Mapping[str, Sequence[ShadowTarget]]], object] | None = None
        self._cap = cap
        self._prepared: dict[tuple[str, str], TrackedModel] = {}
        self._shadows: dict[tuple[str, str], TrackedModel] = {}
        self._gone_shadows: dict[tuple[str, str], str] = {}  # those that serve no more, and why

    def __repr__(self) -> str:
        return f"<ServedModels {self.table!r}, {len(self._prepared)} prepared>"

    def of(self, model: str) -> Here:
        """Return what there is of a model."""
        return self.here.setdefault(model, Here())

    def prepare(self, loaded: TrackedModel, *, shadow: bool = False) -> None:
        """Keep a version that was loaded and tested, for the target that asked for it."""
        here = self.of(loaded.name)
        if shadow:
            self._shadows[loaded.name, loaded.version] = loaded
            self._gone_shadows.pop((loaded.name, loaded.version), None)
            here.shadows.add(loaded.version)
        else:
            self._prepared[loaded.name, loaded.version] = loaded
            here.ready[loaded.version] = loaded.signature

    def serve(self, target: Target) -> None:
        """Let a target's versions answer, from the next batch on."""
        here = self.of(target.model)
        for version in target.needed:
            waiting = self._prepared.pop((target.model, version), None)
            if waiting is not None:
                self.table.add(waiting, serve=False)
        if target.versions:
            refuses = target.not_finite == "refuse"
            self.table.divide(target.model, target.split, aliases=target.aliases, refuses_not_finite=refuses)
        here.serving = target
        self._forget_shadows(target)
        # What is newer has failed, and what serves now is what it falls back on.
        here.failures = {offset: each for offset, each in here.failures.items() if offset > target.offset}
        self.renew()
        log.info("serving", model=target.model, versions=dict(target.versions), offset=target.offset)

    def renew(self) -> None:
        """Say again what each model has of its own for gathering batches, and which shadows."""
        serving = [here.serving for here in self.here.values() if here.serving is not None]
        self.on_batching({each.model: each.batching for each in serving if each.batching != Batching()})
        if self.on_shadows is not None:
            self.on_shadows({each.model: self._shadows_of(each) for each in serving})

    def remove(self, model: str, version: str, *, shadow: bool = False) -> None:
        """Take a version out; it is closed when its last batch is done."""
        if shadow:  # no target ever had it: those that had theirs are closed by whoever runs them
            self.of(model).shadows.discard(version)
            close_model(self._shadows.pop((model, version)))
            return
        del self.of(model).ready[version]
        waiting = self._prepared.pop((model, version), None)
        if waiting is not None:
            close_model(waiting)
            return
        self.retire(self.table.remove(model, version))
        log.info("version retired", model=model, version=version)

    def fail(self, target: Target, reason: str, *, version: str = "", for_good: bool = False) -> None:
        """Remember that a target cannot be followed."""
        here = self.of(target.model)
        failure = failed(target, here, reason, time.monotonic(), version=version, for_good=for_good)
        here.failures[target.offset] = failure
        if failure.tries == 1:
            log.error("deployment failed; what served before goes on", model=target.model, reason=reason)

    def make_room(self, model: str, version: str, needed: int, *, beside: Collection[str], calm_s: float) -> None:
        """Let versions leave memory, so that another one fits.

        Args:
            model: whose version comes.
            version: which one.
            needed: its bytes.
            beside: versions of the model that stay: a split runs only when all that it needs is there.
            calm_s: what has run for a request in so many seconds stays; shadows too, unless it is 0.

        Raises:
            ModelError: it does not fit.
        """
        who = f"{model}@{version}"
        held = [
            replace(each, runs=True) if each.model == model and each.version in beside and not each.shadow else each
            for each in self._held(calm_s)
        ]
        for leaving in make_room(who, needed, held, self._cap):
            if leaving.shadow:
                self._drop_shadow(leaving.model, leaving.version, who)
                continue
            signature = self.of(leaving.model).ready[leaving.version]
            self.retire(self.table.replace(EvictedModel(leaving.model, leaving.version, signature)))
            log.info("version left memory", model=leaving.model, version=leaving.version, for_version=who)

    def evicted(self, model: str, version: str) -> EvictedModel | None:
        """Return what stands for a version that has left memory; None where it is there, or retired."""
        return next((each for each in self._evicted() if (each.name, each.version) == (model, version)), None)

    def missing(self, model: str) -> list[str]:
        """Return why versions of a model that should be there are not."""
        shadows = [why for (name, _), why in self._gone_shadows.items() if name == model]
        return shadows + [
            f"version {each.version} has left memory and cannot be loaded again: {each.failure}"
            for each in self._evicted()
            if each.name == model and each.failure
        ]

    def put_back(self, loaded: TrackedModel | EvictedModel) -> None:
        """Put a version that had left memory in its place again, or what stands for it while it cannot be loaded."""
        self.table.replace(loaded)

    @property
    def bytes(self) -> int:
        """Bytes of all versions in memory."""
        return sum(each.bytes for each in self._held())

    def versions(self) -> list[LoadedVersion]:
        """Return every version, and what it does."""
        shares = self.table.shares()
        found = [
            LoadedVersion(model=each.name, version=each.version, state="loading", bytes=each.size)
            for each in self._prepared.values()
        ]
        for model in self.table.loaded():
            share = shares.get((model.name, model.version), 0.0)
            state: Literal["evicted", "serving", "standby"] = "serving" if share > 0 else "standby"
            if isinstance(model, EvictedModel):
                state = "evicted"
            size = model.size if isinstance(model, TrackedModel) else 0
            found.append(LoadedVersion(model=model.name, version=model.version, state=state, share=share, bytes=size))
        found += [
            LoadedVersion(model=each.name, version=each.version, state="shadow", bytes=each.size)
            for each in self._shadows.values()
        ]
        return found

    def _forget_shadows(self, target: Target) -> None:
        """Let go of shadows that a target does not have; `on_shadows` closes them."""
        here = self.of(target.model)
        for gone in here.shadows - {*target.shadowed}:
            here.shadows.discard(gone)
            model = self._shadows.pop((target.model, gone))
            if self.on_shadows is None:
                close_model(model)
        self._gone_shadows = {who: why for who, why in self._gone_shadows.items() if who[0] != target.model}

    def _drop_shadow(self, model: str, version: str, who: str) -> None:
        """Let a shadow leave memory. It comes back with the next deployment: nobody waits for it."""
        here, shadow = self.of(model), self._shadows.pop((model, version))
        here.shadows.discard(version)
        serves = here.serving is not None and version in here.serving.shadowed
        if serves:
            self._gone_shadows[model, version] = (
                f"shadow {version} has left memory, which {who} needs to answer (models.max_bytes); "
                "it comes back with the next deployment"
            )
        log.warning("shadow left memory", model=model, version=version, for_version=who)
        if serves and self.on_shadows is not None:
            self.renew()  # whoever runs it closes it
        else:
            close_model(shadow)

    def _evicted(self) -> list[EvictedModel]:
        return [each for each in self.table.loaded() if isinstance(each, EvictedModel)]

    def _shadows_of(self, target: Target) -> list[ShadowTarget]:
        return [
            ShadowTarget(self._shadows[target.model, each.version], each.share, each.topic)
            for each in target.shadows
            if (target.model, each.version) in self._shadows
        ]

    def _held(self, calm_s: float = 0.0) -> Iterator[Held]:
        since = time.monotonic() - calm_s
        for model in self.table.loaded():
            if isinstance(model, TrackedModel):
                yield Held(model.name, model.version, model.size, model.used, model.runs or model.ran > since)
        for waiting in self._prepared.values():  # about to serve: it stays
            yield Held(waiting.name, waiting.version, waiting.size, waiting.used, True)
        for shadow in self._shadows.values():
            yield Held(shadow.name, shadow.version, shadow.size, shadow.used, calm_s > 0, shadow=True)

    def close(self) -> None:
        """Close every version."""
        for waiting in (*self._prepared.values(), *(self._shadows.values() if self.on_shadows is None else ())):
            close_model(waiting)
        self._prepared.clear()
        self.table.close()
