"""What `import penstock` offers, and what its help says."""

import inspect
import re
from pathlib import Path

import pytest

import penstock

SOURCE = (Path(__file__).resolve().parents[2] / "api" / "__init__.py").read_text()
NAMES = sorted(penstock._HOMES)
ERRORS = {name for name in NAMES if name.endswith("Error") or name in ("ClientClosed", "RequestTimeout")}


@pytest.mark.parametrize("name", NAMES)
def test_name_is_there_and_explained(name: str) -> None:
    thing = getattr(penstock, name)
    text = inspect.getdoc(thing)
    assert text
    assert thing.__name__ == name
    # An example is an indented line of code. The errors' is that of their base.
    if name not in ERRORS - {"PenstockError"} and name != "KafkaSettings":
        assert re.search(r"^    \S.*[(\[=.]", text, re.MULTILINE)


def test_names_for_people_and_for_type_checkers_are_the_same() -> None:
    checked = re.findall(r"import (\w+) as (\w+)$", SOURCE, re.MULTILINE)
    assert sorted(name for name, _ in checked) == NAMES
    assert all(name == alias for name, alias in checked)
    assert set(penstock.__all__) <= set(NAMES) <= set(dir(penstock))
    assert set(NAMES) - set(penstock.__all__) == {"KafkaSettings", "ServiceSettings"}


def test_help_begins_with_the_main_names_and_fits_a_terminal() -> None:
    text = penstock.__doc__ or ""
    for name in ("Client(", "Client.sync(", "Worker(", "EmbeddedKafka()", "ServiceError", "KafkaSettings("):
        assert name in text
    assert max(map(len, text.splitlines())) <= 80 - 4  # help() indents it


def test_what_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'penstock' has no attribute 'Klient'"):
        penstock.Klient  # noqa: B018
