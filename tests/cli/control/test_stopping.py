"""The end of waiting for workers that say nothing: Ctrl-C, or the time is over."""

import asyncio
from collections.abc import Callable

from tests.cli.control.conftest import Service
from tests.support.command import interrupt_when
from tests.support.worker_process import WorkerProcess


async def test_order_that_is_not_waited_for_any_longer_stands_and_who_said_nothing_is_named(
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

        late = service(*order, "--timeout", 1)
        assert late.status == 1
        assert late.out.splitlines()[1].endswith("  silent")
        assert "had said nothing. The command stands" in late.lines[0]

    await asyncio.to_thread(operate)
