"""What the control plane asks of a repository: names, versions, aliases, and what a version is."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.core.repository import ModelRepository
from penstock.core.settings import ServedModelsSettings
from penstock.core.store.aliases import check_alias, read_aliases, write_aliases
from penstock.core.store.model_store import ModelStore, open_store
from penstock.core.store.publishing import Published, open_writer, publish, set_alias
from penstock.schemas.errors import ConfigurationError, ModelError
from tests.core.onnx_models import save_doubler
from tests.support.object_store import ObjectStore

StoreAt = Callable[..., ModelStore]


@pytest.fixture(params=["folder", "s3"])
def place(request: pytest.FixtureRequest, root: Path) -> Path | str:
    if request.param == "folder":
        return root
    s3: ObjectStore = request.getfixturevalue("s3")
    return s3.url


@pytest.fixture
def store(place: Path | str, doubler: Path, store_at: StoreAt) -> ModelStore:
    """doubler, versions 1 to 3; 2 is the champion."""
    writer = open_writer(place)
    for _ in range(3):
        publish(writer, "doubler", doubler)
    store = store_at(place)
    set_alias(writer, store.repository, "doubler", "champion", "2")
    return store


def test_names_of_versions_are_resolved(store: ModelStore) -> None:
    assert store.names() == ["doubler"]
    assert store.versions("doubler") == ["1", "2", "3"]
    names = ("1", "latest", "champion")
    assert [store.resolve("doubler", name) for name in names] == ["1", "3", "2"]
    with pytest.raises(ModelError, match=r"has no 'best'; it has versions 1, 2, 3 and aliases champion"):
        store.resolve("doubler", "best")
    with pytest.raises(ModelError, match="there is no model 'nobody'"):
        store.resolve("nobody", "latest")


def test_version_is_described_before_it_is_loaded(store: ModelStore) -> None:
    info = store.describe("doubler", "2")
    assert info.verified
    assert info.signature == store.load("doubler", "2").signature
    assert len(info.digest) == 64
    assert info.digest != store.describe("doubler", "1").digest
    assert info.size == store.describe("doubler", "1").size > 0


def test_version_loads_and_runs(store: ModelStore) -> None:
    model = store.load("doubler", store.resolve("doubler", "champion"))
    assert (model.name, model.version) == ("doubler", "2")
    assert model.run({"x": np.ones((1, 3), np.float32)})["y"].tolist() == [[2.0, 2.0, 2.0]]
    with pytest.raises(ModelError, match="has no version '9'; it has 1, 2, 3"):
        store.load("doubler", "9")


def test_alias_can_be_moved_and_removed(store: ModelStore, place: Path | str) -> None:
    writer = open_writer(place)
    set_alias(writer, store.repository, "doubler", "champion", "3")
    set_alias(writer, store.repository, "doubler", "old", "1")
    assert store.repository.aliases("doubler") == {"champion": "3", "old": "1"}
    set_alias(writer, store.repository, "doubler", "champion", None)
    assert store.repository.aliases("doubler") == {"old": "1"}
    with pytest.raises(ModelError, match="has no alias 'champion'; it has old"):
        set_alias(writer, store.repository, "doubler", "champion", None)
    with pytest.raises(ModelError, match="has no version '9'"):
        set_alias(writer, store.repository, "doubler", "champion", "9")


def test_latest_is_the_highest_that_the_policy_serves(root: Path, doubler: Path, store_at: StoreAt) -> None:
    for _ in range(3):
        publish(open_writer(root), "doubler", doubler)
    (root / "doubler" / "config.pbtxt").write_text("version_policy { specific { versions: [1, 2] } }")
    assert store_at(root).resolve("doubler", "latest") == "2"


def test_alias_of_a_version_that_is_gone_is_told(root: Path, published: Published, store_at: StoreAt) -> None:
    (root / "doubler" / "aliases.json").write_bytes(write_aliases({"champion": "7"}))
    with pytest.raises(ModelError, match="'champion' means 7, which is not there"):
        store_at(root).resolve("doubler", "champion")


def test_plain_folder_is_a_store_too(root: Path, store_at: StoreAt) -> None:
    path = save_doubler(root / "doubler" / "4" / "model.onnx")
    store = store_at(root)
    assert store.resolve("doubler", "latest") == "4"
    info = store.describe("doubler", "4")
    assert (info.verified, info.signature, info.digest) == (False, None, "")
    assert info.size == path.stat().st_size
    store.load("doubler", "4").warm_up()


@given(st.text(max_size=20))
def test_alias_is_never_taken_for_a_version(name: str) -> None:
    try:
        check_alias(name)
    except ModelError:
        return
    assert name.isascii()
    assert not name.isdigit()
    assert name != "latest"
    assert read_aliases(write_aliases({name: "1"}), "m") == {name: "1"}


@pytest.mark.parametrize(
    "content", [b"", b"[]", b'{"penstock": "aliases/1", "aliases": {"a": 3}}', b'{"aliases": {}} x']
)
def test_faulty_aliases_are_told(content: bytes) -> None:
    with pytest.raises(ModelError, match=r"m/aliases\.json is faulty"):
        read_aliases(content, "m")


def test_repository_that_is_not_set_is_told() -> None:
    with pytest.raises(ConfigurationError, match=r"models\.repository: required"):
        open_store(ServedModelsSettings())


def test_mlflow_folder_is_served_as_it_is(root: Path) -> None:
    save_doubler(root / "doubler" / "1" / "data" / "doubler.onnx")
    (root / "doubler" / "1" / "MLmodel").write_text(
        "flavors:\n  onnx:\n    code: null\n    data: data/doubler.onnx\n  python_function:\n    data: model.pkl\n"
        'mlflow_version: 2.3.1\nsignature:\n  inputs: \'[{"name": "x"}]\'\n'
    )
    repository = ModelRepository(root)
    assert repository.models() == {"doubler": ["1"]}
    repository.load("doubler", "1").warm_up()
    done = publish(open_writer(root), "doubler", root / "doubler" / "1")
    assert done.manifest.file == "data/doubler.onnx"
    repository.load("doubler", "2").warm_up()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "flavors:\n  sklearn:\n    data: model.pkl\n  python_function:\n    a: b\n",
            "is of sklearn, not of onnx; convert",
        ),
        ("flavors:\n  onnx:\n    code: null\n", r"flavors\.onnx\.data is missing"),
        ("flavors:\n  onnx:\n    data: ../../other.onnx\n", "is not there|leads outside"),
        ("flavors:\n  onnx:\n    data: /etc/passwd\n", "leads outside"),
        ("\x00\xff nothing", "is of no known kind"),
    ],
)
def test_mlflow_folder_of_another_kind_is_refused_by_name(root: Path, text: str, said: str) -> None:
    save_doubler(root / "doubler" / "1" / "model.onnx")
    (root / "doubler" / "1" / "MLmodel").write_text(text)
    with pytest.raises(ModelError, match=said):
        ModelRepository(root).load("doubler", "1")
