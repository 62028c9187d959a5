"""Requests that flow while commands are given, each answer compared with the version that it names."""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Final

from penstock.cli.demo.answers import Answer
from penstock.cli.demo.held_out import HeldOut
from penstock.cli.demo.load import MOST_MISSING, Tally
from penstock.cli.demo.models import SWITCHED
from penstock.producer.client import Client
from penstock.schemas.errors import PenstockError

PER_SECOND: Final = 1000.0  # asked; less than a service can do, so that what a throttle does is seen
IN_FLIGHT: Final = 64  # at most, so that what is held back by it stays little
TENANT: Final = "acme"
CUSTOMERS: Final = 1000  # each comes back, and must meet the same version


class Flow:
    """Asks one model without end, for the customers in turn.

    Args:
        client: started.
        held_out: rows and what scikit-learn says of them, by version. The rows are the same.

    Attributes:
        answers: in the order in which they came.
        tally: how many were right.
    """

    def __init__(self, client: Client, held_out: Mapping[str, HeldOut]) -> None:
        self._client = client
        self._held_out = held_out
        self._rows = next(iter(held_out.values()))
        self._numbers = itertools.count()
        self._turn = 0.0  # of the next question, on the monotonic clock
        self._ended = False
        self.answers: list[Answer] = []
        self.tally = Tally(0)

    def __repr__(self) -> str:
        return f"<Flow of {SWITCHED}: {len(self.answers)} answers>"

    @asynccontextmanager
    async def flowing(self) -> AsyncIterator[None]:
        """Let requests flow while the block lasts, and wait for the last answers."""
        start = time.monotonic()
        tasks = [asyncio.create_task(self._keep_asking()) for _ in range(IN_FLIGHT)]
        try:
            yield
        except BaseException:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            raise
        self._ended = True
        await asyncio.gather(*tasks)
        self.tally.seconds = time.monotonic() - start

    async def _keep_asking(self) -> None:
        while not self._ended and len(self.tally.missing) < MOST_MISSING:
            number = next(self._numbers)
            await self._await_turn()
            row, customer = number % len(self._rows), b"customer-%d" % (number % CUSTOMERS)
            self.tally.wanted += 1
            asked = time.monotonic()
            try:
                answer = await self._client.predict(SWITCHED, self._rows.row(row), key=customer, tenant=TENANT)
            except PenstockError as error:
                self.tally.missing.append(str(error))
                continue
            came = time.monotonic()
            self.tally.latencies_s.append(came - asked)
            self.answers.append(Answer(asked, came, customer, answer.version))
            version = self._held_out.get(answer.version or "")
            right = version is not None and version.is_right(row, answer.outputs)
            (self.tally.right if right else self.tally.wrong)[SWITCHED] += 1

    async def _await_turn(self) -> None:
        now = time.monotonic()
        turn = max(now, self._turn)
        self._turn = turn + 1.0 / PER_SECOND
        await asyncio.sleep(turn - now)
