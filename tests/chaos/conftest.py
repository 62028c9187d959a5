"""What the tests of faults share: one cluster that may be harmed, and the models."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.chaos.cluster import FaultyCluster
from tests.chaos.models import make_models
from tests.support import cluster


@pytest.fixture(scope="package")
async def faulty_cluster() -> AsyncIterator[FaultyCluster]:
    """Three nodes behind a proxy. A test leaves them as it found them: running, and in sync."""
    reason = cluster.foreign()
    if reason:
        pytest.skip(reason)
    async with FaultyCluster() as found:
        yield found


@pytest.fixture(scope="package")
def adders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model repository; see `tests.chaos.models`."""
    return make_models(tmp_path_factory.mktemp("chaos") / "models")
