"""The place of a version that has left memory and comes back when somebody asks for it."""

from typing import NoReturn

from penstock.core.model import NamedModel, Signature, Tensors
from penstock.schemas.errors import ErrorCode, ModelError, RequestError


class EvictedModel(NamedModel):
    """A version that is known and not loaded. Requests are decoded for it, and wait until it is there again.

    Args:
        name, version: what requests call it.
        signature: what it takes and gives.
        failure: why it could not be loaded again; empty where that was not tried, or not to its end.
        waits: whether requests wait for it; else they are answered with the failure.
    """

    def __init__(self, name: str, version: str, signature: Signature, *, failure: str = "", waits: bool = True) -> None:
        super().__init__(name, version)
        self._signature = signature
        self.failure = failure
        self.waits = waits

    @property
    def signature(self) -> Signature:
        """What the model takes and gives."""
        return self._signature

    @property
    def steady(self) -> bool:
        """Nobody knows."""
        return False

    def run(self, inputs: Tensors) -> NoReturn:
        """Refuse.

        Raises:
            RequestError: MODEL_FAILED, where it could not be loaded again.
            ModelError: otherwise: batches for it wait, and do not come here.
        """
        if self.failure:  # no part of a batch would fare better; why it failed is for the operator alone
            raise RequestError(ErrorCode.MODEL_FAILED, f"{self._who} has left memory and cannot be loaded now")
        raise ModelError(f"{self._who} is not loaded")

    def put_off(self, failure: str) -> "EvictedModel":
        """Return what stands for it when it could not be loaded: nobody waits for it."""
        return EvictedModel(self.name, self.version, self._signature, failure=failure, waits=False)

    def awaited(self) -> "EvictedModel":
        """Return what stands for it when it is to be tried again; why it has failed is still known."""
        return EvictedModel(self.name, self.version, self._signature, failure=self.failure)

    def warm_up(self) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing: it holds nothing."""
