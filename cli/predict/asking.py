"""Ask the service for every row, many requests at a time, and pair each request with what became of it."""

import asyncio
import time
from collections import deque
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Final

from penstock.cli.predict.numbers import encode
from penstock.cli.predict.requests import Requests
from penstock.cli.predict.rows import Block, Source
from penstock.producer.exchange import Exchange
from penstock.producer.many import gather
from penstock.producer.prediction import Prediction
from penstock.producer.requests import request_headers
from penstock.schemas.errors import PenstockError, ServiceError, TransportError

# What the service says of the first request and would say of every other as well.
_OF_EVERY_REQUEST: Final = frozenset({"UNKNOWN_MODEL", "VERSION_GONE", "BAD_NAME"})
_OF_EVERY_LIKE_IT: Final = frozenset({"BAD_INPUT", "BAD_DTYPE", "BAD_SHAPE"})


@dataclass(frozen=True, slots=True)
class Target:
    """What every request wants.

    Attributes:
        model: its name.
        version: pinned; None is whichever the service has deployed.
        key: of the records; None spreads them over the partitions.
        limit_s: seconds to wait for an answer.
    """

    model: str
    version: str | None
    key: str | None
    limit_s: float


@dataclass(slots=True)
class Answer:
    """A request and what became of it.

    Attributes:
        block: its rows.
        outcome: the prediction, or why there is none.
        took_s: seconds from sending to the answer.
    """

    block: Block
    outcome: Prediction | PenstockError
    took_s: float


async def ask(
    exchange: Exchange, first: Block, requests: Requests, target: Target, max_in_flight: int
) -> AsyncGenerator[Answer, None]:
    """Yield the answers in the order of the rows.

    The first request goes alone. What is wrong with it may be mended by another datatype; or it is wrong with all
    of them, and then no other is sent.
    """
    answer = await _ask_first(exchange, first, requests, target)
    yield answer
    if is_hopeless(answer.outcome, requests.source):
        return
    headers = request_headers(target.model, target.version, None, target.limit_s)
    flights: deque[_Flight] = deque()

    async def submit(_: int, item: tuple[Block, bytes]) -> "asyncio.Future[Prediction]":
        block, value = item
        flight = _Flight(block)
        flights.append(flight)
        left_s = await exchange.wait_for_room(target.limit_s)
        return flight.start(exchange.send(value, headers, target.key, left_s, None))

    silent = 0  # requests in a row that nobody answered
    async for outcome in gather(requests.rest(), submit, ordered=True, max_in_flight=max_in_flight):
        flight = flights.popleft()
        yield Answer(flight.block, outcome, flight.took_s)
        silent = silent + 1 if isinstance(outcome, TransportError) else 0
        if silent >= max_in_flight:  # all that were on their way: the service is gone
            return


def is_hopeless(outcome: Prediction | PenstockError, source: Source) -> bool:
    """Tell whether what became of the first request will become of every other."""
    if isinstance(outcome, ServiceError):
        return outcome.code in _OF_EVERY_REQUEST or (source.alike and outcome.code in _OF_EVERY_LIKE_IT)
    return isinstance(outcome, TransportError)


async def _ask_first(exchange: Exchange, block: Block, requests: Requests, target: Target) -> Answer:
    headers = request_headers(target.model, target.version, None, target.limit_s)
    while True:
        value = encode(requests.source, block, requests.datatypes)
        flight = _Flight(block)
        try:
            outcome: Prediction | PenstockError = await flight.start(
                exchange.send(value, headers, target.key, target.limit_s, None)
            )
        except PenstockError as error:
            if isinstance(error, ServiceError) and requests.datatypes.learn(error, block):
                continue
            outcome = error
        return Answer(block, outcome, flight.took_s)


class _Flight:
    """A request on its way."""

    __slots__ = ("_landed", "_started", "block")

    def __init__(self, block: Block) -> None:
        self.block = block
        self._started = time.monotonic()
        self._landed: float | None = None

    @property
    def took_s(self) -> float:
        # Of many that landed together the callbacks may not have had their turn yet.
        return (self._landed or time.monotonic()) - self._started

    def start(self, future: "asyncio.Future[Prediction]") -> "asyncio.Future[Prediction]":
        self._started = time.monotonic()
        future.add_done_callback(self._land)
        return future

    def _land(self, _: object) -> None:
        self._landed = time.monotonic()
