"""What a worker does next, from what is wanted and what is there."""

from collections.abc import Iterable, Sequence

from hypothesis import given
from hypothesis import strategies as st

from penstock.core.deployment_target import SETTINGS, Target, target_of, target_of_settings
from penstock.core.model import Signature, TensorSpec
from penstock.core.reconciler import (
    NEVER,
    Fail,
    Here,
    Load,
    Retire,
    Serve,
    Step,
    failed,
    is_settled,
    next_retry,
    next_step,
    standing,
)
from penstock.schemas.control.specs import Deployment, Shadow, WeightedVersion
from penstock.schemas.errors import ModelError


def signature(width: int = 1) -> Signature:
    return Signature((TensorSpec("x", "FP32", (width,)),), (TensorSpec("y", "FP32", (width,)),))


def target(offset: int, *versions: str, may_change: bool = False) -> Target:
    return Target("m", offset, tuple((each, 1.0) for each in versions), signature_may_change=may_change)


def carry_out(step: Step, here: Here, *, broken: Iterable[str] = (), wide: Iterable[str] = (), now: float = 0.0) -> str:
    """Do as the worker does, and say it in a word."""
    match step:
        case Load(_, version, True):
            here.shadows.add(version)
            return f"load shadow {version}"
        case Load(goal, version) if version in broken:
            here.failures[goal.offset] = failed(goal, here, "broken", now, version=version)
            return f"break {version}"
        case Load(_, version):
            here.ready[version] = signature(2 if version in wide else 1)
            return f"load {version}"
        case Serve(goal):
            here.serving = goal
            here.failures.pop(goal.offset, None)
            return f"serve {goal.offset}"
        case Retire(_, version, True):
            here.shadows.discard(version)
            return f"retire shadow {version}"
        case Retire(_, version):
            del here.ready[version]
            return f"retire {version}"
        case Fail(goal, reason, for_good):
            here.failures[goal.offset] = failed(goal, here, reason, now, for_good=for_good)
            return f"fail {goal.offset}"


def settle(
    targets: Sequence[Target], here: Here, *, broken: Iterable[str] = (), wide: Iterable[str] = (), now: float = 0.0
) -> list[str]:
    done: list[str] = []
    while (step := next_step(targets, here, now)) is not None:
        done.append(carry_out(step, here, broken=broken, wide=wide, now=now))
        assert len(done) < 100, done
    return done


def serving(version: str, offset: int = 0) -> Here:
    return Here({version: signature()}, serving=target(offset, version))


def test_a_version_is_loaded_before_it_serves_and_the_old_one_goes_last() -> None:
    assert settle([target(1, "2")], serving("1")) == ["load 2", "serve 1", "retire 1"]


def test_one_version_that_fails_keeps_the_old_split_entirely() -> None:
    here = serving("1")
    assert settle([target(1, "2", "3")], here, broken=["3"]) == ["load 2", "break 3", "retire 2"]
    assert (here.serving, here.failures[1].reason, list(here.ready)) == (target(0, "1"), "broken", ["1"])


def test_what_failed_is_tried_again_later_and_later_the_broken_version_first() -> None:
    here, wanted = serving("1"), [target(1, "2", "3")]
    settle(wanted, here, broken=["3"], now=100.0)
    assert next_retry(wanted, here) == 102.0
    assert settle(wanted, here, broken=["3"], now=101.9) == []
    assert settle(wanted, here, broken=["3"], now=102.0) == ["break 3"]
    assert next_retry(wanted, here) == 106.0
    assert settle(wanted, here, now=106.0) == ["load 3", "load 2", "serve 1", "retire 1"]
    assert (here.failures, next_retry(wanted, here)) == ({}, NEVER)


def test_waiting_for_another_try_ends_at_a_minute() -> None:
    here = serving("1")
    for _ in range(30):
        here.failures[1] = failed(target(1, "2"), here, "broken", 0.0)
    assert here.failures[1].retry_at == 60.0


def test_another_signature_fails_for_good_unless_it_may_change() -> None:
    here = serving("1")
    assert settle([target(1, "2")], here, wide=["2"]) == ["load 2", "fail 1", "retire 2"]
    assert "version 2 differ from those of 1" in here.failures[1].reason
    assert settle([target(1, "2")], here, wide=["2"], now=1e9) == []
    assert settle([target(2, "2", may_change=True)], here, wide=["2"]) == ["load 2", "serve 2", "retire 1"]


