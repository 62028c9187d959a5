"""What to roll back to, and which version is the canary."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.producer.control.history import answering, canary, previous
from penstock.producer.control.results import CannotChange
from penstock.schemas.control.specs import Deployment, WeightedVersion


def of(text: str, **others: Any) -> Deployment:
    """A deployment as '3:90 4:10'."""
    pairs = (each.partition(":") for each in text.split())
    versions = tuple(WeightedVersion(version=version, weight=float(weight or 100)) for version, _, weight in pairs)
    return Deployment(versions=versions, **others)


def past(*texts: str | None) -> list[Deployment | None]:
    return [None if text is None else of(text) for text in texts]


VERSION = st.sampled_from("1234")
SPECS = st.dictionaries(VERSION, st.sampled_from([0, 1, 10, 90]), min_size=1).filter(lambda d: any(d.values()))
HISTORIES = st.lists(
    st.none() | SPECS.map(lambda d: of(" ".join(f"{name}:{weight}" for name, weight in d.items()))), max_size=8
)


@pytest.mark.parametrize(
    ("history", "back_to"),
    [
        (["3", "4"], "3"),
        (["3", "3:90 4:10"], "3"),
        (["3", "3:90 4:10", "3:50 4:50"], "3"),
        (["3", "3:90 4:10", "4"], "3:90 4:10"),
        (["2", "3", None], "3"),
        (["3", None, "4"], "3"),
        (["2", "3", "2"], "3"),
        (["2", "3", "3 2:0"], "2"),
    ],
)
def test_rollback_goes_to_the_last_deployment_with_other_versions(history: list[str | None], back_to: str):
    assert previous("iris", past(*history)) == of(back_to)


def test_stable_rollback_of_a_promoted_canary_passes_over_its_rise():
    history = past("3", "3:90 4:10", "3:50 4:50", "4")
    assert previous("iris", history, stable=True) == of("3")


@pytest.mark.parametrize("history", [[], ["3"], ["3", "3"], [None]])
def test_without_an_earlier_deployment_rollback_is_refused(history: list[str | None]):
    with pytest.raises(CannotChange, match="iris has no earlier deployment to go back to"):
        previous("iris", past(*history))


def test_way_back_may_change_the_signature_where_the_way_here_could():
    history = [of("3"), of("4", signature_may_change=True), of("4:99")]
    assert previous("iris", history).signature_may_change
    assert not previous("iris", past("3", "4")).signature_may_change


@given(HISTORIES, st.booleans())
def test_rollback_changes_who_answers_to_something_that_was_there(history: list[Deployment | None], stable: bool):
    try:
        found = previous("iris", history, stable=stable)
    except CannotChange:
        present = answering(history[-1] if history else None)
        others = [spec for spec in history if spec is not None and answering(spec) != present]
        assert not others or (stable and all(len(answering(spec)) > 1 for spec in others))
    else:
        assert answering(found) != answering(history[-1])
        assert any(spec is not None and spec.versions == found.versions for spec in history[:-1])
        assert not stable or len(answering(found)) == 1


@pytest.mark.parametrize(
    ("history", "chosen"),
    [
        (["3", "3:90 4:10"], "4"),
        (["3", "3:40 4:60"], "4"),  # also when it has most of the traffic
        (["3", "4:10 3:90", "4:50 3:50"], "4"),
        (["3:90 4:10"], "4"),  # both are new: the smallest
        (["3:50 4:50"], "4"),  # and both equal: the last
        (["3:90 4:10", "4", "4:90 3:10"], "3"),  # one that has come back is new
        (["3", None, "3:10 4:90"], "3"),
        (["3 2:0", "3:90 2:0 4:10"], "4"),
    ],
)
def test_canary_is_the_newest_version_that_answers(history: list[str | None], chosen: str):
    assert canary("iris", past(*history)) == chosen


@pytest.mark.parametrize(("history", "said"), [([], "no deployment"), (["3", None], "no deployment"), (["3"], "alone")])
def test_without_a_canary_there_is_nothing_to_promote(history: list[str | None], said: str):
    with pytest.raises(CannotChange, match=said):
        canary("iris", past(*history))


@given(HISTORIES)
def test_canary_answers_now(history: list[Deployment | None]):
    try:
        assert canary("iris", history) in answering(history[-1])
    except CannotChange:
        assert not history or len(answering(history[-1])) < 2
