"""Loading settings: precedence, and faults that say where they are."""

from pathlib import Path

import pytest
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from penstock.core.configuration import Origin, Settings, fields_of, load, load_partial, origins
from penstock.schemas.errors import ConfigurationError


class Engine(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    threads: int = Field(default=1, ge=1, le=8)
    names: tuple[str, ...] = ()
    password: SecretStr | None = Field(default=None, min_length=4)
    folder: Path


class Door(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    port: int = Field(default=80, ge=0, le=65_535)
    open: bool = True


class Machine(Settings):
    engine: Engine
    door: Door = Field(default_factory=Door)


FOLDER = {"PENSTOCK_ENGINE__FOLDER": "/models"}


def toml(folder: Path, text: str) -> Path:
    path = folder / "penstock.toml"
    path.write_text(text)
    return path


def faults_of(
    *,
    file: Path | None = None,
    environ: dict[str, str] | None = None,
    overrides: dict[str, object] | None = None,
) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        load(Machine, file=file, environ=environ or {}, overrides=overrides or {})
    return str(caught.value).splitlines()


def test_defaults_fill_what_nobody_sets() -> None:
    machine = load(Machine, environ=FOLDER)
    assert machine.engine.threads == 1
    assert machine.door == Door()
    assert machine.engine.folder == Path("/models")


def test_command_line_beats_environment_beats_file_beats_default(tmp_path: Path) -> None:
    file = toml(tmp_path, '[engine]\nthreads = 2\nfolder = "/file"\nnames = ["file"]\n[door]\nport = 1\n')
    environ = {"PENSTOCK_ENGINE__THREADS": "3", "PENSTOCK_ENGINE__NAMES": "environment"}
    machine = load(Machine, file=file, environ=environ, overrides={"engine.threads": 4, "door.open": None})
    assert machine.engine.threads == 4
    assert machine.engine.names == ("environment",)
    assert machine.engine.folder == Path("/file")
    assert machine.door == Door(port=1)


def test_lists_are_comma_separated_outside_the_file() -> None:
    environ = {**FOLDER, "PENSTOCK_ENGINE__NAMES": "one, two,,three"}
    assert load(Machine, environ=environ).engine.names == ("one", "two", "three")
    machine = load(Machine, environ=FOLDER, overrides={"engine.names": "four,five"})
    assert machine.engine.names == ("four", "five")


def test_an_empty_variable_empties_a_list_of_the_file(tmp_path: Path) -> None:
    file = toml(tmp_path, '[engine]\nfolder = "/f"\nnames = ["one"]\n')
    assert load(Machine, file=file, environ={"PENSTOCK_ENGINE__NAMES": ""}).engine.names == ()


def test_penstock_config_names_the_file_and_an_explicit_file_wins(tmp_path: Path) -> None:
    named = toml(tmp_path, '[engine]\nfolder = "/named"\n')
    environ = {"PENSTOCK_CONFIG": str(named)}
    assert load(Machine, environ=environ).engine.folder == Path("/named")
    explicit = tmp_path / "explicit.toml"
    explicit.write_text('[engine]\nfolder = "/explicit"\n')
    assert load(Machine, file=explicit, environ=environ).engine.folder == Path("/explicit")


def test_only_the_environment_given_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PENSTOCK_ENGINE__THREADS", "7")
    assert load(Machine, environ=FOLDER).engine.threads == 1
    assert Machine(engine=Engine(folder=Path("/models"))).engine.threads == 1


def test_every_fault_is_reported_at_once_with_its_place(tmp_path: Path) -> None:
    file = toml(tmp_path, '[engine]\nthreads = "0"\nthread = 2\n[dor]\nport = 1\n')
    environ = {"PENSTOCK_DOOR__PORT": "70000", "PENSTOCK_ENGINE_THREADS": "2"}
    faults = faults_of(file=file, environ=environ, overrides={"door.open": "ajar", "door.prot": 1})
    assert sorted(faults) == sorted(
        [
            "option door.prot: unknown setting; did you mean door.port?",
            "PENSTOCK_ENGINE_THREADS: unknown variable; did you mean PENSTOCK_ENGINE__THREADS?",
            f"{file}: engine.thread: unknown setting; did you mean engine.threads?",
            f"{file}: dor: unknown section; did you mean door?",
            f"{file}: engine.threads: Input should be greater than or equal to 1, got '0'",
            "engine.folder: required; set PENSTOCK_ENGINE__FOLDER, or folder under [engine] in the file",
            "option door.open: Input should be a valid boolean, unable to interpret input, got 'ajar'",
            "PENSTOCK_DOOR__PORT: Input should be less than or equal to 65535, got '70000'",
        ]
    )


def test_a_setting_in_the_wrong_section_is_recognised(tmp_path: Path) -> None:
    file = toml(tmp_path, '[engine]\nfolder = "/f"\nport = 1\n')
    assert faults_of(file=file) == [f"{file}: engine.port: unknown setting; did you mean door.port?"]


def test_a_setting_outside_its_section_is_recognised(tmp_path: Path) -> None:
    file = toml(tmp_path, 'port = 1\n[engine]\nfolder = "/f"\n')
    assert faults_of(file=file) == [f"{file}: port: unknown section; did you mean door.port?"]


def test_a_misspelt_name_of_the_file_is_recognised() -> None:
    assert faults_of(environ={**FOLDER, "PENSTOCK_CONFG": "x.toml"}) == [
        "PENSTOCK_CONFG: unknown variable; did you mean PENSTOCK_CONFIG?"
    ]


def test_a_variable_like_nothing_known_gets_no_suggestion() -> None:
    assert faults_of(environ={**FOLDER, "PENSTOCK_QQQQ": "1"}) == ["PENSTOCK_QQQQ: unknown variable"]


def test_a_variable_in_lower_case_is_corrected() -> None:
    assert faults_of(environ={**FOLDER, "PENSTOCK_door__port": "1"}) == [
        "PENSTOCK_door__port: unknown variable; did you mean PENSTOCK_DOOR__PORT?"
    ]


def test_variables_of_others_are_none_of_our_business() -> None:
    load(Machine, environ={**FOLDER, "PENSTOCKING": "1", "ENGINE__THREADS": "x"})


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("[engine\n", "not valid TOML: Expected ']' at the end of a table declaration (at line 1, column 8)"),
        ('door = 3\n[engine]\nfolder = "/f"', "door: must be a table, written [door]"),
        ('[engine]\nfolder = "/f"\nnames = "a,b"', "engine.names: must be a list, got 'a,b'"),
        ('[engine]\nfolder = "/f"\nnames = ["a", 2]', "engine.names: item 2: Input should be a valid string"),
    ],
)
def test_a_faulty_file_is_told_by_its_place(tmp_path: Path, text: str, fault: str) -> None:
    file = toml(tmp_path, text)
    assert faults_of(file=file, environ=FOLDER if "engine\n" in text else None)[0].startswith(f"{file}: {fault}")


