"""The cache of a machine: a limit, and what is in use stays."""

import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from penstock.core.store.cache import Held, VersionCache, default_cache
from penstock.core.store.file_lock import take, try_to_take
from penstock.schemas.errors import ModelError

_HOLDER = """
import sys
from pathlib import Path
from penstock.core.store.cache import VersionCache
held = VersionCache(Path(sys.argv[1]), 100).hold(sys.argv[2], 40, None, lambda folder: None)
print("held", flush=True)
sys.stdin.readline()
"""


def fetch(folder: Path, size: int) -> None:
    (folder / "model.onnx").write_bytes(b"x" * size)


def check(folder: Path) -> None:
    if not (folder / "model.onnx").is_file():
        raise ModelError("not whole")


def hold(cache: VersionCache, key: str, size: int = 40) -> Held:
    return cache.hold(key, size, partial(fetch, size=size), check)


def use(cache: VersionCache, *keys: str) -> None:
    """Hold each for a moment, one after another."""
    for place, key in enumerate(keys):
        held = hold(cache, key)
        held.release()
        lock = held.folder.with_name(f"{key}.lock")
        os.utime(lock, (place, place))  # clocks are coarse


def kept(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if path.is_dir()}


def test_what_was_not_used_for_longest_is_removed_first(tmp_path: Path) -> None:
    cache = VersionCache(tmp_path, 100)
    use(cache, "a@1-x", "b@1-x", "a@1-x")
    use(cache, "c@1-x")
    assert kept(tmp_path) == {"a@1-x", "c@1-x"}
    assert not (tmp_path / "b@1-x.lock").exists()


def test_what_is_in_use_is_never_removed(tmp_path: Path) -> None:
    cache = VersionCache(tmp_path, 100)
    held = [hold(cache, "a@1-x"), hold(cache, "b@1-x")]
    with capture_logs() as lines:
        hold(cache, "c@1-x").release()
    assert kept(tmp_path) == {"a@1-x", "b@1-x", "c@1-x"}
    assert [line["event"] for line in lines] == ["the cache goes over its limit: nothing more can be removed"]
    held[0].release()
    hold(cache, "d@1-x")
    assert "a@1-x" not in kept(tmp_path)
    assert "b@1-x" in kept(tmp_path)


def test_what_another_process_uses_is_kept_until_it_ends_even_when_it_is_killed(tmp_path: Path) -> None:
    cache = VersionCache(tmp_path, 100)
    use(cache, "a@1-x", "b@1-x")
    command = [sys.executable, "-c", _HOLDER, str(tmp_path), "a@1-x"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        os.utime(tmp_path / "a@1-x.lock", (0, 0))
        use(cache, "c@1-x")
        assert kept(tmp_path) == {"a@1-x", "c@1-x"}
        holder.kill()
        holder.wait()
    use(cache, "c@1-x", "d@1-x")
    assert kept(tmp_path) == {"c@1-x", "d@1-x"}


def test_download_that_fails_leaves_nothing_and_can_be_tried_again(tmp_path: Path) -> None:
    cache = VersionCache(tmp_path, 100)

    def broken(folder: Path) -> None:
        (folder / "half").write_bytes(b"x")
        raise ModelError("the line was cut")

    with pytest.raises(ModelError, match="the line was cut"):
        cache.hold("a@1-x", 40, broken, check)
    with pytest.raises(ModelError, match="not whole"):
        cache.hold("a@1-x", 40, lambda folder: None, check)
    assert kept(tmp_path) == set()
    assert hold(cache, "a@1-x").folder == tmp_path / "a@1-x"


def test_part_of_a_download_whose_process_was_killed_is_removed_with_the_next(tmp_path: Path) -> None:
    (tmp_path / "a@1-x.part").mkdir()
    (tmp_path / "a@1-x.lock").touch()
    use(VersionCache(tmp_path, 100), "b@1-x")
    assert kept(tmp_path) == {"b@1-x"}


def test_cache_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ModelError, match=r"the cache of models, .*/file, cannot be used.*see models\.cache"):
        hold(VersionCache(tmp_path / "file", 100), "a@1-x")


@pytest.mark.parametrize(
    ("given", "meant"), [("/srv/cache", "/srv/cache"), ("", "/home/anna/.cache"), ("relative", "/home/anna/.cache")]
)
def test_cache_lies_where_the_user_keeps_caches(monkeypatch: pytest.MonkeyPatch, given: str, meant: str) -> None:
    monkeypatch.setenv("HOME", "/home/anna")
    monkeypatch.setenv("XDG_CACHE_HOME", given)
    assert default_cache() == Path(meant) / "penstock" / "models"


def test_lock_is_shared_or_held_alone(tmp_path: Path) -> None:
    file = tmp_path / "lock"
    with take(file, "shared"), take(file, "shared"):
        assert try_to_take(file, "alone") is None
    with take(file, "alone"):
        assert try_to_take(file, "shared") is None


def test_lock_on_a_file_that_was_removed_is_not_taken_for_one_on_the_new_file(tmp_path: Path) -> None:
    file = tmp_path / "lock"
    with take(file, "alone"):
        file.unlink()
        with take(file, "alone"):
            assert try_to_take(file, "alone") is None
