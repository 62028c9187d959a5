from collections.abc import AsyncIterator

import pytest

from penstock.broker import EmbeddedKafka


@pytest.fixture(scope="package")
async def kafka() -> AsyncIterator[EmbeddedKafka]:
    """One broker for the tests that leave it as they found it: running, with whatever topics."""
    async with EmbeddedKafka(heap_mb=256) as kafka:
        yield kafka