def test_a_missing_file_is_an_error_beside_the_others(tmp_path: Path) -> None:
    missing = tmp_path / "none.toml"
    environ = {**FOLDER, "PENSTOCK_CONFIG": str(missing), "PENSTOCK_DOOR__PORT": "x"}
    faults = faults_of(environ=environ)
    assert faults[0] == f"{missing}: no such file"
    assert faults[1].startswith("PENSTOCK_DOOR__PORT: ")


def test_a_file_that_is_not_text_is_an_error(tmp_path: Path) -> None:
    file = tmp_path / "penstock.toml"
    file.write_bytes(b"\xff\xfe")
    assert faults_of(file=file, environ=FOLDER)[0].startswith(f"{file}: cannot be read: ")


def test_secrets_are_in_no_message_and_no_repr(tmp_path: Path) -> None:
    machine = load(Machine, environ={**FOLDER, "PENSTOCK_ENGINE__PASSWORD": "hunter22"})
    assert machine.engine.password is not None
    assert machine.engine.password.get_secret_value() == "hunter22"
    assert "hunter22" not in repr(machine) + str(machine)
    file = toml(tmp_path, '[engine]\nfolder = "/f"\npasword = "hunter22"\npassword = "hun"\n')
    with pytest.raises(ConfigurationError) as caught:
        load(Machine, file=file, environ={})
    assert "hun" not in str(caught.value)
    assert "did you mean engine.password?" in str(caught.value)
    assert caught.value.__context__ is None


def test_settings_never_change_once_built() -> None:
    machine = load(Machine, environ=FOLDER)
    with pytest.raises(ValueError, match="frozen"):
        machine.door = Door(port=1)


def test_fields_of_lists_every_setting() -> None:
    names = [name for name, _ in fields_of(Machine)]
    assert names == [
        "engine.threads",
        "engine.names",
        "engine.password",
        "engine.folder",
        "door.port",
        "door.open",
    ]


