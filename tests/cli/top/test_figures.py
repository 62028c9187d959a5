"""Numbers in few characters."""

import pytest

from penstock.cli.top.figures import chart, count, cut, per_second, rows, share, span


@pytest.mark.parametrize(
    ("figure", "value", "text"),
    [
        (count, 0, "0"),
        (count, 999_999, "999,999"),
        (count, 12_345_678, "12.3M"),
        (count, 5e9, "5.0G"),
        (per_second, 0, "0/s"),
        (per_second, 0.01, "<0.1/s"),
        (per_second, 0.3, "0.3/s"),
        (per_second, 4107.2, "4,107/s"),
        (span, 14.9, "14 s"),
        (span, 200, "3 min"),
        (span, 8100, "2 h 15 min"),
        (span, 273_600, "3 d 4 h"),
        (share, 0, "0 %"),
        (share, 0.0001, "<0.1 %"),
        (share, 0.031, "3.1 %"),
        (share, 1, "100 %"),
        (rows, 1.37, "1.4"),
        (rows, 4, "4"),
        (rows, 511.6, "512"),
    ],
)
def test_figure_is_short_and_has_its_unit(figure, value, text):
    assert figure(value) == text


@pytest.mark.parametrize("figure", [count, per_second, span, share, rows])
def test_unknown_figure_is_a_dash(figure):
    assert figure(None) == "-"


@pytest.mark.parametrize(
    ("figure", "width", "values"),
    [
        (count, 7, [10**n * 0.99999 for n in range(18)]),
        (per_second, 9, [10**n * 0.99999 for n in range(-3, 18)]),
        (share, 6, [n / 997 for n in range(998)]),
    ],
)
def test_figure_never_leaves_its_column(figure, width, values):
    assert [figure(value) for value in values if len(figure(value)) > width] == []


def test_long_name_keeps_both_ends():
    assert cut("requests", 8) == "requests"
    assert cut("tenant-a-requests-v2", 12) == "tenan..ts-v2"
    assert cut("requests", 3) == "req"


def test_chart_grows_to_the_right_and_fills_its_height():
    assert chart([0, 1, 2, 4], 6, 2) == ["     █", "   ▄██"]
    assert chart([9, 9, 1, 2], 2, 1) == ["▄█"]


def test_smallest_value_is_seen_in_a_chart():
    assert chart([1, 1000], 2, 1) == ["▁█"]


def test_chart_of_nothing_is_blank():
    assert chart([], 3, 2) == chart([0, 0], 3, 2) == ["   ", "   "]


def test_plain_chart_is_ascii():
    assert chart([1, 2, 4], 3, 1, plain=True) == [":=@"]
