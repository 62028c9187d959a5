"""`penstock keys`: made, trusted, listed and revoked."""

import asyncio
import json
import stat
import tomllib
from pathlib import Path

from penstock.transport.control.keys import read_private_key, read_trusted_keys
from tests.cli.control.conftest import Service
from tests.support.command import penstock


def test_private_half_is_for_its_owner_alone_and_the_public_one_can_be_pasted(tmp_path: Path) -> None:
    ran = penstock("keys", "create", "anna", "--scope", "lane/*", folder=tmp_path)
    assert ran.status == 0, ran
    file = tmp_path / "anna.key"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    pasted = tomllib.loads(ran.out.partition("\n\n")[2])
    assert pasted == {"anna": {"public": read_private_key(file).public_hex, "scopes": ["lane/*"]}}


def test_file_of_trusted_keys_grows_and_takes_each_id_once(tmp_path: Path) -> None:
    (tmp_path / "trusted.toml").write_text(f'# ours\n[ben]\npublic = "{"0" * 64}"\nscopes = ["*"]')
    ran = penstock("keys", "create", "anna", "--trust", "trusted.toml", folder=tmp_path)
    assert ran.status == 0, ran
    assert list(read_trusted_keys(tmp_path / "trusted.toml")) == ["ben", "anna"]

    again = penstock("keys", "create", "anna", "--trust", "trusted.toml", "--file", "other.key", folder=tmp_path)
    assert again.status == 2
    assert again.lines[0] == "penstock: trusted.toml trusts a key anna already."
    assert not (tmp_path / "other.key").exists()


async def test_key_that_the_log_trusts_may_what_it_was_given_until_it_is_revoked(service: Service) -> None:
    def operate() -> None:
        made = json.loads(service("keys", "create", "carl", "--json").out)
        trusted = service("keys", "trust", "carl", made["public"], "--scope", "throttle/*")
        assert "key/carl at offset 0: trusted for throttle/*" in trusted.out
        carl = service.key("carl")
        assert service("throttle", "global", 5, PENSTOCK_CONTROL__KEY=carl).status == 0
        revoked = service("keys", "revoke", "carl", "--reason", "gone", "--no-wait")
        assert revoked.status == 0
        late = service("throttle", "global", 6, PENSTOCK_CONTROL__KEY=carl)
        assert "UNKNOWN_KEY: key 'carl' was revoked at offset 2" in late.err

        listed = {row["id"]: row for row in json.loads(service("keys", "list", "--json").out)}
        assert list(listed) == ["anna", "ben", "carl"]
        assert listed["carl"]["scopes"] == []
        assert listed["carl"]["trusted_by"].startswith("revoked at offset 2 by ")

    await asyncio.to_thread(operate)
