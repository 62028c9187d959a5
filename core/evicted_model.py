"""The place of a version that has left memory and comes back when somebody asks for it."""

from typing import NoReturn

from penstock.core.model import NamedModel, Signature, Tensors
from penstock.schemas.errors import ModelError


class EvictedModel(NamedModel):
    """A version that is known and not loaded. Requests are decoded for it, and wait until it is there again.

    Args:
        name, version: what requests call it.
        signature: what it takes and gives.
    """

    def __init__(self, name: str, version: str, signature: Signature) -> None:
        super().__init__(name, version)
        self._signature = signature

    @property
    def signature(self) -> Signature:
        """What the model takes and gives."""
        return self._signature

    @property
    def steady(self) -> bool:
        """Nobody knows."""
        return False

    def run(self, inputs: Tensors) -> NoReturn:
        """Refuse: batches for it wait, and do not come here.

        Raises:
            ModelError: always.
        """
        raise ModelError(f"{self._who} is not loaded")

    def warm_up(self) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing: it holds nothing."""