@pytest.mark.parametrize(
    "name",
    [
        "PENSTOCK_SERVICE_HOST",
        "PENSTOCK_SERVICE_PORT_HTTP",
        "PENSTOCK_PORT",
        "PENSTOCK_PORT_8090_TCP_ADDR",
        "PENSTOCK_WORKER_METRICS_PORT_8090_TCP",
    ],
)
def test_what_kubernetes_says_of_a_service_called_penstock_is_passed_over(name: str) -> None:
    assert load(Machine, environ={**FOLDER, name: "10.0.0.1"}).door == Door()


def test_a_variable_that_only_looks_like_a_services_is_a_fault() -> None:
    assert faults_of(environ={**FOLDER, "PENSTOCK_DOOR_PROT": "1"})


class Porch(Settings):
    """A part of the machine: one of its sections, and not the one with a required setting."""

    door: Door = Field(default_factory=Door)


def test_a_part_passes_over_what_belongs_to_the_whole(tmp_path: Path) -> None:
    file = toml(tmp_path, "[engine]\nthreads = 2\n[door]\nport = 81\n")
    porch = load(Porch, file=file, environ={"PENSTOCK_ENGINE__NAMES": "one"}, among=Machine)
    assert porch.door == Door(port=81)


def test_a_part_still_reports_what_the_whole_does_not_know(tmp_path: Path) -> None:
    file = toml(tmp_path, "[engine]\nthraeds = 2\n")
    with pytest.raises(ConfigurationError) as caught:
        load(Porch, file=file, environ={"PENSTOCK_DOOR__PROT": "1"}, among=Machine)
    assert str(caught.value).splitlines() == [
        "PENSTOCK_DOOR__PROT: unknown variable; did you mean PENSTOCK_DOOR__PORT?",
        f"{file}: engine.thraeds: unknown setting; did you mean engine.threads?",
    ]


def test_origins_say_which_source_has_the_last_word(tmp_path: Path) -> None:
    file = toml(tmp_path, '[engine]\nthreads = 2\nfolder = "/file"\n[door]\nport = 1\n')
    environ = {"PENSTOCK_ENGINE__THREADS": "3", "PENSTOCK_CONFIG": str(file)}
    found = origins(Machine, environ=environ, overrides={"door.port": 4, "door.open": None})
    assert found == {
        "engine.threads": Origin("variable", "PENSTOCK_ENGINE__THREADS", "3"),
        "engine.names": Origin("default", "", ()),
        "engine.password": Origin("default", "", None),
        "engine.folder": Origin("file", str(file), "/file"),
        "door.port": Origin("option", "", 4),
        "door.open": Origin("default", "", True),
    }


def test_origins_are_there_whatever_is_wrong(tmp_path: Path) -> None:
    file = toml(tmp_path, '[engine]\nthreads = "none"\nthread = 1\n')
    found = origins(Machine, file=file, environ={})
    assert found["engine.threads"] == Origin("file", str(file), "none")
    assert found["engine.folder"] == Origin("default", "", None)


def test_partial_settings_are_as_they_stand_with_the_faults_and_where_those_are(tmp_path: Path) -> None:
    file = toml(tmp_path, "[engine]\nthreads = 99\nthread = 1\n[door]\nport = 1\n")
    environ = {"PENSTOCK_DOOR__PORT": "many"}
    found = load_partial(Machine, file=file, environ=environ, overrides={"door.opne": "no", "door.open": "perhaps"})
    assert found.values == {"engine": {"threads": 99}, "door": {"port": "many", "open": "perhaps"}}
    assert sorted((fault.section, fault.kind or "", fault.text.split(": ")[-2]) for fault in found.faults) == [
        ("door", "option", "option door.open"),
        ("door", "option", "option door.opne"),
        ("door", "variable", "PENSTOCK_DOOR__PORT"),
        ("engine", "", "engine.folder"),
        ("engine", "file", "engine.thread"),
        ("engine", "file", "engine.threads"),
    ]


def test_fault_of_a_misspelt_setting_is_in_the_section_that_was_meant(tmp_path: Path) -> None:
    file = toml(tmp_path, "[dor]\nport = 1\n")
    environ = {**FOLDER, "PENSTOCK_ENGINE__OPEN": "1"}
    found = load_partial(Machine, file=file, environ=environ, overrides={})
    assert [fault.section for fault in found.faults] == ["door", "door"]


def test_fault_of_a_file_that_cannot_be_read_is_in_no_section(tmp_path: Path) -> None:
    (fault,) = load_partial(Machine, file=tmp_path / "absent", environ=FOLDER, overrides={}).faults
    assert (fault.section, fault.kind) == ("", "file")
