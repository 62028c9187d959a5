"""A version that is not what was published is refused, and so is whatever runs code when it is read."""

import os
import pickle
import re
from functools import partial
from pathlib import Path

import numpy as np
import onnx
import orjson
import pytest
from onnx import TensorProto, helper, numpy_helper

from penstock.core.model import Model
from penstock.core.repository import ModelRepository
from penstock.core.store.publishing import Published, open_writer, publish
from penstock.schemas.errors import ModelError
from tests.core.onnx_models import FLOAT, save_doubler


def load(root: Path, name: str = "doubler", version: str = "1") -> Model:
    return ModelRepository(root).load(name, version)


def test_version_that_is_whole_loads(root: Path, published: Published) -> None:
    model = load(root)
    model.warm_up()
    assert (model.name, model.version) == ("doubler", "1")
    assert model.run({"x": np.ones((1, 3), np.float32)})["y"].tolist() == [[2.0, 2.0, 2.0]]


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda folder: save_doubler(folder / "model.onnx", width=4), "model.onnx is not what was published"),
        (lambda folder: (folder / "model.onnx").write_bytes(b"short"), "model.onnx is not what was published"),
        (lambda folder: (folder / "model.onnx").unlink(), "model.onnx is missing"),
        (lambda folder: (folder / "weights.bin").write_bytes(b"w"), "weights.bin is not in its penstock.json"),
        (lambda folder: (folder / "deep").mkdir() or (folder / "deep" / "a").touch(), "deep/a is not in its"),
        (lambda folder: (folder / "passwords").symlink_to("/etc/passwd"), "passwords is a link that leads out"),
        (lambda folder: (folder / "etc").symlink_to("/etc"), "etc is a link that leads out"),
        (lambda folder: os.mkfifo(folder / "pipe"), "pipe in .* is no file"),
        (lambda folder: (folder / "penstock.json").write_text("{"), "penstock.json is faulty"),
        (lambda folder: (folder / "penstock.json").write_bytes(b" " * 5_000_000), "is larger than"),
    ],
)  # fmt: skip
def test_damage_is_refused(root: Path, published: Published, damage: object, said: str) -> None:
    damage(root / "doubler" / "1")  # type: ignore[operator]
    with pytest.raises(ModelError, match=rf"^doubler@1: .*{said}"):
        load(root)


def test_file_that_was_replaced_by_a_link_to_the_same_content_elsewhere_is_refused(
    root: Path, published: Published, tmp_path: Path
) -> None:
    file = root / "doubler" / "1" / "model.onnx"
    file.rename(tmp_path / "elsewhere.onnx")
    file.symlink_to(tmp_path / "elsewhere.onnx")
    with pytest.raises(ModelError, match=r"model\.onnx is a link that leads out"):
        load(root)


def test_version_that_is_a_link_out_of_the_repository_is_refused(
    root: Path, published: Published, tmp_path: Path
) -> None:
    (root / "doubler" / "1").rename(tmp_path / "1")
    (root / "doubler" / "1").symlink_to(tmp_path / "1")
    with pytest.raises(ModelError, match="leads outside the model repository"):
        load(root)


def test_version_that_was_copied_to_another_number_is_refused(root: Path, published: Published) -> None:
    (root / "doubler" / "1").rename(root / "doubler" / "2")
    with pytest.raises(ModelError, match=r"doubler@2: penstock\.json is that of doubler@1"):
        load(root, version="2")


@pytest.mark.parametrize("path", ["../1/model.onnx", "/etc/passwd", "a//b", "./model.onnx", "penstock.json", "a\\b"])
def test_manifest_that_names_a_path_outside_is_refused(root: Path, published: Published, path: str) -> None:
    file = root / "doubler" / "1" / "penstock.json"
    document = orjson.loads(file.read_bytes())
    document["files"][path] = document["files"]["model.onnx"]
    file.write_bytes(orjson.dumps(document))
    with pytest.raises(ModelError, match=r"doubler@1: penstock\.json is faulty: files"):
        load(root)


@pytest.mark.parametrize(
    ("member", "value"),
    [("penstock", "version/2"), ("lineage", {"a": 1}), ("created", "yesterday"), ("shoe", "42"), ("file", "no.onnx")],
)
def test_manifest_is_read_strictly(root: Path, published: Published, member: str, value: object) -> None:
    file = root / "doubler" / "1" / "penstock.json"
    file.write_bytes(orjson.dumps({**orjson.loads(file.read_bytes()), member: value}))
    with pytest.raises(ModelError, match=r"doubler@1: penstock\.json is faulty"):
        load(root)


def test_model_that_takes_something_else_than_its_manifest_says_is_refused(root: Path, published: Published) -> None:
    file = root / "doubler" / "1" / "penstock.json"
    document = orjson.loads(file.read_bytes())
    document["signature"]["inputs"][0]["shape"] = [4]
    file.write_bytes(orjson.dumps(document))
    with pytest.raises(ModelError, match="takes or gives something else than its manifest says"):
        load(root)


