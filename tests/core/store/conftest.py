"""A repository on S3, and one in a folder, to publish to."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from penstock.core.settings import ServedModelsSettings
from penstock.core.store.model_store import ModelStore, open_store
from penstock.core.store.publishing import Published, open_writer, publish
from tests.core.onnx_models import save_doubler
from tests.support.object_store import ObjectStore, object_store


@pytest.fixture(scope="package")
def server() -> Iterator[ObjectStore]:
    with object_store() as store:
        yield store


@pytest.fixture
def s3(server: ObjectStore, monkeypatch: pytest.MonkeyPatch) -> ObjectStore:
    """A fresh bucket."""
    for name, value in server.variables.items():
        monkeypatch.setenv(name, value)
    server.new_bucket()
    server.asked.clear()
    return server


@pytest.fixture
def doubler(tmp_path: Path) -> Path:
    """An ONNX file, y = 2 x."""
    return save_doubler(tmp_path / "trained" / "doubler.onnx")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A repository in a folder."""
    path = tmp_path / "models"
    path.mkdir()
    return path


@pytest.fixture
def published(doubler: Path, root: Path) -> Published:
    """doubler@1 in the folder."""
    return publish(open_writer(root), "doubler", doubler)


@pytest.fixture
def store_at(tmp_path: Path) -> Callable[..., ModelStore]:
    """Open the store of a repository, with a cache of the test's own."""

    def open_at(repository: Path | str, **settings: object) -> ModelStore:
        return open_store(
            ServedModelsSettings.model_validate({"repository": repository, "cache": tmp_path / "cache", **settings})
        )

    return open_at
