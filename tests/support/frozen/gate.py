"""Requests that wait at a gate until the broker stands still, and only then are sent to it."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from aiokafka.client import AIOKafkaClient


class Moment:
    """A point of an operation: the requests of one kind by one client, from when it is armed.

    Args:
        client: how the client's id begins.
        request: name of the requests' class.
        where: which of these requests; any by default.

    Attributes:
        reached: the first of them waits at the gate.
        answered: one of them was answered; an error is no answer.
    """

    def __init__(self, client: str, request: str, where: Callable[[Any], bool] = lambda _: True) -> None:
        self.client = client
        self.request = request
        self.where = where
        self.reached = asyncio.Event()
        self.answered = False

    def __repr__(self) -> str:
        return f"<{self.request} of {self.client}>"

    def is_for(self, client_id: str, request: Any) -> bool:
        """Tell whether a request is one of them."""
        return type(request).__name__ == self.request and client_id.startswith(self.client) and self.where(request)


class Gate:
    """Holds the requests of moments back until it opens. Everything else passes."""

    def __init__(self) -> None:
        self.opened = asyncio.Event()
        self._moments: list[Moment] = []

    def arm(self, client: str, request: str, where: Callable[[Any], bool] = lambda _: True) -> Moment:
        """Wait for a moment from now on."""
        moment = Moment(client, request, where)
        self._moments.append(moment)
        return moment

    @contextmanager
    def in_place(self) -> Iterator["Gate"]:
        """Have all clients of this process pass by here."""
        real = AIOKafkaClient.send

        async def send(client: AIOKafkaClient, node_id: int, request: Any, **options: Any) -> Any:
            found = next((each for each in self._moments if each.is_for(client._client_id, request)), None)
            if found is None:
                return await real(client, node_id, request, **options)
            found.reached.set()
            await self.opened.wait()
            answer = await real(client, node_id, request, **options)
            found.answered = True
            return answer

        AIOKafkaClient.send = send
        try:
            yield self
        finally:
            AIOKafkaClient.send = real
