"""What the tests of orders share: a service on a real broker, and whoever gives it orders."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from penstock.producer.control.control import Control
from penstock.schemas.control.signing import Signer
from penstock.transport.control.keys import trusted_key_table, write_private_key
from tests.transport.control.service import ROOT, ControlledService, new_service

Open = Callable[..., Awaitable[Control]]


@pytest.fixture
async def service(bootstrap: str) -> ControlledService:
    return await new_service(bootstrap)


@pytest.fixture
async def control(service: ControlledService, tmp_path: Path) -> AsyncIterator[Open]:
    """Open a `Control` with a key; by default that of the only root key."""
    trusted = tmp_path / "trusted.toml"
    trusted.write_text(trusted_key_table("root", service.keys["root"]))
    async with AsyncExitStack() as stack:

        async def open_(signer: Signer | None = ROOT, **options: Any) -> Control:
            key = None if signer is None else tmp_path / f"{signer.key_id}.key"
            if key is not None and signer is not None and not key.exists():
                write_private_key(key, signer)
            settings: dict[str, Any] = {
                "key": key,
                "trusted_keys": trusted,
                "issuer": "anna",
                "timeout_s": 10.0,
                **options,
            }
            return await stack.enter_async_context(Control(service.bootstrap, service.group, **settings))

        yield open_
