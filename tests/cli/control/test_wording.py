"""What commands say of resources."""

import pytest

from penstock.cli.control.wording import clock, comparison, percent, phrase
from penstock.schemas.control.resources import parse_resource
from penstock.schemas.control.specs import Deployment, Lane, Throttle

IRIS = parse_resource("deployment/iris")
ONE = Deployment.model_validate({"versions": [{"version": "1"}]})
SPLIT = Deployment.model_validate(
    {
        "versions": [{"version": "1", "weight": 9.0}, {"version": "2"}],
        "shadows": [{"version": "3", "share": 0.25, "topic": "shadows"}],
    }
)


@pytest.mark.parametrize(
    ("share", "said"), [(1.0, "100 %"), (0.125, "12.5 %"), (0.9, "90 %"), (0.0, "0 %"), (0.0001, "< 0.1 %")]
)
def test_share_is_said_to_a_tenth_of_a_percent(share: float, said: str) -> None:
    assert percent(share) == said


def test_one_line_says_what_is_wanted() -> None:
    assert phrase(IRIS, ONE) == "iris@1"
    assert phrase(IRIS, SPLIT) == "iris@1 90 %, iris@2 10 %; shadow 3 25 % to shadows"
    assert phrase(IRIS, None) == "as the settings say"
    acme = parse_resource("throttle/tenant:acme")
    assert phrase(acme, Throttle(rows_per_s=1500.0)) == "1,500 rows/s, what is over waits"
    assert phrase(acme, Throttle(rows_per_s=0.0, on_excess="reject")) == "stopped, what is over is refused"
    assert phrase(parse_resource("lane/requests"), Lane(state="paused")) == "paused, weight 1"


def test_difference_has_a_line_for_each_side_of_what_changes() -> None:
    assert comparison(IRIS, ONE, SPLIT) == [
        "- versions  iris@1",
        "+ versions  iris@1 90 %, iris@2 10 %",
        "- shadows   -",
        "+ shadows   3 25 % to shadows",
    ]


def test_difference_keeps_what_stays_without_a_mark() -> None:
    lane = parse_resource("lane/requests")
    assert comparison(lane, Lane(), Lane(state="paused")) == ["- state   running", "+ state   paused", "  weight  1"]


def test_difference_from_and_to_nothing_says_what_holds_instead() -> None:
    assert comparison(IRIS, None, ONE) == ["- as the settings say", "+ versions  iris@1"]
    assert comparison(IRIS, ONE, None) == ["- versions  iris@1", "+ as the settings say"]


def test_time_that_is_none_is_said_all_the_same() -> None:
    assert clock(0)[:4] in ("1969", "1970")
    assert clock(2**53) == f"{2**53} ms"
