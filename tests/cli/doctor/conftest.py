"""What the doctor's tests share."""

import os
from pathlib import Path

import pytest

from tests.support.examination import settings_of
from tests.support.lane import Lane


@pytest.fixture(autouse=True)
def no_settings_of_ours(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Keep the settings of whoever runs the tests out of what is examined."""
    for name in [name for name in os.environ if name.startswith("PENSTOCK_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def service(lane: Lane, models: Path) -> dict[str, object]:
    """The settings of a service on the test's lane."""
    return settings_of(lane, models)