def test_what_does_not_fit_waits_for_the_deployment_before_it_that_may_change_the_signature() -> None:
    wanted = [target(2, "3"), target(1, "2", may_change=True)]
    done = ["load 3", "load 2", "serve 1", "serve 2", "retire 1", "retire 2"]
    assert settle(wanted, serving("1"), wide=["2", "3"]) == done
    here = serving("1")
    assert settle(wanted, here, wide=["2", "3"], broken=["2"])[:3] == ["load 3", "break 2", "fail 2"]
    assert here.serving == target(0, "1")


def test_versions_that_differ_from_one_another_fail_also_where_nothing_serves() -> None:
    assert settle([target(1, "1", "2")], Here(), wide=["2"])[-3:] == ["fail 1", "retire 1", "retire 2"]


def test_a_newer_command_supersedes_a_load_under_way() -> None:
    here = serving("1")
    assert carry_out(next_step([target(1, "2", "3")], here, 0.0) or Retire("", ""), here) == "load 2"
    assert settle([target(2, "4")], here) == ["load 4", "serve 2", "retire 1", "retire 2"]


def test_when_the_newest_fails_the_one_before_it_is_worked_on_again_but_nothing_older_than_what_serves() -> None:
    here = serving("1", offset=5)
    wanted = [target(7, "3"), target(6, "2"), target(4, "9")]
    assert settle(wanted, here, broken=["3"]) == ["break 3", "load 2", "serve 6", "retire 1"]
    assert settle(wanted, here, broken=["3"], now=100.0) == ["break 3"]


def test_a_newer_command_for_the_same_version_does_not_wait_for_the_next_try() -> None:
    here = serving("1")
    settle([target(1, "2")], here, broken=["2"])
    assert settle([target(2, "2")], here) == ["load 2", "serve 2", "retire 1"]


def test_what_the_store_does_not_have_fails_and_leaves_the_rest_alone() -> None:
    here = serving("1")
    assert settle([Target("m", 1, fault="no version 7")], here) == ["fail 1"]
    assert (here.failures[1].reason, here.serving) == ("no version 7", target(0, "1"))


def test_weights_alone_change_without_loading() -> None:
    here = Here({"1": signature(), "2": signature()}, serving=target(0, "1", "2"))
    assert settle([Target("m", 1, (("1", 9.0), ("2", 1.0)))], here) == ["serve 1"]


def test_shadows_are_loaded_apart_before_anything_changes_and_leave_with_their_deployment() -> None:
    here = serving("1")
    wanted = Target("m", 1, (("1", 1.0),), shadows=(Shadow(version="1"), Shadow(version="2")))
    assert settle([wanted], here) == ["load shadow 1", "load shadow 2", "serve 1"]
    assert settle([target(2, "1")], here) == ["serve 2", "retire shadow 1", "retire shadow 2"]


def test_a_worker_that_begins_falls_back_on_what_served_before_until_the_newest_can_be_loaded() -> None:
    here, wanted = Here(), [target(9, "3"), target(5, "2"), target_of_settings("m", SETTINGS, ("1",))]
    assert settle(wanted, here, broken=["3", "2"]) == ["break 3", "break 2", "load 1", "serve -1"]
    assert settle(wanted, here, broken=["3"], now=50.0) == ["break 3", "load 2", "serve 5", "retire 1"]
    assert settle(wanted, here, now=500.0) == ["load 3", "serve 9", "retire 2"]


def test_a_model_that_is_wanted_no_more_leaves_entirely() -> None:
    here = serving("1")
    assert settle([target_of_settings("m", 1, ())], here) == ["serve 1", "retire 1"]
    assert here.ready == {}


def test_it_is_settled_when_the_newest_target_is_in_force_or_has_failed() -> None:
    here = serving("1")
    assert not is_settled([target(1, "2")], here)
    settle([target(1, "2")], here, broken=["2"])
    assert is_settled([target(1, "2")], here)
    assert is_settled([target(0, "1")], here)


