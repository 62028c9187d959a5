"""Wishes: what the commands and the settings ask of each model, and the targets that this comes to."""

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial

from penstock.consumer.control.stock import Stock
from penstock.core.deployment_target import SETTINGS, Target, target_of, target_of_settings
from penstock.core.model import Signature
from penstock.core.reconciler import Here, standing
from penstock.schemas.control.specs import Deployment
from penstock.schemas.control.state import Entry
from penstock.schemas.errors import PenstockError

_Wish = tuple[int, Deployment | None]  # the command's offset, and what it asks for; None: what the settings say


class Wishes:
    """What is asked of each model, and what it comes to.

    Args:
        stock: what there is; it says what a name means.
        models: those that the settings ask for.

    Attributes:
        targets: by model: what is wanted, and after it what was wanted before and may be fallen back on.
    """

    def __init__(self, stock: Stock, models: Iterable[str]) -> None:
        self._stock = stock
        self._wishes: dict[str, list[_Wish]] = {model: [(SETTINGS, None)] for model in models}
        self._asked: dict[str, tuple[int, int]] = {}  # by model: the newest offset, and its tries, when it was resolved
        self.targets: dict[str, Sequence[Target]] = {}

    def __repr__(self) -> str:
        return f"<Wishes for {', '.join(self._wishes)}>"

    def __iter__(self) -> Iterator[str]:
        return iter(tuple(self._wishes))

    def note(self, model: str, entry: Entry) -> None:
        """Note an accepted command. What came before it is known from the log, so that all workers know the same."""
        deployment = entry.spec if isinstance(entry.spec, Deployment) else None
        past = [(each.offset, each.spec) for each in entry.past]
        self._wishes[model] = [(SETTINGS, None), *past, (entry.offset, deployment)]

    def newest(self, model: str) -> int:
        """Return the offset of the newest command about a model."""
        return self._wishes[model][-1][0]

    def is_due(self, model: str, here: Here, now: float) -> bool:
        """Tell whether names have to be resolved: for a new command, or again because it has failed."""
        offset, tries = self._asked.get(model, (None, 0))
        failure = here.failures.get(self.newest(model))
        again = failure is not None and failure.tries != tries and now >= failure.retry_at
        return again or offset != self.newest(model)

    def at_hand(self, model: str, here: Here) -> Target | None:
        """Return the newest target where nobody has to be asked: all it names are versions that are there."""
        (offset, deployment), *between = self._newer(model, here) or [(SETTINGS, None)]
        known = {each.offset for each in self.targets.get(model, ())}
        if here.serving is None or deployment is None or not _names(deployment) <= here.ready.keys():
            return None
        if any(each not in known for each, _ in between):  # it might be fallen back on
            return None
        return target_of(model, offset, deployment, lambda _, name: name)

    def question(self, model: str, here: Here) -> Callable[[], Sequence[Target]] | None:
        """Return what asks the store for the targets of a model; it blocks. None where nobody has to be asked."""
        newest, serving = self.newest(model), here.serving
        failure = here.failures.get(newest)
        self._asked[model] = newest, failure.tries if failure else 0
        at_hand = self.at_hand(model, here)
        if at_hand is not None and serving is not None:
            before = self.targets.get(model, ())
            between = [each for each in before if serving.offset < each.offset < newest]
            self.targets[model] = at_hand, *between, serving
            return None
        known: dict[str, Signature | None] = {each.version: None for each in here.failures.values() if each.version}
        known |= here.ready
        return partial(self._resolve, model, tuple(self._newer(model, here)), known, serving)

    def _newer(self, model: str, here: Here) -> list[_Wish]:
        """Return the wishes that are newer than what serves, the newest first."""
        serving = here.serving
        return [each for each in self._wishes[model][::-1] if serving is None or each[0] > serving.offset]

    def _resolve(
        self, model: str, wishes: Sequence[_Wish], known: dict[str, Signature | None], serving: Target | None
    ) -> Sequence[Target]:
        targets = [self._target(model, offset, deployment, known) for offset, deployment in wishes]
        targets += [serving] if serving is not None else []
        if len(wishes) < 2:  # what fits beside what serves is seen when it is loaded
            return targets
        # Who begins has nothing to compare with: what the others saw when they loaded has to be seen again.
        ask = self._seen if serving is None else self._written
        for version in {version: None for target in targets for version in target.needed if version not in known}:
            ask(model, version, known)
        return standing(targets, known)

    def _target(
        self, model: str, offset: int, deployment: Deployment | None, known: Mapping[str, Signature | None]
    ) -> Target:
        if deployment is not None:
            resolve = self._stock.resolve
            return target_of(
                model, offset, deployment, lambda model, name: name if known.get(name) else resolve(model, name)
            )
        try:
            return target_of_settings(model, offset, tuple(self._stock.served(model)))
        except PenstockError as error:
            return Target(model, offset, fault=str(error))

    def _seen(self, model: str, version: str, known: dict[str, Signature | None]) -> None:
        try:
            known[version] = self._stock.signature(model, version)
        except PenstockError:  # it will be heard of when it is to be loaded
            known[version] = None

    def _written(self, model: str, version: str, known: dict[str, Signature | None]) -> None:
        with contextlib.suppress(PenstockError):
            signature = self._stock.look_up(model, version)[1]
            if signature is not None:
                known[version] = signature


def _names(deployment: Deployment) -> set[str]:
    return {each.version for each in deployment.versions} | {each.version for each in deployment.shadows}
