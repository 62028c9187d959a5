"""What the options mean together."""

from typing import Any

import pytest
import typer

from penstock.cli.bench.choice import Choice
from penstock.cli.bench.climb import Steps
from penstock.cli.bench.load import Load


def choice(**given: Any) -> Choice:
    nothing: dict[str, Any] = dict.fromkeys(Choice.__dataclass_fields__)
    defaults = {
        "model": "iris", "timeout_s": 10.0, "objectives": (), "ramp": False, "skip": (), "by_column": False,
        "rows_per_request": 1, "raw": False, "max_in_flight": 100_000, "own_topic": False, "json": False,
    }  # fmt: skip
    return Choice(**(nothing | defaults | given))


def test_nothing_said_is_a_modest_rate():
    assert choice().load() == Load(100, None, 10, 2)
    assert choice().steps() is None
    assert choice().wanted() == ()


def test_concurrency_is_in_place_of_a_rate():
    assert choice(concurrency=64, seconds=30.0, warm_up_s=0.0).load() == Load(None, 64, 30, 0)


def test_ramp_has_shorter_loads_and_an_objective():
    made = choice(ramp=True, rate=500.0)
    assert made.load() == Load(500, None, 5, 1)
    assert made.steps() == Steps(500, 2, None, None, 3)
    assert [each.text for each in made.wanted()] == ["p99=100ms", "errors=0.1%"]


def test_ramp_goes_up_as_it_is_told():
    assert choice(ramp=True, step=50.0, up_to=1000.0, halvings=0).steps() == Steps(100, 2, 50, 1000, 0)


def understood(made: Choice) -> None:
    made.check_rows()
    made.load()
    made.steps()
    made.wanted()


@pytest.mark.parametrize(
    ("given", "option"),
    [
        ({"rate": 5.0, "concurrency": 5}, "--concurrency"),
        ({"ramp": True, "concurrency": 5}, "--concurrency"),
        ({"concurrency": 500, "max_in_flight": 100}, "--concurrency"),
        ({"factor": 3.0}, "--factor"),
        ({"halvings": 0}, "--halvings"),
        ({"ramp": True, "factor": 3.0, "step": 5.0}, "--factor, --step"),
        ({"ramp": True, "rate": 50.0, "up_to": 20.0}, "--up-to"),
        ({"objectives": ("p99=5",)}, "--objective"),
        ({"rows": "a.csv", "repository": "models"}, "--rows, --repository"),
        ({"skip": ("label",)}, "--skip-column"),
        ({"dtype": "float64"}, "--dtype"),
    ],
    ids=str,
)
def test_options_that_do_not_go_together_name_the_one(given, option):
    with pytest.raises(typer.BadParameter) as wrong:
        understood(choice(**given))
    assert wrong.value.param_hint == option
