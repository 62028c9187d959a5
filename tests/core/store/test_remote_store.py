"""A repository on a real S3 server: downloaded once, verified, and never half."""

import logging
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from structlog.testing import capture_logs

from penstock.core.repository_location import parse_location, shown
from penstock.core.store.model_store import ModelStore
from penstock.core.store.publishing import Published, open_writer, publish
from penstock.core.store.remote import Remote
from penstock.schemas.errors import ConfigurationError, ModelError
from tests.core.onnx_models import save_doubler
from tests.support.object_store import ObjectStore

StoreAt = Callable[..., ModelStore]

_WORKER = """
import sys
from pathlib import Path
from penstock.core.settings import ServedModelsSettings
from penstock.core.store.model_store import open_store
store = open_store(ServedModelsSettings(repository=sys.argv[1], cache=Path(sys.argv[2])))
sys.stdin.readline()
model = store.load("doubler", "1")
model.warm_up()
print(model.version)
"""


@pytest.fixture
def far(s3: ObjectStore, doubler: Path) -> Published:
    """doubler@1 on S3."""
    return publish(open_writer(s3.url), "doubler", doubler)


def cached(tmp_path: Path) -> set[str]:
    """What lies in the cache, without locks."""
    return {path.name for path in (tmp_path / "cache").iterdir() if path.suffix != ".lock"}


def replace(s3: ObjectStore, path: str, content: bytes) -> None:
    s3.files.pipe_file(f"{s3.bucket}/models/{path}", content)


def test_version_is_downloaded_once_and_used_again(s3: ObjectStore, far: Published, store_at: StoreAt) -> None:
    store = store_at(s3.url)
    store.describe("doubler", "1")
    assert s3.downloads("doubler/1/model.onnx") == 0
    for _ in range(3):
        assert store.load("doubler", "1").run({"x": np.ones((1, 3), np.float32)})["y"].tolist() == [[2.0, 2.0, 2.0]]
    assert s3.downloads("doubler/1/model.onnx") == 1


def test_processes_at_once_download_a_version_one_time(s3: ObjectStore, far: Published, tmp_path: Path) -> None:
    command = [sys.executable, "-c", _WORKER, s3.url, str(tmp_path / "cache")]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    workers = [subprocess.Popen(command, **pipes) for _ in range(2)]  # type: ignore[call-overload]
    for each in workers:
        each.stdin.write("go\n")
        each.stdin.flush()
    assert [each.communicate(timeout=60)[0].split() for each in workers] == [["1"], ["1"]]
    assert s3.downloads("doubler/1/model.onnx") == 1


@pytest.mark.parametrize("size", ["same", "other"])
def test_file_that_was_tampered_with_is_refused_and_leaves_nothing(
    s3: ObjectStore, far: Published, store_at: StoreAt, tmp_path: Path, size: str
) -> None:
    content = s3.files.cat_file(f"{s3.bucket}/models/doubler/1/model.onnx")
    replace(s3, "doubler/1/model.onnx", content[:-1] + b"?" if size == "same" else content + b"?")
    with pytest.raises(ModelError, match=r"doubler@1: model\.onnx is not what was published"):
        store_at(s3.url).load("doubler", "1")
    assert cached(tmp_path) == set()


def test_file_that_is_missing_is_told_and_leaves_nothing(
    s3: ObjectStore, far: Published, store_at: StoreAt, tmp_path: Path
) -> None:
    s3.files.rm_file(f"{s3.bucket}/models/doubler/1/model.onnx")
    with pytest.raises(ModelError, match=r"cannot download s3://.*/doubler/1/model\.onnx"):
        store_at(s3.url).load("doubler", "1")
    assert cached(tmp_path) == set()
    replace(s3, "doubler/1/model.onnx", save_doubler(tmp_path / "again.onnx").read_bytes())
    store_at(s3.url).load("doubler", "1")


def test_file_that_nobody_published_never_reaches_the_machine(
    s3: ObjectStore, far: Published, store_at: StoreAt, tmp_path: Path
) -> None:
    replace(s3, "doubler/1/evil.pkl", b"\x80\x04.")
    store_at(s3.url).load("doubler", "1")
    (folder,) = cached(tmp_path)
    assert {path.name for path in (tmp_path / "cache" / folder).iterdir()} == {"model.onnx", "penstock.json"}


