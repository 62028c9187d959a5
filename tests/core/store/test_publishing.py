"""A version appears whole or not at all, and never changes."""

import subprocess
import sys
from pathlib import Path

import orjson
import pytest

from penstock.core.repository import ModelRepository
from penstock.core.store.local_writer import LocalWriter
from penstock.core.store.manifest import read_manifest
from penstock.core.store.publishing import Published, open_writer, publish
from penstock.schemas.errors import ModelError
from tests.core.onnx_models import save_doubler
from tests.support.object_store import ObjectStore

_PUBLISHER = """
import sys
from pathlib import Path
from penstock.core.store.publishing import open_writer, publish
sys.stdin.readline()
for _ in range(int(sys.argv[3])):
    print(publish(open_writer(sys.argv[1]), "doubler", Path(sys.argv[2])).manifest.version)
"""


def files_of(root: Path) -> set[str]:
    return {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}


def published_at_once(repository: Path | str, source: Path, each: int) -> list[int]:
    """The numbers that three processes got, so many each."""
    command = [sys.executable, "-c", _PUBLISHER, str(repository), str(source), str(each)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    publishers = [subprocess.Popen(command, **pipes) for _ in range(3)]  # type: ignore[call-overload]
    numbers: list[int] = []
    for publisher in publishers:
        publisher.stdin.write("go\n")
        publisher.stdin.flush()
    for publisher in publishers:
        numbers += map(int, publisher.communicate(timeout=60)[0].split())
    return numbers


def test_versions_count_up_and_say_what_they_are(root: Path, doubler: Path) -> None:
    first = publish(open_writer(root), "doubler", doubler, lineage={"git": "4be1c2d"})
    second = publish(open_writer(root), "doubler", doubler)
    assert [first.manifest.version, second.manifest.version] == ["1", "2"]
    assert files_of(root) == {f"doubler/{n}/{name}" for n in (1, 2) for name in ("model.onnx", "penstock.json")}
    content = (root / "doubler" / "1" / "penstock.json").read_bytes()
    assert read_manifest(content, "doubler", "1") == first.manifest
    assert first.manifest.lineage == {"git": "4be1c2d"}
    assert first.manifest.runtime.name == "onnxruntime"
    assert [tensor.shape for tensor in first.manifest.signature.inputs] == [(3,)]


def test_version_that_is_there_is_never_overwritten(root: Path, published: Published, tmp_path: Path) -> None:
    before = (root / "doubler" / "1" / "model.onnx").read_bytes()
    other = save_doubler(tmp_path / "other.onnx", width=5)
    with pytest.raises(ModelError, match="doubler@1 is there already, and a version never changes"):
        publish(open_writer(root), "doubler", other, version="1")
    assert (root / "doubler" / "1" / "model.onnx").read_bytes() == before
    assert publish(open_writer(root), "doubler", other, version="7").manifest.version == "7"


def test_number_that_somebody_took_in_the_meantime_is_passed_over(root: Path, doubler: Path) -> None:
    class Slow(LocalWriter):
        def put(self, folder: Path, name: str, version: str) -> bool:
            if version == "1":
                publish(open_writer(root), "doubler", doubler)
            return super().put(folder, name, version)

    done = publish(Slow(root), "doubler", doubler)
    assert done.manifest.version == "2"
    assert done.place == str(root / "doubler" / "2")
    for version in ("1", "2"):
        ModelRepository(root).load("doubler", version)


def test_publishers_at_once_never_share_a_number(root: Path, doubler: Path) -> None:
    assert sorted(published_at_once(root, doubler, 2)) == list(range(1, 7))
    assert {path.name for path in root.iterdir()} == {"doubler"}
    for version in range(1, 7):
        ModelRepository(root).load("doubler", str(version))


def test_publishers_at_once_never_share_a_number_on_s3(s3: ObjectStore, doubler: Path) -> None:
    numbers = published_at_once(s3.url, doubler, 1)
    assert len(set(numbers)) == len(numbers) == 3
    for number in numbers:
        folder = f"{s3.bucket}/models/doubler/{number}"
        manifest = read_manifest(s3.files.cat_file(f"{folder}/penstock.json"), "doubler", str(number))
        assert s3.files.info(f"{folder}/model.onnx")["size"] == manifest.size


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("raise RuntimeError('no')", r"^broken@1: \S+/trained\.py cannot be imported"),
        ("x = 1", "defines no SIGNATURE"),
        (
            "from penstock.core.model import Signature, TensorSpec\n"
            "SIGNATURE = Signature((TensorSpec('x', 'FP32', ()),), (TensorSpec('y', 'FP32', ()),))\n"
            "def predict(inputs):\n    return {}\n",
            "output 'y' is missing",
        ),
    ],
)
def test_model_that_does_not_load_or_run_is_not_published(root: Path, tmp_path: Path, text: str, said: str) -> None:
    source = tmp_path / "trained.py"
    source.write_text(text)
    with pytest.raises(ModelError, match=said):
        publish(open_writer(root), "broken", source)
    assert list(root.iterdir()) == []


