"""The model table: who answers a name and a version."""

import pytest

from penstock.core.callable_model import CallableModel
from penstock.core.evicted_model import EvictedModel
from penstock.core.model import Signature, TensorSpec
from penstock.core.model_table import ModelTable
from penstock.core.routing import Split, all_to
from penstock.schemas.errors import ErrorCode, RequestError

SIGNATURE = Signature((TensorSpec("x", "FP32", ()),), (TensorSpec("y", "FP32", ()),))


def model(name: str, version: str, closed: list[str] | None = None) -> CallableModel:
    def close() -> None:
        if closed is not None:
            closed.append(f"{name}@{version}")

    return CallableModel(name, version, lambda inputs: {"y": inputs["x"]}, SIGNATURE, on_close=close)


def refused(models: ModelTable, name: str | None, version: str | None = None) -> ErrorCode:
    with pytest.raises(RequestError) as caught:
        models.resolve(name, version)
    return caught.value.code


def test_the_version_added_last_serves_and_the_others_may_be_pinned() -> None:
    models = ModelTable()
    one, two = model("a", "1"), model("a", "2")
    models.add(one)
    models.add(two)
    assert models.resolve("a") is two
    assert models.resolve("a", "1") is one
    assert list(models.loaded()) == [one, two]


def test_a_version_may_be_loaded_without_serving() -> None:
    models = ModelTable()
    one, two = model("a", "1"), model("a", "2")
    models.add(one, serve=False)  # the first serves in any case
    models.add(two, serve=False)
    assert models.resolve("a") is one
    assert models.resolve("a", "2") is two


@pytest.mark.parametrize("name", [None, ""])
def test_a_request_without_a_model_gets_the_default(name: str | None) -> None:
    models = ModelTable("b")
    for each in ("a", "b"):
        models.add(model(each, "1"))
    assert models.resolve(name).name == "b"
    assert refused(ModelTable(), name) is ErrorCode.UNKNOWN_MODEL


def test_what_is_not_loaded_is_unknown_or_gone() -> None:
    models = ModelTable()
    models.add(model("a", "1"))
    assert refused(models, "b") is ErrorCode.UNKNOWN_MODEL
    assert refused(models, "a", "2") is ErrorCode.VERSION_GONE
    assert refused(models, "a", "") is ErrorCode.VERSION_GONE


def test_close_closes_every_version() -> None:
    closed: list[str] = []
    models = ModelTable()
    for name, version in (("a", "1"), ("a", "2"), ("b", "1")):
        models.add(model(name, version, closed))
    assert len(models) == 2
    models.close()
    assert closed == ["a@1", "a@2", "b@1"]
    assert len(models) == 0
    assert refused(models, "a") is ErrorCode.UNKNOWN_MODEL


def test_repr_shows_what_serves() -> None:
    models = ModelTable()
    for name, version in (("b", "1"), ("a", "1"), ("a", "2")):
        models.add(model(name, version))
    assert list(models) == ["b", "a"]
    assert repr(models) == "<ModelTable b@1, a@2>"


def test_a_split_decides_what_unpinned_requests_may_get() -> None:
    models = ModelTable()
    for version in ("1", "2", "3"):
        models.add(model("a", version))
    assert models.split_of("a") is None, "one version gets everything"
    split = Split(("1", "2", "3"), (0.0, 90.0, 10.0))
    models.divide("a", split)
    assert models.split_of("a") is split
    assert models.resolve("a").version == "2"
    assert models.resolve("a", "1").version == "1", "weight 0 still answers who asks for it"
    assert models.serving() == ["a@2", "a@3"]
    assert models.shares() == {("a", "1"): 0.0, ("a", "2"): 0.9, ("a", "3"): 0.1}
    models.divide("a", Split(("1", "2"), (0.0, 1.0)))
    assert models.split_of("a") is None


def test_aliases_name_versions_that_may_be_pinned() -> None:
    models = ModelTable()
    models.add(model("a", "1"))
    models.divide("a", all_to("1"), aliases={"champion": "1", "latest": "2"})
    assert models.resolve("a", "champion").version == "1"
    assert refused(models, "a", "latest") is ErrorCode.VERSION_GONE


def test_each_change_is_told_and_the_last_version_takes_the_model_along() -> None:
    models, changes = ModelTable(), list[int]()
    models.on_change = lambda: changes.append(len(models))
    one, again = model("a", "1"), model("a", "1")
    models.add(one)
    assert models.replace(again) is one
    assert models.resolve("a") is again
    assert models.remove("a", "1") is again
    assert changes == [1, 1, 0]
    assert refused(models, "a") is ErrorCode.UNKNOWN_MODEL


def test_requests_of_a_version_that_has_left_memory_wait_and_somebody_is_told() -> None:
    models, wanted = ModelTable(), list[tuple[str, str]]()
    models.on_wanted = lambda name, version: wanted.append((name, version))
    for version in ("1", "2"):
        models.add(model("a", version))
    models.replace(EvictedModel("a", "1", SIGNATURE))
    assert models.is_ready("a", None), "the one that serves is there"
    assert models.is_ready("other", None)
    assert not models.is_ready("a", "1")
    models.divide("a", Split(("1", "2"), (1.0, 1.0)), aliases={"old": "1"})
    assert not models.is_ready("a", None)
    assert not models.is_ready("a", "old")
    assert wanted == [("a", "1")] * 3
    models.replace(model("a", "1"))
    assert models.is_ready("a", None)


def test_requests_of_a_version_that_cannot_come_back_do_not_wait_until_it_is_tried_again() -> None:
    models, wanted = ModelTable(), list[str]()
    models.on_wanted = lambda _, version: wanted.append(version)
    models.add(model("a", "1"))
    place = EvictedModel("a", "1", SIGNATURE).put_off("the disk is gone")
    models.replace(place)
    assert (models.is_ready("a", None), wanted) == (True, [])
    with pytest.raises(RequestError, match=r"a@1 has left memory and cannot be loaded now$") as caught:
        models.resolve("a").run({})
    assert caught.value.code is ErrorCode.MODEL_FAILED
    models.replace(place.awaited())
    assert (models.is_ready("a", None), wanted) == (False, ["1"])
