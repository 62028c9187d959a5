"""Where a model runs: in this process, or in one of its own."""

from dataclasses import dataclass, replace

from penstock.core.isolation.isolated_model import IsolatedModel
from penstock.core.isolation.process import Opening
from penstock.core.model import Model
from penstock.core.settings import ServedModelsSettings
from penstock.core.triton_config import TritonConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class Isolation:
    """Where models run.

    Attributes:
        own_process: each in a process of its own.
        run_timeout_s: after which a run there is given up.
    """

    own_process: bool = False
    run_timeout_s: float = 60.0

    def narrowed(self, config: TritonConfig) -> "Isolation":
        """Return what holds for a model whose config.pbtxt is this."""
        own = self.own_process if config.isolation is None else config.isolation == "process"
        return replace(self, own_process=own, run_timeout_s=config.run_timeout_s or self.run_timeout_s)

    def open(self, name: str, version: str, opening: Opening) -> Model:
        """Open a model where it is to run.

        Args:
            name: what requests call the model.
            version: what requests call this version.
            opening: returns it; picklable.

        Raises:
            ModelError: it cannot be loaded.
        """
        if not self.own_process:
            return opening()
        return IsolatedModel(name, version, opening, run_timeout_s=self.run_timeout_s)


def isolation_of(settings: ServedModelsSettings) -> Isolation:
    """Return what the settings say."""
    return Isolation(own_process=settings.isolation == "process", run_timeout_s=settings.run_timeout_s)
