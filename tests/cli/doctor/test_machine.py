"""Judging the machine, and reading what it allows."""

from dataclasses import replace
from pathlib import Path

import pytest

from penstock.cli.doctor.limits import folders, least, look_at_machine, read_memory, read_quota
from penstock.cli.doctor.machine import Load, Machine, judge_machine
from penstock.cli.doctor.versions import fits, judge_versions, look_at_versions, wanted_versions

GIB = 2**30
MACHINE = Machine(cores=4, quota=None, memory_bytes=8 * GIB, open_files=1024, variables={})
LOAD = Load(processes=2, threads=1, buffered_bytes=64 * 2**20, python_models=False)


def levels(machine: Machine = MACHINE, load: Load = LOAD) -> dict[str, str]:
    return {found.check: found.level for found in judge_machine(machine, load)}


def test_machine_with_enough_of_all_is_well():
    assert levels() == {"cores": "ok", "memory": "ok"}


CHANGES = {
    "processes": (MACHINE, replace(LOAD, processes=5), "cores", "warning"),
    "threads": (MACHINE, replace(LOAD, threads=3), "cores", "warning"),
    "a quota": (replace(MACHINE, quota=1.5), LOAD, "cores", "warning"),
    "half a core": (replace(MACHINE, quota=0.5), replace(LOAD, processes=1), "cores", "ok"),
    "memory": (replace(MACHINE, memory_bytes=GIB // 10), LOAD, "memory", "fault"),
    "little memory": (replace(MACHINE, memory_bytes=GIB // 5), LOAD, "memory", "warning"),
    "files": (replace(MACHINE, open_files=128), LOAD, "files", "warning"),
}


@pytest.mark.parametrize(("machine", "load", "check", "level"), CHANGES.values(), ids=CHANGES)
def test_what_the_machine_lacks_is_named(machine: Machine, load: Load, check: str, level: str):
    assert levels(machine, load)[check] == level


def test_quota_is_told_apart_from_cores():
    found = judge_machine(replace(MACHINE, quota=1.5), replace(LOAD, processes=1))[0]
    assert found.what == "1.5 cores (a quota, of 4) for 1 process"


@pytest.mark.parametrize(
    ("python_models", "threads", "said"),
    [(True, "4", True), (True, "2", False), (True, "x", False), (False, "4", False)],
)
def test_threads_of_libraries_matter_to_python_models_alone(python_models: bool, threads: str, said: bool):
    machine = replace(MACHINE, variables={"OMP_NUM_THREADS": threads})
    assert ("threads" in levels(machine, replace(LOAD, python_models=python_models))) is said


@pytest.fixture
def groups(tmp_path: Path) -> list[Path]:
    """The folders of a control group inside another, version 2, from the inner one out."""
    own = tmp_path / "own"
    own.write_text("0::/outer/inner\n")
    (tmp_path / "sys/outer/inner").mkdir(parents=True)
    return list(folders(tmp_path / "sys", own))


def test_control_groups_are_found_from_the_innermost_out(groups: list[Path]):
    assert [folder.name for folder in groups] == ["inner", "outer", "sys"]


def test_tightest_control_group_decides(groups: list[Path]):
    inner, outer, _ = groups
    (inner / "cpu.max").write_text("max 100000\n")
    (outer / "cpu.max").write_text("150000 100000\n")
    (inner / "memory.max").write_text("1000\n")
    (outer / "memory.max").write_text("max\n")
    assert least(read_quota, iter(groups)) == 1.5
    assert least(read_memory, iter(groups)) == 1000


def test_control_groups_of_version_1_are_read(tmp_path: Path):
    for name, value in {"cpu.cfs_quota_us": "50000", "cpu.cfs_period_us": "100000"}.items():
        (tmp_path / name).write_text(value)
    (tmp_path / "memory.limit_in_bytes").write_text("9223372036854771712")
    assert read_quota(tmp_path) == 0.5
    assert read_memory(tmp_path) is None
    (tmp_path / "cpu.cfs_quota_us").write_text("-1")
    assert read_quota(tmp_path) is None


def test_machine_without_control_groups_has_no_bounds(tmp_path: Path):
    assert list(folders(tmp_path, tmp_path / "nowhere")) == []
    assert least(read_quota, iter([tmp_path])) is None


def test_this_machine_can_be_looked_at():
    machine = look_at_machine({"OMP_NUM_THREADS": "2", "PATH": "/bin"})
    assert machine.cores >= 1
    assert machine.memory_bytes > 2**20
    assert machine.open_files > 0
    assert machine.variables == {"OMP_NUM_THREADS": "2"}


WANTED = {
    "aiokafka": ">=0.14,<0.15",
    "numpy": ">=2.0",
    "onnxruntime": ">=1.20",
    "prometheus-client": "",
    "protobuf": "",
}
INSTALLED = {"aiokafka": "0.14.0", "numpy": "2.1", "onnxruntime": "1.22", "prometheus-client": "1", "protobuf": "6"}


def test_versions_as_wanted_are_well():
    (found,) = judge_versions(INSTALLED, WANTED, (3, 12, 1))
    assert found.level == "ok"
    assert "aiokafka 0.14.0" in found.what


@pytest.mark.parametrize(("version", "well"), [("0.13.9", False), ("0.14", True), ("0.14.3", True), ("0.15.0", False)])
def test_library_out_of_bounds_is_a_warning(version: str, well: bool):
    found = judge_versions(INSTALLED | {"aiokafka": version}, WANTED, (3, 12, 1))
    assert [each.level for each in found] == ["ok" if well else "warning"]


def test_older_python_is_a_fault():
    assert judge_versions(INSTALLED, WANTED, (3, 10, 4))[0].level == "fault"


def test_light_install_is_named():
    light = {name: INSTALLED[name] for name in ("aiokafka", "numpy")}
    (*_, found) = judge_versions(light, WANTED, (3, 12, 1))
    assert (found.check, found.level) == ("extras", "warning")
    assert found.commands == ('pip install "penstock-kafka[worker]"',)


@pytest.mark.parametrize(
    ("installed", "bounds", "well"),
    [
        ("2.0", ">=2.0", True),
        ("2.0rc1", ">=2.0", True),
        ("10.1", ">=9.9", True),
        ("1", "", True),
        ("0.15", "<0.15", False),
    ],
)
def test_bounds_are_compared_as_numbers(installed: str, bounds: str, well: bool):
    assert fits(installed, bounds) is well


def test_this_environment_is_as_wanted():
    assert {"aiokafka", "numpy", "onnxruntime"} <= wanted_versions().keys()
    assert {found.level for found in judge_versions(look_at_versions(), wanted_versions())} == {"ok"}