def test_model_that_its_configuration_does_not_fit_is_not_published(
    root: Path, published: Published, doubler: Path
) -> None:
    config = root / "doubler" / "config.pbtxt"
    config.write_text('input { name: "z" data_type: TYPE_FP32 dims: 3 }')
    with pytest.raises(ModelError, match=f"^{config}: the model's input x is not declared"):
        publish(open_writer(root), "doubler", doubler)
    assert ModelRepository(root).versions("doubler") == ["1"]


def test_configuration_narrows_what_the_manifest_says(root: Path, published: Published) -> None:
    (root / "doubler" / "config.pbtxt").write_text("max_batch_size: 8")
    assert ModelRepository(root).load("doubler", "1").signature.max_rows == 8


def test_folder_is_published_without_caches_and_hidden_files(root: Path, doubler: Path) -> None:
    folder = doubler.parent
    doubler.rename(folder / "model.onnx")
    for name in (".git/config", "__pycache__/model.cpython-311.pyc", ".env", "labels/names.txt"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("x")
    done = publish(open_writer(root), "doubler", folder)
    assert set(done.manifest.files) == {"model.onnx", "labels/names.txt"}


@pytest.mark.parametrize(
    ("name", "version", "said"),
    [("../x", None, "is no name of a version"), ("x", "01", "is no name of a version"), (".x", None, "is no name")],
)
def test_names_that_are_none_are_refused(root: Path, doubler: Path, name: str, version: str | None, said: str) -> None:
    with pytest.raises(ModelError, match=said):
        publish(open_writer(root), name, doubler, version=version)


def test_lineage_that_is_none_is_refused(root: Path, doubler: Path) -> None:
    with pytest.raises(ModelError, match="cannot have a manifest"):
        publish(open_writer(root), "doubler", doubler, lineage={"a key": "x"})
    assert list(root.iterdir()) == []


def test_version_that_a_dead_publisher_began_is_not_there(s3: ObjectStore, doubler: Path, store_at) -> None:
    s3.files.pipe_file(f"{s3.bucket}/models/doubler/.publishing/1", b"")
    s3.files.pipe_file(f"{s3.bucket}/models/doubler/1/model.onnx", b"half")
    store = store_at(s3.url)
    assert store.names() == []
    with pytest.raises(ModelError, match=r"has no version in s3://.*penstock model publish"):
        store.versions("doubler")
    done = publish(open_writer(s3.url), "doubler", doubler)
    assert done.manifest.version == "2"
    assert store.versions("doubler") == ["2"]
    with pytest.raises(ModelError, match="doubler@1 is there already"):
        publish(open_writer(s3.url), "doubler", doubler, version="1")


def test_manifest_is_a_document_that_others_can_read(root: Path, published: Published) -> None:
    document = orjson.loads((root / "doubler" / "1" / "penstock.json").read_bytes())
    assert document["penstock"] == "version/1"
    assert document["files"]["model.onnx"]["size"] == (root / "doubler" / "1" / "model.onnx").stat().st_size
    assert document["signature"]["inputs"] == [{"name": "x", "datatype": "FP32", "shape": [3]}]
