"""Placing: which version runs which requests of a batch."""

from collections.abc import Sequence
from itertools import chain

from penstock.consumer.block import RequestBlock
from penstock.consumer.pending import PendingRequest
from penstock.core.batch import Batch
from penstock.core.model_table import ModelTable


def place(batch: Batch[PendingRequest], models: ModelTable) -> list[Batch[PendingRequest]]:
    """Divide a batch among the versions that serve its model.

    A batch whose requests pin a version, or whose model has one version, stays as it is. Otherwise each request goes by
    its key, and one without a key by its source coordinates; so a key keeps its version, and the order of its requests.
    """
    split = models.split_of(batch.key.model) if batch.key.version is None and batch.rows else None
    if split is None:
        return [batch]
    keys = list(chain.from_iterable(routing_keys(chunk.requests) for chunk in batch.chunks))
    return batch.divided(split.choose(keys), split.versions)


def routing_keys(requests: Sequence[PendingRequest]) -> list[bytes]:
    """Return what each request goes by: its key, or where it lies when it has none."""
    if isinstance(requests, RequestBlock):
        source = requests.progress.source
        pairs = zip(requests.keys, requests.records, strict=True)
        return [b"%b%d" % (source, record.offset) if key is None else key for key, record in pairs]
    return [
        b"%b%d" % (request.progress.source, request.record.offset) if request.record.key is None else request.record.key
        for request in requests
    ]