class Trap:
    """Unpickled, it makes a folder."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("name", ["model.pkl", "model.joblib", "weights.pt", "innocent.bin", "objects.npy"])
def test_pickle_is_refused_and_never_executed(root: Path, tmp_path: Path, doubler: Path, name: str) -> None:
    sprung = tmp_path / "sprung"
    folder = doubler.parent
    doubler.rename(folder / "model.onnx")
    if name.endswith(".npy"):
        np.save(folder / name, np.array([Trap(sprung)], dtype=object), allow_pickle=True)
    else:
        (folder / name).write_bytes(pickle.dumps(Trap(sprung)))
    with pytest.raises(ModelError, match=rf"doubler@1: {re.escape(name)} is a pickle"):
        publish(open_writer(root), "doubler", folder)
    with pytest.raises(ModelError, match=r"is a pickle|neither"):
        publish(open_writer(root), "doubler", folder / name)
    assert not sprung.exists()
    assert list(root.iterdir()) == []


@pytest.mark.parametrize(("name", "content"), [("operators.so", b""), ("operators.bin", b"\x7fELF\x02\x01\x01")])
def test_library_of_custom_operators_is_refused(root: Path, doubler: Path, name: str, content: bytes) -> None:
    doubler.rename(doubler.with_name("model.onnx"))
    doubler.with_name(name).write_bytes(content)
    with pytest.raises(ModelError, match=f"{name} is a library"):
        publish(open_writer(root), "doubler", doubler.parent)


def save_external(path: Path, location: str) -> Path:
    """Write y = x + w, with w in another file."""
    weights = numpy_helper.from_array(np.ones(3, np.float32), "w")
    weights.ClearField("raw_data")
    weights.data_location = TensorProto.EXTERNAL
    weights.external_data.add(key="location", value=location)
    graph = helper.make_graph(
        [helper.make_node("Add", ["x", "w"], ["y"])],
        "graph",
        [helper.make_tensor_value_info("x", FLOAT, ["N", 3])],
        [helper.make_tensor_value_info("y", FLOAT, ["N", 3])],
        [weights],
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    path.write_bytes(model.SerializeToString())
    return path


@pytest.mark.parametrize("location", ["../secret.bin", "/etc/hostname", "*/_ORT_MEM_ADDR_/*", "absent.bin"])
@pytest.mark.parametrize("manifest", [True, False])
def test_external_data_outside_the_version_is_refused(
    root: Path, location: str, manifest: bool, tmp_path: Path
) -> None:
    where = tmp_path / "trained" / "model.onnx" if manifest else root / "adder" / "1" / "model.onnx"
    save_external(where, location)
    (where.parent.parent / "secret.bin").write_bytes(np.ones(3, np.float32).tobytes())
    act = partial(publish, open_writer(root), "adder", where) if manifest else partial(load, root, "adder")
    with pytest.raises(ModelError, match=r"takes data from .*, which is (outside its folder|not there)"):
        act()


def test_external_data_beside_the_model_is_published_with_it(root: Path, tmp_path: Path) -> None:
    path = save_external(tmp_path / "trained" / "adder.onnx", "data/weights.bin")
    (path.parent / "data").mkdir()
    (path.parent / "data" / "weights.bin").write_bytes(np.full(3, 7, np.float32).tobytes())
    (path.parent / "notes.txt").write_text("not the model's")
    done = publish(open_writer(root), "adder", path)
    assert set(done.manifest.files) == {"model.onnx", "data/weights.bin"}
    assert load(root, "adder").run({"x": np.zeros((1, 3), np.float32)})["y"].tolist() == [[7.0, 7.0, 7.0]]


def test_external_data_in_a_nested_graph_is_found(root: Path) -> None:
    weights = onnx.TensorProto(name="w", data_type=FLOAT, dims=[1], data_location=TensorProto.EXTERNAL)
    weights.external_data.add(key="location", value="../secret.bin")
    branch = helper.make_graph([helper.make_node("Constant", [], ["y"], value=weights)], "branch", [], [])
    node = helper.make_node("If", ["x"], ["y"], then_branch=branch, else_branch=branch)
    graph = helper.make_graph([node], "graph", [], [])
    path = root / "nested" / "1" / "model.onnx"
    path.parent.mkdir(parents=True)
    path.write_bytes(helper.make_model(graph).SerializeToString())
    with pytest.raises(ModelError, match="outside its folder"):
        load(root, "nested")


def test_python_model_runs_as_it_was_published_whatever_bytecode_lies_beside_it(root: Path, tmp_path: Path) -> None:
    source = tmp_path / "model.py"
    source.write_text(
        "from penstock.core.model import Signature, TensorSpec\n"
        "SIGNATURE = Signature((TensorSpec('x', 'FP32', ()),), (TensorSpec('y', 'FP32', ()),))\n"
        "def predict(inputs):\n    return {'y': inputs['x']}\n"
    )
    publish(open_writer(root), "echo", source)
    cached = root / "echo" / "1" / "__pycache__"
    load(root, "echo")
    assert not cached.exists()
    cached.mkdir()
    (cached / "model.cpython-311.pyc").write_bytes(b"somebody else's")
    assert load(root, "echo").run({"x": np.ones(1, np.float32)})["y"].tolist() == [1.0]
