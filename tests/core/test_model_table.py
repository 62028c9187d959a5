"""The model table: who answers a name and a version."""

import pytest

from penstock.core.callable_model import CallableModel
from penstock.core.model import Signature, TensorSpec
from penstock.core.model_table import ModelTable
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
