"""Files of keys: what is in them, who may read them, and what is said where they are no use."""

import stat
import tomllib
from pathlib import Path

import pytest

from penstock.schemas.control.signing import Signer
from penstock.schemas.control.specs import Key
from penstock.schemas.errors import ConfigurationError
from penstock.transport.control.keys import (
    key_resource,
    read_private_key,
    read_trusted_keys,
    trusted_key_table,
    write_private_key,
)

PUBLIC = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"


def test_trusted_keys_are_read_as_they_were_written(tmp_path: Path):
    keys = {"anna": Key(public=PUBLIC, scopes=("*",)), "ci.2": Key(public=PUBLIC, scopes=("deployment/*", "lane/a"))}
    path = tmp_path / "trusted.toml"
    path.write_text("".join(trusted_key_table(*each) for each in keys.items()))
    assert read_trusted_keys(path) == keys


def test_every_fault_of_a_file_of_trusted_keys_is_said_with_its_place(tmp_path: Path):
    path = tmp_path / "trusted.toml"
    path.write_text(f"""
        [anna]
        public = "12"
        scopes = ["*"]
        [ben]
        public = "{PUBLIC}"
        [carl]
        public = "{PUBLIC}"
        scopes = ["*"]
        role = "admin"
        ["d e"]
        public = "{PUBLIC}"
        scopes = ["*"]
    """)
    with pytest.raises(ConfigurationError) as caught:
        read_trusted_keys(path)
    lines = str(caught.value).splitlines()
    assert len(lines) == 4
    assert all(line.startswith(f"{path}: ") for line in lines)
    for line, said in zip(lines, ("[anna] public", "[ben] scopes", "[carl] role", "'d e' can be no id"), strict=True):
        assert said in line


def test_table_is_needed_and_no_key_at_all_is_a_fault(tmp_path: Path):
    path = tmp_path / "trusted.toml"
    path.write_text(f'anna = "{PUBLIC}"')
    with pytest.raises(ConfigurationError, match="'anna' is no table"):
        read_trusted_keys(path)
    path.write_text("")
    with pytest.raises(ConfigurationError, match="it names no key"):
        read_trusted_keys(path)


def test_file_that_is_missing_or_no_toml_is_said(tmp_path: Path):
    with pytest.raises(ConfigurationError, match="there is no such file"):
        read_trusted_keys(tmp_path / "none.toml")
    (tmp_path / "odd.toml").write_text("[anna\n")
    with pytest.raises(ConfigurationError, match=r"not valid TOML \(at line 1"):
        read_trusted_keys(tmp_path / "odd.toml")


def test_private_key_is_read_as_it_was_written_and_only_by_its_owner(tmp_path: Path):
    signer, path = Signer.generate("anna"), tmp_path / "anna.key"
    write_private_key(path, signer)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    found = read_private_key(path)
    assert (found.key_id, found.private_bytes) == ("anna", signer.private_bytes)
    assert tomllib.loads(path.read_text())["public"] == signer.public_hex


def test_private_key_is_never_written_over(tmp_path: Path):
    path = tmp_path / "anna.key"
    write_private_key(path, Signer.generate("anna"))
    before = path.read_bytes()
    with pytest.raises(ConfigurationError, match="is there already, and a key that is written over is lost"):
        write_private_key(path, Signer.generate("anna"))
    assert path.read_bytes() == before
    with pytest.raises(ConfigurationError, match="cannot be written: No such file"):
        write_private_key(tmp_path / "none" / "anna.key", Signer.generate("anna"))


@pytest.mark.parametrize(("mode", "said"), [(0o644, "read"), (0o604, "read"), (0o620, "change"), (0o666, "read")])
def test_private_key_that_others_may_touch_is_refused(tmp_path: Path, mode: int, said: str):
    path = tmp_path / "anna.key"
    write_private_key(path, Signer.generate("anna"))
    path.chmod(mode)
    with pytest.raises(ConfigurationError, match=rf"others may {said} it \(mode {mode:04o}\)") as caught:
        read_private_key(path)
    assert f"chmod 600 {path}" in str(caught.value)


def test_private_key_that_its_group_may_read_is_warned_of(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    path = tmp_path / "anna.key"
    write_private_key(path, Signer.generate("anna"))
    path.chmod(0o440)
    assert read_private_key(path).key_id == "anna"
    assert "a private key that its group may read" in caplog.text


@pytest.mark.parametrize(
    "text",
    [
        "",
        'id = "anna"',
        f'id = "anna"\nprivate = "{"g" * 64}"',
        'id = "anna"\nprivate = "12"',
        f'id = "-"\nprivate = "{PUBLIC}"',
    ],
)
def test_file_without_a_private_key_is_said_and_not_quoted(tmp_path: Path, text: str):
    path = tmp_path / "odd.key"
    path.write_text(text)
    path.chmod(0o600)
    with pytest.raises(ConfigurationError, match="holds no private key") as caught:
        read_private_key(path)
    assert "gggg" not in str(caught.value)


def test_public_half_that_does_not_fit_is_said(tmp_path: Path):
    path = tmp_path / "anna.key"
    write_private_key(path, Signer.generate("anna"))
    path.write_text(path.read_text().replace(read_private_key(path).public_hex, PUBLIC))
    with pytest.raises(ConfigurationError, match="public is not the public half of private"):
        read_private_key(path)


def test_secret_that_is_no_toml_is_not_quoted(tmp_path: Path):
    path = tmp_path / "raw.key"
    path.write_text("c0ffee" * 10)
    path.chmod(0o600)
    with pytest.raises(ConfigurationError, match="not valid TOML") as caught:
        read_private_key(path)
    assert "c0ffee" not in str(caught.value)


def test_id_of_a_key_is_a_name():
    assert str(key_resource("anna.2")) == "key/anna.2"
    with pytest.raises(ConfigurationError, match="can be no id of a key"):
        key_resource("../anna")
