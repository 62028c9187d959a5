"""Ctrl-C while the workers are waited for."""

import asyncio
from collections.abc import Callable

from tests.cli.control.conftest import Service
from tests.support.command import interrupt_when
from tests.support.worker_process import WorkerProcess


async def test_order_that_is_not_waited_for_any_longer_stands(
    service: Service, worker_process: Callable[..., WorkerProcess]
) -> None:
    silent = worker_process()
    await silent.start()
    await silent.ready()

    def operate() -> None:
        order = ("throttle", "global", 100)
        ran = interrupt_when(*order, seen="at offset 0", variables=service.variables, folder=service.folder)
        assert ran.status == 130
        assert ran.lines == [
            "The command stands, whoever has done it so far. See: penstock status",
            "Stopped.",
        ]

    await asyncio.to_thread(operate)
