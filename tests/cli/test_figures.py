"""Durations, sizes and counts as every command writes them."""

import pytest

from penstock.cli.figures import counted, duration, size


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0.00 ms"),
        (0.00031, "0.31 ms"),
        (0.0124, "12.4 ms"),
        (0.312, "312 ms"),
        (0.99996, "1.00 s"),
        (1.2, "1.20 s"),
        (29.7, "29.7 s"),
        (119, "119 s"),
        (3600, "60 min"),
        (9000, "2.5 h"),
        (7 * 86_400, "7 d"),
    ],
)
def test_duration_has_the_figures_that_matter(seconds, text):
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (588, "588 B"),
        (1.5 * 1024, "1.5 KiB"),
        (5e6, "4.8 MiB"),
        (64 * 2**20, "64 MiB"),
        (1000 * 2**20, "1.0 GiB"),
    ],
)
def test_size_is_in_units_of_1024(count, text):
    assert size(count) == text


def test_what_is_not_known_is_a_dash():
    assert duration(None) == duration(float("nan")) == size(None) == "-"


@pytest.mark.parametrize(
    ("figure", "width", "values"),
    [
        (duration, 7, [10**n * part for n in range(-5, 9) for part in (0.99999, 1.2, 5)]),
        (size, 8, [2**n * 0.9999 for n in range(46)]),
    ],
)
def test_figure_never_leaves_its_column(figure, width, values):
    assert [figure(value) for value in values if len(figure(value)) > width] == []


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ((0, "fault"), "0 faults"),
        ((1, "fault"), "1 fault"),
        ((1204, "fault"), "1,204 faults"),
        ((1.0, "core"), "1 core"),
        ((1.5, "core"), "1.5 cores"),
        ((2, "process", "processes"), "2 processes"),
    ],
)
def test_things_are_counted_in_their_number(arguments, text):
    assert counted(*arguments) == text