def test_copy_that_was_damaged_on_the_machine_is_downloaded_anew(
    s3: ObjectStore, far: Published, store_at: StoreAt, tmp_path: Path
) -> None:
    store = store_at(s3.url)
    store.load("doubler", "1")
    (folder,) = cached(tmp_path)
    (tmp_path / "cache" / folder / "model.onnx").write_bytes(b"damaged")
    store.load("doubler", "1").warm_up()
    assert s3.downloads("doubler/1/model.onnx") == 2


def test_copy_that_is_damaged_and_in_use_is_not_touched(
    s3: ObjectStore, far: Published, store_at: StoreAt, tmp_path: Path
) -> None:
    store = store_at(s3.url)
    model = store.load("doubler", "1")
    (folder,) = cached(tmp_path)
    (tmp_path / "cache" / folder / "weights.bin").write_bytes(b"of nobody")
    with pytest.raises(ModelError, match=r"(?s)weights\.bin is not in its.*damaged and in use"):
        store.load("doubler", "1")
    del model
    store.load("doubler", "1").warm_up()


def test_download_that_was_cut_off_is_begun_anew(
    s3: ObjectStore, far: Published, store_at: StoreAt, tmp_path: Path
) -> None:
    part = tmp_path / "cache" / f"doubler@1-{far.digest[:16]}.part"
    part.mkdir(parents=True)
    (part / "model.onnx").write_bytes(b"half")
    store_at(s3.url).load("doubler", "1").warm_up()
    assert cached(tmp_path) == {f"doubler@1-{far.digest[:16]}"}


def test_configuration_of_a_model_counts_far_away_too(s3: ObjectStore, far: Published, store_at: StoreAt) -> None:
    replace(s3, "doubler/config.pbtxt", b"max_batch_size: 8")
    store = store_at(s3.url)
    assert store.load("doubler", "1").signature.max_rows == 8
    assert store.describe("doubler", "1").signature.max_rows == 8  # type: ignore[union-attr]


def test_new_version_is_seen_by_a_store_that_is_open(
    s3: ObjectStore, far: Published, doubler: Path, store_at: StoreAt
) -> None:
    store = store_at(s3.url)
    assert store.versions("doubler") == ["1"]
    publish(open_writer(s3.url), "doubler", doubler)
    assert store.resolve("doubler", "latest") == "2"


def test_bucket_that_is_not_there_is_told_and_not_made(s3: ObjectStore, doubler: Path, store_at: StoreAt) -> None:
    with pytest.raises(ModelError, match="cannot list s3://nobodys/models"):
        store_at("s3://nobodys/models").names()
    with pytest.raises(ModelError, match="s3://nobodys/models"):
        publish(open_writer("s3://nobodys/models"), "doubler", doubler)
    assert not s3.files.exists("nobodys")


def test_store_that_is_empty_says_how_to_fill_it(s3: ObjectStore, store_at: StoreAt) -> None:
    with pytest.raises(ConfigurationError, match="penstock model publish"):
        store_at(s3.url).repository.models()


def test_secrets_are_in_no_message_and_no_log(
    s3: ObjectStore, far: Published, store_at: StoreAt, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with capture_logs() as lines:
        store_at(s3.url).load("doubler", "1")
        replace(s3, "doubler/1/penstock.json", b"{")
        with pytest.raises(ModelError) as raised:
            store_at(f"{s3.url}?token=sesame").load("doubler", "1")
    assert "sesame" not in f"{lines}{raised.value}"
    assert not any(word in f"{lines}{raised.value}{caplog.text}" for word in ("secret-of", "key-of", "Signature="))


@pytest.mark.parametrize(
    ("url", "said"),
    [("nosuch://a/b", "Protocol not known"), ("gs://bucket/models", "gcsfs")],
)
def test_url_that_nothing_opens_is_told_with_what_to_install(store_at: StoreAt, url: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=f"model repository {url}.*{said}"):
        store_at(url)


def test_url_without_fsspec_is_told_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fsspec.core", None)
    with pytest.raises(ConfigurationError, match=r"s3://bucket/models is a URL, which needs fsspec: pip install"):
        Remote("s3://bucket/models")


def test_locations_are_told_apart_and_shown_without_secrets() -> None:
    assert parse_location("models") == Path("models")
    assert parse_location("file:///srv/my%20models") == Path("/srv/my models")
    assert parse_location("s3://bucket/models") == "s3://bucket/models"
    assert shown("sftp://anna@host/models/?token=sesame") == "sftp://host/models"
    for wrong in ("ftp://anna:sesame@host/models", 5):
        with pytest.raises(ValueError, match=r"must be|password") as raised:
            parse_location(wrong)
        assert "sesame" not in str(raised.value)
