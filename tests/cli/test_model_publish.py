"""`penstock model publish` and `penstock model alias`, as a person uses them."""

from collections.abc import Callable
from pathlib import Path

import orjson
import pytest

from penstock.cli.main import app
from penstock.schemas.errors import ConfigurationError, ModelError
from tests.core.onnx_models import save_doubler

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the person is: with doubler.onnx, and settings whose repository is not made yet."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PENSTOCK_MODELS__REPOSITORY", "models")
    save_doubler(tmp_path / "doubler.onnx")
    return tmp_path


@pytest.fixture
def model(folder: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command of `penstock model`; what it raises is raised."""

    def run(*arguments: str) -> tuple[int, str, str]:
        status = app(["model", *arguments], standalone_mode=False) or 0
        return (status, *capsys.readouterr())

    return run


def test_published_version_says_what_it_is_and_is_listed(model: Run) -> None:
    status, out, _ = model("publish", "iris", "doubler.onnx", "--lineage", "git=4be1c2d", "--alias", "champion")
    assert status == 0
    assert out.startswith("published iris@1, also called champion: onnxruntime, 1 file, ")
    assert "models/iris/1\n" in out
    (listed,) = orjson.loads(model("list", "--json")[1])
    assert (listed["model"], listed["version"], listed["verified"], listed["aliases"]) == (
        "iris",
        "1",
        True,
        ["champion"],
    )
    shown = model("show", "iris")[1]
    assert "also called champion" in shown
    assert "  git: 4be1c2d" in shown
    document = orjson.loads(model("show", "iris", "--json")[1])
    assert document["lineage"] == {"git": "4be1c2d"}
    assert document["sha256"] in shown


def test_publish_as_json_is_for_programs(model: Run, folder: Path) -> None:
    model("publish", "iris", "doubler.onnx")
    document = orjson.loads(model("publish", "iris", "doubler.onnx", "--to", "others", "--version", "7", "--json")[1])
    size = (folder / "doubler.onnx").stat().st_size
    assert document.pop("sha256")
    assert document == {"model": "iris", "version": "7", "path": "others/iris/7", "bytes": size, "alias": None}


def test_versions_are_verified_after_publishing(model: Run) -> None:
    model("publish", "iris", "doubler.onnx")
    model("publish", "iris", "doubler.onnx")
    status, out, _ = model("verify")
    assert status == 0
    assert "iris@2" in out


def test_aliases_are_listed_moved_and_removed(model: Run) -> None:
    model("publish", "iris", "doubler.onnx")
    assert model("alias", "iris")[2] == "iris has no aliases.\n"
    assert model("alias", "iris", "champion", "1")[1].split() == ["alias", "version", "champion", "1"]
    assert orjson.loads(model("alias", "iris", "--json")[1]) == {"champion": "1"}
    assert orjson.loads(model("alias", "iris", "champion", "--remove", "--json")[1]) == {}


@pytest.mark.parametrize(
    ("arguments", "error", "said"),
    [
        (("publish", "iris", "doubler.onnx", "--alias", "latest"), ModelError, "'latest' is no alias"),
        (("publish", "iris", "doubler.onnx", "--alias", "12"), ModelError, "'12' is no alias"),
        (("publish", "iris", "notes.txt"), ModelError, r"notes\.txt is neither \.onnx nor \.py"),
        (("publish", "iris", "absent.onnx"), ModelError, r"^absent\.onnx does not exist: it is to be"),
        (("publish", "iris", "."), ModelError, r"has no model\.onnx or model\.py"),
        (("publish", "iris", "doubler.onnx", "--to", "notes.txt"), ConfigurationError, "notes.txt cannot be made"),
        (("publish", "iris", "doubler.onnx", "--to", "nosuch://x/y"), ConfigurationError, "Protocol not known"),
        (("alias", "nobody"), ConfigurationError, "model repository models does not exist"),
    ],
)
def test_mistakes_are_told_and_nothing_is_published(
    model: Run, folder: Path, arguments: tuple[str, ...], error: type[Exception], said: str
) -> None:
    (folder / "notes.txt").write_text("of no use")
    with pytest.raises(error, match=said):
        model(*arguments)
    assert list(folder.glob("models/*")) == []


@pytest.mark.parametrize(
    "arguments",
    [
        ("publish", "iris", "doubler.onnx", "--lineage", "git"),
        ("publish", "iris", "doubler.onnx", "--version", "0"),
        ("alias", "iris", "champion"),
        ("alias", "iris", "champion", "1", "--remove"),
        ("alias", "iris", "--remove"),
    ],
)
def test_wrong_use_is_told(model: Run, arguments: tuple[str, ...]) -> None:
    with pytest.raises(Exception, match=r"KEY=VALUE|greater than or equal to 1|give an alias"):
        model(*arguments)
