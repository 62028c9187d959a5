"""For how long something that should move has stood still."""

from penstock.consumer.watching.stillness import Stillness


def test_a_clock_runs_while_a_value_that_should_move_does_not() -> None:
    stillness = Stillness()
    assert stillness.see("a", 5, 10.0, should_move=True) == 0.0
    assert stillness.see("a", 5, 13.0, should_move=True) == 3.0
    assert stillness.see("a", 6, 14.0, should_move=True) == 0.0
    assert stillness.see("a", 6, 15.5, should_move=True) == 1.5


def test_a_value_that_need_not_move_has_no_clock() -> None:
    stillness = Stillness()
    stillness.see("a", 5, 10.0, should_move=True)
    assert stillness.see("a", 5, 20.0, should_move=False) == 0.0
    assert stillness.see("a", 5, 30.0, should_move=True) == 0.0


def test_clocks_are_apart_and_may_begin_anew() -> None:
    stillness = Stillness()
    for name in "abc":
        stillness.see(name, 0, 0.0, should_move=True)
    stillness.forget("a")
    assert [stillness.see(name, 0, 9.0, should_move=True) for name in "abc"] == [0.0, 9.0, 9.0]
    stillness.forget_all()
    assert [stillness.see(name, 0, 19.0, should_move=True) for name in "abc"] == [0.0, 0.0, 0.0]
