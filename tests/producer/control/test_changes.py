"""What orders make of the deployment that there is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.producer.control.changes import deployment, lane, weights_of, with_canary
from penstock.producer.control.results import CannotChange
from penstock.schemas.control.refusals import CommandRefused
from penstock.schemas.control.specs import Batching, Deployment, Lane, Shadow, WeightedVersion

VERSIONS = st.lists(st.sampled_from("123456789"), min_size=1, max_size=6, unique=True)
WEIGHTS = st.floats(min_value=0.001, max_value=1e6)
DEPLOYMENTS = VERSIONS.flatmap(
    lambda names: st.tuples(*(st.builds(WeightedVersion, version=st.just(name), weight=WEIGHTS) for name in names))
).map(lambda versions: Deployment(versions=versions))


def of(**weights: float) -> Deployment:
    return Deployment(versions=tuple(WeightedVersion(version=name[1:], weight=w) for name, w in weights.items()))


def test_one_version_gets_everything():
    assert deployment(None, weights_of("4")) == of(v4=100.0)


def test_weights_stay_as_they_were_given():
    assert deployment(None, weights_of({"3": 1, "4": 3})) == of(v3=1.0, v4=3.0)


@given(DEPLOYMENTS, st.floats(min_value=0.0, max_value=99.99))
def test_canary_gets_its_part_and_the_others_keep_their_proportions(present: Deployment, percent: float):
    weights = with_canary("iris", present, "canary", percent)
    assert weights[-1] == ("canary", percent)
    assert sum(weight for _, weight in weights) == pytest.approx(100.0)
    total = sum(each.weight for each in present.versions)
    for each, (name, weight) in zip(present.versions, weights, strict=False):
        assert name == each.version
        assert weight == pytest.approx((100.0 - percent) * each.weight / total)


@given(DEPLOYMENTS, st.floats(min_value=0.0, max_value=99.0), st.floats(min_value=0.0, max_value=99.0))
def test_raising_a_canary_is_the_same_as_beginning_with_that_part(present: Deployment, first: float, then: float):
    begun = deployment(present, with_canary("iris", present, "canary", first))
    raised = dict(with_canary("iris", begun, "canary", then))
    assert raised == pytest.approx(dict(with_canary("iris", present, "canary", then)))


def test_version_of_weight_0_stays_with_the_canary():
    assert with_canary("iris", of(v3=1.0, v2=0.0), "4", 10.0) == [("3", 90.0), ("2", 0.0), ("4", 10.0)]


@pytest.mark.parametrize("percent", [-1.0, 100.0, float("nan")])
def test_canary_of_no_possible_part_is_refused(percent: float):
    with pytest.raises(CannotChange, match="a canary gets 0 percent or more, and less than 100"):
        with_canary("iris", of(v3=1.0), "4", percent)


def test_canary_needs_somebody_to_serve_beside():
    with pytest.raises(CannotChange, match="iris has no deployment"):
        with_canary("iris", None, "4", 10.0)
    with pytest.raises(CannotChange, match="iris is served by 4 alone"):
        with_canary("iris", of(v4=1.0), "4", 10.0)


def test_what_is_not_said_stays_and_the_leave_to_change_the_signature_does_not():
    present = Deployment(
        versions=(WeightedVersion(version="3"),), salt="spring", batching=Batching(max_rows=64),
        not_finite="refuse", signature_may_change=True,
    )  # fmt: skip
    after = deployment(present, weights_of("4"), salt=None, batching=None)
    assert (after.salt, after.batching.max_rows, after.not_finite) == ("spring", 64, "refuse")
    assert not after.signature_may_change
    assert deployment(present, weights_of("4"), signature_may_change=True).signature_may_change
    assert deployment(present, weights_of("4"), salt="", batching=Batching()).batching == Batching()


def test_shadows_stay_but_for_those_that_now_answer_and_can_be_taken_away():
    present = deployment(None, weights_of("3"), shadows=["4", Shadow(version="5", share=0.5)])
    assert [each.version for each in present.shadows] == ["4", "5"]
    assert [each.version for each in deployment(present, weights_of("4")).shadows] == ["5"]
    assert deployment(present, weights_of("4"), shadows=()).shadows == ()


def test_weights_that_nobody_could_follow_are_refused():
    with pytest.raises(CommandRefused, match=r"BAD_SPEC: .*weight"):
        deployment(None, weights_of({"3": -1.0}))
    with pytest.raises(CommandRefused, match="every weight is 0"):
        deployment(None, weights_of({"3": 0.0}))


def test_weight_of_a_lane_stays_where_none_is_given():
    assert lane(Lane(state="running", weight=5), "paused", None) == {"state": "paused", "weight": 5}
    assert lane(None, "paused", 2) == {"state": "paused", "weight": 2}
    assert lane(None, "paused", None) == {"state": "paused"}
