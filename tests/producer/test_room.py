"""Room for more requests in flight."""

import asyncio

import pytest

from penstock.producer.room import Room


class Flight:
    """So many requests in flight."""

    def __init__(self, number: int, limit: int) -> None:
        self.number = number
        self.room = Room(limit, lambda: self.number)
        self.room.update()

    def change(self, step: int) -> None:
        self.number += step
        self.room.update()


async def test_who_finds_room_has_all_of_the_time_left() -> None:
    assert await Flight(1, limit=2).room.wait(5.0) == 5.0


async def test_who_waited_has_the_rest_of_the_time() -> None:
    flight = Flight(2, limit=2)
    waiting = asyncio.create_task(flight.room.wait(5.0))
    await asyncio.sleep(0)
    flight.change(-1)
    assert 0 < await waiting < 5.0


async def test_no_room_in_time_is_a_timeout() -> None:
    with pytest.raises(TimeoutError):
        await Flight(2, limit=2).room.wait(0.01)


async def test_room_that_another_took_first_is_waited_for_again() -> None:
    flight = Flight(2, limit=2)
    waiting = asyncio.create_task(flight.room.wait(5.0))
    await asyncio.sleep(0)
    flight.change(-1)
    flight.change(+1)
    for _ in range(3):
        await asyncio.sleep(0)
    assert not waiting.done()
    flight.change(-1)
    await waiting


async def test_closed_room_lets_everybody_through_however_full_it_is() -> None:
    flight = Flight(2, limit=2)
    waiting = asyncio.create_task(flight.room.wait(5.0))
    await asyncio.sleep(0)
    flight.room.close()
    flight.change(+1)
    await waiting
    assert await flight.room.wait(5.0) == 5.0
