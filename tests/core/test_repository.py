"""The model repository on disk."""

from pathlib import Path

import numpy as np
import pytest
from structlog.testing import capture_logs

from penstock.core.callable_model import CallableModel
from penstock.core.isolation.isolated_model import IsolatedModel
from penstock.core.onnx_model import OnnxModel
from penstock.core.repository import ModelRepository, open_repository
from penstock.core.settings import ServedModelsSettings
from penstock.schemas.errors import ConfigurationError, ModelError
from tests.core.onnx_models import save_doubler

FILE = """
from penstock.core.model import Signature, TensorSpec
SIGNATURE = Signature(inputs=(TensorSpec("x", "FP32", (3,)),), outputs=(TensorSpec("y", "FP32", (3,)),))
def predict(inputs):
    return {"y": inputs["x"] * 3}
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    path = tmp_path / "models"
    path.mkdir()
    return path


def add(root: Path, *versions: str, name: str = "doubler", config: str | None = None) -> None:
    for version in versions:
        save_doubler(root / name / version / "model.onnx")
    if config is not None:
        (root / name / "config.pbtxt").write_text(config)


def add_python(root: Path, version: str, name: str = "tripler") -> None:
    folder = root / name / version
    folder.mkdir(parents=True)
    (folder / "model.py").write_text(FILE)


def test_a_models_config_decides_before_the_settings_where_it_runs(root: Path) -> None:
    add(root, "1")
    add_python(root, "1")
    add_python(root, "2", name="other")
    own = 'parameters {{ key: "isolation" value {{ string_value: "{}" }} }} max_batch_size: 8'
    (root / "doubler" / "config.pbtxt").write_text(own.format("process"))
    (root / "tripler" / "config.pbtxt").write_text(own.format("thread"))
    here = open_repository(ServedModelsSettings(repository=root))
    apart = open_repository(ServedModelsSettings(repository=root, isolation="process"))
    models = [here.load("doubler"), here.load("other"), apart.load("tripler"), apart.load("other")]
    assert [isinstance(model, IsolatedModel) for model in models] == [True, False, False, True]
    assert [model.signature.max_rows for model in models] == [8, None, 8, None]
    assert models[3].run({"x": np.ones((2, 3), np.float32)})["y"].tolist() == [[3.0] * 3] * 2
    for model in models:
        model.close()


def test_the_highest_number_is_the_latest_and_served_by_default(root: Path) -> None:
    add(root, "1", "9", "10")
    repository = ModelRepository(root)
    assert repository.models() == {"doubler": ["10"]}
    assert repository.versions("doubler") == ["1", "9", "10"]
    assert repository.load("doubler").version == "10"


def test_files_of_both_kinds_become_models(root: Path) -> None:
    add(root, "1")
    add_python(root, "4")
    repository = ModelRepository(root)
    assert repository.models() == {"doubler": ["1"], "tripler": ["4"]}
    rows = {"x": np.ones((2, 3), np.float32)}
    for name, kind, factor in (("doubler", OnnxModel, 2.0), ("tripler", CallableModel, 3.0)):
        model = repository.load(name)
        assert isinstance(model, kind)
        assert model.name == name
        assert model.run(rows)["y"].tolist() == [[factor] * 3] * 2
        model.close()


def test_the_policy_of_the_configuration_is_followed(root: Path) -> None:
    add(root, "1", "2", "3", config="version_policy { latest { num_versions: 2 } }")
    add(root, "1", "2", "3", name="all", config="version_policy { all { } }")
    add(root, "1", "2", "3", name="some", config="version_policy { specific { versions: [1, 2] } }")
    repository = ModelRepository(root)
    assert repository.models() == {"doubler": ["2", "3"], "all": ["1", "2", "3"], "some": ["1", "2"]}
    assert repository.load("some").version == "2"


def test_a_version_outside_the_policy_can_be_asked_for(root: Path) -> None:
    add(root, "1", "2")
    assert ModelRepository(root).load("doubler", "1").version == "1"


def test_a_policy_that_names_an_absent_version_is_refused(root: Path) -> None:
    add(root, "1", config="version_policy { specific { versions: [1, 7] } }")
    with pytest.raises(ModelError, match="version_policy names 7, which is not there"):
        ModelRepository(root).models()


def test_a_version_that_appears_later_is_seen(root: Path) -> None:
    add(root, "1")
    repository = ModelRepository(root)
    assert repository.models() == {"doubler": ["1"]}
    add(root, "2")
    assert repository.models() == {"doubler": ["2"]}


def test_folders_that_are_no_versions_are_ignored_with_a_warning(root: Path) -> None:
    add(root, "1", "configs")
    for folder in ("v2", "0", "02", "-1", ".hidden"):
        (root / "doubler" / folder).mkdir()
    with capture_logs() as logs:
        assert ModelRepository(root).versions("doubler") == ["1"]
    assert [entry["folder"] for entry in logs] == ["-1", "0", "02", "v2"]


def test_files_and_hidden_folders_beside_the_models_are_ignored(root: Path) -> None:
    add(root, "1")
    (root / "README.md").touch()
    (root / ".git").mkdir()
    assert list(ModelRepository(root).models()) == ["doubler"]


def test_a_missing_repository_is_a_configuration_error(root: Path) -> None:
    with pytest.raises(ConfigurationError, match="does not exist"):
        ModelRepository(root / "absent")
    (root / "file").touch()
    with pytest.raises(ConfigurationError, match="is not a folder"):
        ModelRepository(root / "file")


def test_an_empty_repository_is_a_configuration_error(root: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"is empty: it needs <model>/<version>/model\.onnx"):
        ModelRepository(root).models()


def test_every_faulty_model_is_told_at_once(root: Path) -> None:
    add(root, "1")
    (root / "without-version").mkdir()
    (root / "without-file" / "1").mkdir(parents=True)
    (root / "bad name").mkdir()
    add(root, "1", name="bad-config", config="max_batch_size: x")
    with pytest.raises(ModelError) as caught:
        ModelRepository(root).models()
    lines = str(caught.value).splitlines()
    assert len(lines) == 4
    assert "'bad name' is no model name" in lines[0]
    assert "config.pbtxt:1:17" in lines[1]
    assert "without-file@1 has no model.onnx or model.py" in lines[2]
    assert "'without-version' has no version" in lines[3]


@pytest.mark.parametrize("name", ["", ".", "..", "../models/doubler", "a/b", ".hidden", "-x", "a\x00b", "é"])
def test_a_name_is_never_a_path(root: Path, name: str) -> None:
    add(root, "1")
    with pytest.raises(ModelError, match="is no model name"):
        ModelRepository(root).load(name)


@pytest.mark.parametrize("version", ["", "2", "01", "../1", "../../doubler/1", "latest"])
def test_a_version_is_one_that_is_there(root: Path, version: str) -> None:
    add(root, "1")
    with pytest.raises(ModelError, match=r"has no version .*; it has 1$"):
        ModelRepository(root).load("doubler", version)


def test_an_unknown_model_is_told(root: Path) -> None:
    with pytest.raises(ModelError, match="there is no model 'doubler'"):
        ModelRepository(root).load("doubler")


def test_links_may_point_within_the_repository(root: Path) -> None:
    # As a Kubernetes volume lays it out.
    save_doubler(root / "..data" / "blob")
    (root / "doubler" / "1").mkdir(parents=True)
    (root / "doubler" / "1" / "model.onnx").symlink_to(root / "..data" / "blob")
    repository = ModelRepository(root)
    assert repository.models() == {"doubler": ["1"]}
    assert isinstance(repository.load("doubler"), OnnxModel)


@pytest.mark.parametrize("linked", ["doubler", "doubler/1", "doubler/1/model.onnx"])
def test_links_out_of_the_repository_are_refused(root: Path, tmp_path: Path, linked: str) -> None:
    outside = tmp_path / "outside"
    save_doubler(outside / "doubler" / "1" / "model.onnx")
    (root / linked).parent.mkdir(parents=True, exist_ok=True)
    (root / linked).symlink_to(outside / linked)
    with pytest.raises(ModelError, match="leads outside the model repository"):
        ModelRepository(root).load("doubler")


def test_a_linked_configuration_outside_is_refused(root: Path, tmp_path: Path) -> None:
    add(root, "1")
    (tmp_path / "secret").write_text("root:x")
    (root / "doubler" / "config.pbtxt").symlink_to(tmp_path / "secret")
    with pytest.raises(ModelError, match="leads outside"):
        ModelRepository(root).models()


def test_two_kinds_of_file_need_a_backend(root: Path) -> None:
    add(root, "1")
    (root / "doubler" / "1" / "model.py").write_text(FILE)
    with pytest.raises(ModelError, match=r"has model\.onnx and model\.py; a config\.pbtxt must name the backend"):
        ModelRepository(root).models()
    (root / "doubler" / "config.pbtxt").write_text('backend: "python"')
    assert isinstance(ModelRepository(root).load("doubler"), CallableModel)


def test_the_configuration_may_name_the_file(root: Path) -> None:
    add(root, "1", config='default_model_filename: "weights.onnx"')
    with pytest.raises(ModelError, match=r"has no weights\.onnx"):
        ModelRepository(root).models()
    (root / "doubler" / "1" / "model.onnx").rename(root / "doubler" / "1" / "weights.onnx")
    assert ModelRepository(root).load("doubler").signature.batched
    (root / "doubler" / "config.pbtxt").write_text('default_model_filename: "weights.plan"')
    (root / "doubler" / "1" / "weights.plan").touch()
    with pytest.raises(ModelError, match=r"weights\.plan is neither \.onnx nor \.py"):
        ModelRepository(root).load("doubler")


def test_a_configuration_that_disagrees_with_the_model_is_refused_when_it_loads(root: Path) -> None:
    add(root, "1", config='max_batch_size: 4 input { name: "x" data_type: TYPE_FP64 dims: 3 }')
    with pytest.raises(ModelError, match="input 'x' is FP64, in the model FP32"):
        ModelRepository(root).load("doubler")


def test_repr_shows_the_folder(root: Path) -> None:
    assert repr(ModelRepository(root)) == f"<ModelRepository {root}>"


@pytest.mark.parametrize(
    ("level", "meant"),
    [
        ("models/doubler", "is one model's folder; the repository is the one above it: --repository {}/models"),
        ("models/doubler/1", "is a version of a model; the repository is two folders above it: --repository {}/models"),
        (".", "holds no models; a folder in it does: --repository {}/models"),
    ],
)
def test_folder_one_level_off_is_answered_with_the_one_meant(root: Path, level: str, meant: str) -> None:
    add(root, "1")
    given = root.parent / level
    with pytest.raises(ConfigurationError) as caught:
        ModelRepository(given).models()
    assert str(caught.value) == f"{given} {meant.format(root.parent)}"
    with pytest.raises(ModelError, match=r"there is no model 'doubler' in .*\n.*--repository"):
        ModelRepository(given).served("doubler")


def test_relative_folder_one_level_off_is_answered_with_a_folder(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    add(root, "1")
    monkeypatch.chdir(root / "doubler")
    with pytest.raises(ConfigurationError, match=f"--repository {root}$"):
        ModelRepository(Path()).models()


def test_file_beside_its_version_folder_is_to_be_moved(root: Path) -> None:
    (root / "iris").mkdir()
    (root / "iris" / "model.onnx").touch()
    with pytest.raises(ModelError, match=r"needs a folder such as 1; move model\.onnx into it$"):
        ModelRepository(root).models()


def test_missing_model_is_answered_with_those_that_are_there(root: Path) -> None:
    add(root, "1")
    add_python(root, "1")
    with pytest.raises(ModelError, match=r"there is no model 'dubler' in .*; there is doubler, tripler$"):
        ModelRepository(root).load("dubler")


def test_file_of_a_version_is_told_served_or_not(root: Path) -> None:
    add(root, "1", "2")
    repository = ModelRepository(root)
    assert repository.names() == ["doubler"]
    assert repository.found("doubler", "1").place == str(root / "doubler" / "1" / "model.onnx")
    with pytest.raises(ModelError, match=r"doubler@3 has no model\.onnx"):
        repository.found("doubler", "3")
