"""What has become of what is asked of each model."""

from penstock.consumer.control.served_models import ServedModels
from penstock.consumer.control.wishes import Wishes
from penstock.core.reconciler import is_settled
from penstock.schemas.control.resources import Kind, Resource
from penstock.schemas.control.status import Failed


class Outcomes:
    """Tells how far a worker is with its models.

    Args:
        wishes: what is asked.
        models: what there is.
    """

    def __init__(self, wishes: Wishes, models: ServedModels) -> None:
        self._wishes = wishes
        self._models = models

    def __repr__(self) -> str:
        return f"<Outcomes pending {self.pending()}>"

    def pending(self) -> dict[str, int]:
        """Return the offset of each command that is still being worked on, by its resource."""
        return {_resource(name): self._wishes.newest(name) for name in self._wishes if not self._is_settled(name)}

    def failures(self) -> list[Failed]:
        """Return what was asked for last, and could not be followed, and what serves and is not there whole."""
        found = []
        for model in self._wishes:
            failure = self._models.of(model).failures.get(self._wishes.newest(model))
            if failure is not None:
                reason = failure.reason[:1000]
                found.append(Failed(offset=failure.offset, resource=_resource(model), reason=reason))
            here, missing = self._models.of(model), self._models.missing(model)
            if missing and here.serving is not None:
                reason = "; ".join(missing)[:1000]
                found.append(Failed(offset=here.serving.offset, resource=_resource(model), reason=reason))
        return found

    def unserved(self, model: str) -> str | None:
        """Return why a model has nothing that serves; None when it has, or is not to be served."""
        here = self._models.of(model)
        if here.serving is not None and (here.serving.versions or not here.failures):
            return None
        return "\n".join(dict.fromkeys(each.reason for each in here.failures.values())) or f"{model} is not loaded"

    def _is_settled(self, model: str) -> bool:
        targets = self._wishes.targets.get(model)
        if not targets or targets[0].offset != self._wishes.newest(model):
            return False
        return is_settled(targets, self._models.of(model))


def _resource(model: str) -> str:
    return str(Resource(Kind.DEPLOYMENT, model))