def test_a_late_worker_passes_over_what_the_others_have_refused() -> None:
    signatures = {"1": signature(), "2": signature(2), "3": signature(), "4": signature(2)}
    history = [target(4, "4"), target(3, "3"), target(2, "2"), target(1, "1")]
    newest, *others = standing(history, signatures)
    assert "version 4 differ from those of 3" in newest.fault
    assert [each.offset for each in others] == [3, 1]
    meant = [target(2, "2", may_change=True), target(1, "1")]
    assert [each.offset for each in standing(meant, signatures)] == [2, 1]
    assert [each.offset for each in standing(history, {})] == [4, 3, 2, 1]


def test_what_could_not_be_loaded_is_compared_with_by_nobody() -> None:
    signatures = {"1": signature(), "2": None, "3": signature(2)}
    broken = [target(3, "3"), target(2, "2", may_change=True), target(1, "1")]
    assert "version 3 differ from those of 1" in standing(broken, signatures)[0].fault
    gone = [target(3, "3"), Target("m", 2, signature_may_change=True, fault="no version 2"), target(1, "1")]
    assert standing(gone, signatures)[0].fault == ""


def test_versions_that_differ_from_one_another_are_compared_with_by_nobody() -> None:
    signatures = {"1": signature(), "2": signature(2)}
    newest, *others = standing([target(2, "1"), target(1, "2", "1")], signatures)
    assert (newest.fault, others) == ("", [])


def test_two_names_of_one_version_add_their_weights_up() -> None:
    wanted = Deployment(
        versions=(WeightedVersion(version="latest", weight=1.0), WeightedVersion(version="2", weight=2.0)),
        shadows=(Shadow(version="candidate"),),
    )
    names = {"latest": "2", "candidate": "3"}
    found = target_of("m", 7, wanted, lambda _, name: names.get(name, name))
    assert (found.versions, found.aliases, found.shadows[0].version) == ((("2", 3.0),), {"latest": "2"}, "3")


def test_a_name_that_means_nothing_is_a_fault_of_the_target() -> None:
    def resolve(model: str, name: str) -> str:
        raise ModelError(f"model {model!r} has no version {name!r}")

    wanted = Deployment(versions=(WeightedVersion(version="7"),))
    assert target_of("m", 7, wanted, resolve).fault == "model 'm' has no version '7'"


def test_settings_serve_the_highest_version_and_keep_the_others_at_hand() -> None:
    found = target_of_settings("m", SETTINGS, ("1", "2"))
    assert (found.versions, found.split.first) == ((("1", 0.0), ("2", 1.0)), "2")


_names = st.sampled_from(["1", "2", "3", "4"])
_targets = st.lists(st.tuples(st.lists(_names, min_size=1, max_size=3, unique=True), st.booleans()), max_size=8)


@given(_targets, st.sets(_names), st.sets(_names), st.lists(st.integers(0, 6), max_size=8))
def test_whatever_happens_what_serves_is_loaded_and_everything_else_leaves(
    commands: list[tuple[list[str], bool]], broken: set[str], wide: set[str], interruptions: list[int]
) -> None:
    here = serving("0")
    wanted = [target(0, "0")]
    for number, (versions, may_change) in enumerate(commands):
        wanted.insert(0, target(number + 1, *versions, may_change=may_change))
        for _ in range(interruptions[number] if number < len(interruptions) else 100):
            step = next_step(wanted, here, 0.0)
            if step is None:
                break
            carry_out(step, here, broken=broken, wide=wide)
            assert here.serving is not None
            assert set(here.serving.needed) <= here.ready.keys()
    settle(wanted, here, broken=broken, wide=wide)
    assert is_settled(wanted, here)
    assert here.serving is not None
    assert set(here.ready) == set(here.serving.needed)


@given(_targets, st.sets(_names), st.lists(st.integers(0, 6), max_size=8))
def test_the_end_is_the_newest_that_can_be_followed_whenever_a_worker_began_and_was_interrupted(
    commands: list[tuple[list[str], bool]], broken: set[str], interruptions: list[int]
) -> None:
    here, late = serving("0"), Here()
    wanted = [target(0, "0")]
    for number, (versions, _) in enumerate(commands):
        wanted.insert(0, target(number + 1, *versions))
        for _ in range(interruptions[number] if number < len(interruptions) else 100):
            step = next_step(wanted, here, 0.0)
            if step is not None:
                carry_out(step, here, broken=broken)
    settle(wanted, here, broken=broken)
    settle(wanted, late, broken=broken)
    newest = next(each for each in wanted if not {*each.needed} & broken)
    assert here.serving == late.serving == newest
