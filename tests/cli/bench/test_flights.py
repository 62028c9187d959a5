"""Requests on their way: each ends once, by a reply or by its deadline."""

from penstock.cli.bench.flights import Flights, Leaving
from penstock.cli.bench.turns import Turns


def test_reply_finds_its_request_by_the_id():
    flights = Flights()
    (number,) = flights.depart(1, Leaving(10.0, 10.5))
    assert flights.number_of(flights.id_of(number)) == number
    assert flights.land(number) == Leaving(10.0, 10.5)
    assert len(flights) == 0


def test_ids_of_others_are_nobodys():
    flights, others = Flights(), Flights()
    assert flights.number_of(others.id_of(0)) is None
    assert flights.number_of(None) is None
    assert flights.number_of(flights.prefix + b"x") is None


def test_second_reply_to_a_request_counts_as_late():
    flights = Flights()
    (number,) = flights.depart(1, Leaving(1.0, 1.0))
    flights.land(number)
    assert flights.land(number) is None
    assert flights.late == 1


def test_requests_expire_in_the_order_in_which_they_left():
    flights = Flights()
    first, second = Leaving(1.0, 1.0), Leaving(1.0, 2.0)
    numbers = flights.depart(2, first)
    flights.depart(3, second)
    flights.land(numbers[0])
    assert flights.expire(1.5) == [first]
    assert flights.expire(1.5) == []
    assert flights.expire(2.5) == [second] * 3


def test_those_that_were_due_long_ago_are_counted_up_to_a_bound():
    flights = Flights()
    flights.depart(5, Leaving(1.0, 1.0))
    flights.depart(5, Leaving(2.0, 2.0))
    assert flights.older_than(1.5, 100) == 5
    assert flights.older_than(9.0, 7) == 7


def test_number_that_is_reserved_is_given_to_no_other():
    flights = Flights()
    reserved = flights.reserve()
    assert reserved not in flights.depart(3, Leaving(1.0, 1.0))


def test_few_requests_go_together_and_each_moment_to_the_next_partition():
    turns = Turns(3)
    assert [list(turns.take(2)) for _ in range(4)] == [[(0, 2)], [(1, 2)], [(2, 2)], [(0, 2)]]


def test_many_requests_go_to_every_partition():
    assert list(Turns(4).take(100)) == [(0, 25), (1, 25), (2, 25), (3, 25)]
    assert list(Turns(4).take(18)) == [(0, 8), (1, 8), (2, 2)]
