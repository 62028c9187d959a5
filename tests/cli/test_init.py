"""`penstock init`, and the project that it writes."""

import os
import re
import shlex
import stat
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from penstock.cli.project.rendering import PURPOSES, is_project_name, project_name, rendered
from penstock.cli.project.writing import in_the_way
from penstock.consumer.settings import ServiceSettings
from penstock.core.configuration import fields_of, load
from penstock.core.repository import ModelRepository
from tests.support.command import environment, penstock

FILES = sorted(PURPOSES)


def python(folder: Path, *arguments: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    """Run a program of the project."""
    words, environ = [sys.executable, *arguments], environment(variables)
    return subprocess.run(words, cwd=folder, env=environ, capture_output=True, text=True, timeout=120, check=False)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose train.py has run twice, by somebody whose home is the folder beside it."""
    folder = tmp_path_factory.mktemp("trained") / "mine"
    for place in (folder, folder.with_name("home")):
        place.mkdir()
    for filename, text in rendered("mine").items():
        (folder / filename).write_text(text)
    for _ in range(2):
        ran = python(folder, "train.py", HOME=str(folder.with_name("home")))
        assert ran.returncode == 0, ran.stderr
    return folder


def test_project_is_written_and_said_with_the_commands_that_come_next(tmp_path: Path) -> None:
    activated = {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    ran = penstock("init", "My Service", folder=tmp_path, variables=activated)

    assert (ran.status, ran.err) == (0, "")
    assert sorted(path.name for path in (tmp_path / "My Service").iterdir()) == FILES
    assert all(name in ran.out for name in FILES)
    steps = ran.out.partition("Next:\n")[2].splitlines()
    assert shlex.split(steps[0]) == ["cd", "My Service"]
    assert [step.split("#")[0].strip() for step in steps[1:]] == [
        "python train.py",
        "penstock broker start --port 9092 --data-dir kafka-data",
        "penstock topics create",
        "penstock worker",
        "penstock predict iris rows.csv",
        "python client.py",
    ]
    assert max(map(len, ran.out.splitlines())) <= 80
    assert 'group_id = "my-service"' in (tmp_path / "My Service" / "penstock.toml").read_text()


def test_commands_that_come_next_are_found_without_an_activated_environment(tmp_path: Path) -> None:
    ran = penstock("init", "mine", folder=tmp_path, variables={"PATH": "/usr/bin:/bin"})

    steps = ran.out.partition("Next:\n")[2].splitlines()[1:]
    assert {Path(shlex.split(step)[0]).parent for step in steps} == {Path(sys.executable).absolute().parent}


def test_second_call_finds_everything_there_and_changes_nothing(tmp_path: Path) -> None:
    assert penstock("init", ".", "--name", "churn", folder=tmp_path).status == 0
    before = {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    ran = penstock("init", ".", "--name", "churn", folder=tmp_path)

    assert ran.status == 0
    assert ran.out.startswith("This folder has the whole project already.\n")
    assert {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == before


def test_file_in_the_way_is_named_and_nothing_is_written(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text("mine")
    ran = penstock("init", tmp_path)

    assert ran.status == 2
    assert "holds train.py" in ran.err
    assert "Name another folder" in ran.err
    assert len(ran.lines) <= 3
    assert [path.name for path in tmp_path.iterdir()] == ["train.py"]
    assert (tmp_path / "train.py").read_text() == "mine"


def test_other_files_of_the_folder_are_no_obstacle(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    assert in_the_way(tmp_path, rendered("mine")) == []


def test_folder_and_dangling_link_are_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "client.py").mkdir()
    (tmp_path / "README.md").symlink_to(tmp_path / "elsewhere")
    assert in_the_way(tmp_path, rendered("mine")) == ["client.py", "README.md"]


@pytest.mark.parametrize("place", ["file", "file/below", "/proc/not-writable"])
def test_impossible_folder_is_at_most_three_lines(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").write_text("")
    ran = penstock("init", place, folder=tmp_path)

    assert ran.status in (1, 2)
    assert place.partition("/")[0] in ran.err
    assert 1 <= len(ran.lines) <= 3


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is forbidden to root")
def test_folder_that_may_not_be_written_is_two_lines(tmp_path: Path) -> None:
    tmp_path.chmod(stat.S_IRUSR | stat.S_IXUSR)
    ran = penstock("init", tmp_path / "mine")

    assert ran.status == 1
    assert "Permission denied" in ran.err
    assert len(ran.lines) == 2


def test_name_that_cannot_be_one_is_refused(tmp_path: Path) -> None:
    ran = penstock("init", tmp_path / "mine", "--name", "A b")
    assert (ran.status, (tmp_path / "mine").exists()) == (2, False)


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("my-service", "my-service"),
        ("My Service (2)", "my-service-2"),
        ("_hidden_", "hidden_"),
        ("Größe", "gr-e"),
        ("日本", "my-service"),
        ("x" * 99, "x" * 63),
    ],
)
def test_folder_gives_the_nearest_name(folder: str, name: str) -> None:
    assert project_name(folder) == name
    assert is_project_name(name)


def test_no_file_is_left_out_and_no_placeholder_stays() -> None:
    source = Path(__file__).resolve().parents[2] / "cli" / "project" / "files"
    assert sorted(path.name for path in source.iterdir() if path.is_file()) == FILES
    assert [filename for filename, text in rendered("mine").items() if re.search(r"\$\{?project", text)] == []


def test_every_line_of_the_settings_is_valid_and_most_are_the_defaults(tmp_path: Path) -> None:
    (tmp_path / "penstock.toml").write_text(rendered("mine")["penstock.toml"])
    settings = load(ServiceSettings, file=tmp_path / "penstock.toml", environ={})
    assert settings.worker.group_id == "mine"
    for key, field in fields_of(ServiceSettings):
        section, _, name = key.partition(".")
        if key not in ("worker.group_id", "models.repository", "models.default"):
            assert getattr(getattr(settings, section), name) == field.get_default(call_default_factory=True), key


def test_each_training_publishes_a_whole_version_that_can_be_served(trained: Path) -> None:
    repository = ModelRepository(trained / "models")
    assert repository.versions("iris") == ["1", "2"]
    assert sorted(path.name for path in (trained / "models" / "iris").iterdir()) == ["1", "2"]
    model = repository.load("iris")
    model.warm_up()
    assert (model.version, model.signature.batched) == ("2", True)
    assert [(spec.name, spec.shape) for spec in model.signature.inputs] == [("X", (4,))]


def test_training_leaves_nothing_behind_but_its_files(trained: Path) -> None:
    """ONNX Runtime's telemetry would keep an identifier in the home folder."""
    assert sorted(path.name for path in trained.iterdir()) == sorted([*FILES, "models", "rows.csv"])
    assert list(trained.with_name("home").rglob("*")) == []


def test_held_out_rows_are_left_with_their_header(trained: Path) -> None:
    header, *rows = (trained / "rows.csv").read_text().splitlines()
    assert header == "sepal_length,sepal_width,petal_length,petal_width"
    assert np.loadtxt(rows, delimiter=",").shape == (5, 4)


def test_model_that_differs_from_the_trained_one_is_not_published(trained: Path, tmp_path: Path) -> None:
    code = (trained / "train.py").read_text().replace("probabilities, pipeline", "probabilities + 0.01, pipeline")
    (tmp_path / "train.py").write_text(code)
    ran = python(tmp_path, "train.py")

    assert ran.returncode == 1
    assert ran.stderr == "The exported model answers differently from the trained one, so it was not published.\n"
    assert [path.name for path in tmp_path.iterdir()] == ["train.py"]


def test_missing_extra_is_named(trained: Path, tmp_path: Path) -> None:
    (tmp_path / "skl2onnx.py").write_text("raise ImportError('no', name='skl2onnx')")
    ran = python(trained, "train.py", PYTHONPATH=str(tmp_path))
    assert ran.returncode == 1
    assert ran.stderr == "train.py needs skl2onnx. Install Penstock with its extras `train` and `worker`.\n"


def test_client_without_rows_or_kafka_says_so_in_one_line(trained: Path, tmp_path: Path) -> None:
    client = (trained / "client.py").read_text().replace("localhost:9092", "localhost:1")
    (tmp_path / "client.py").write_text(client)
    without_rows = python(tmp_path, "client.py")
    (tmp_path / "rows.csv").write_text((trained / "rows.csv").read_text())
    without_kafka = python(tmp_path, "client.py")

    for ran, said in ((without_rows, "no rows.csv"), (without_kafka, "localhost:1")):
        assert ran.returncode == 1
        assert said in ran.stderr
        assert "Traceback" not in ran.stderr
