"""What is remembered of the deployments that a model had before."""

from hypothesis import given
from hypothesis import strategies as st

from penstock.schemas.control.past import MOST_PAST, Past, remembered
from penstock.schemas.control.specs import Deployment, WeightedVersion


def kept(free: list[bool]) -> list[int]:
    """The offsets that are remembered after deployments that are free or not."""
    past: tuple[Past, ...] = ()
    for offset, may_change in enumerate(free):
        spec = Deployment(versions=(WeightedVersion(version="1"),), signature_may_change=may_change)
        past = remembered(past, Past(offset, spec))
    return [each.offset for each in past]


@given(st.lists(st.booleans()))
def test_the_newest_ones_are_there_and_what_all_later_ones_are_compared_with(free: list[bool]) -> None:
    found = kept(free)
    assert found == sorted(set(found))
    assert len(found) == min(len(free), MOST_PAST)
    assert {*range(len(free))[-MOST_PAST + 2 :]} <= {*found}
    if True in free:
        last = max(offset for offset, each in enumerate(free) if each)
        assert {last, min(last + 1, len(free) - 1)} <= {*found}
    elif free:
        assert found[0] == 0


def test_a_removal_lets_the_next_one_be_as_it_likes() -> None:
    assert Past(3, None).free
