"""The gauges that say which versions are loaded, and which of them answer."""

from penstock.core.evicted_model import EvictedModel
from penstock.core.metrics import Metrics
from penstock.core.model_table import ModelTable


class ModelGauges:
    """Shows a model table in the metrics; a version that has gone is shown no more.

    Args:
        metrics: where.
    """

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._loaded: set[tuple[str, str]] = set()
        self._serving: set[tuple[str, str]] = set()

    def show(self, models: ModelTable) -> None:
        """Renew the gauges; what stays is never taken away meanwhile, for the page may be read at any moment."""
        loaded = {(each.name, each.version) for each in models.loaded() if not isinstance(each, EvictedModel)}
        serving = {which for which, share in models.shares().items() if share > 0}
        for which in loaded:
            self._metrics.models.labels(*which).set(1)
        for which in serving:
            self._metrics.serving.labels(*which).set(1)
        for gone in self._loaded - loaded:
            self._metrics.models.remove(*gone)
        for gone in self._serving - serving:
            self._metrics.serving.remove(*gone)
        self._loaded, self._serving = loaded, serving
