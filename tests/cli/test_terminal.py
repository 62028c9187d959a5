"""What is printed: no order to the terminal from outside, and only characters that it has."""

import pytest

from penstock.cli.terminal import ascii_only, print_table, say


def test_table_follows_neither_markup_nor_orders_to_the_terminal(capsys):
    print_table(("name", "why"), [("[red]a[/red]", "\x1b[2J\x9b1m\nnext line")])

    assert [line.split() for line in capsys.readouterr().out.splitlines()] == [
        ["name", "why"],
        ["[red]a[/red]", "?[2J?1m"],
        ["next", "line"],
    ]


def test_what_is_said_keeps_its_lines_and_follows_no_orders(capsys):
    say("the worker says:\n\x1b]0;title\x07\n\tdone")

    assert capsys.readouterr().err == "the worker says:\n?]0;title?\n        done\n"


@pytest.mark.parametrize(
    ("encoding", "only"),
    [("utf-8", False), ("UTF8", False), ("ascii", True), ("latin-1", True), ("cp437", True), (None, True), ("?", True)],
)
def test_stream_without_our_marks_and_bars_gets_ascii(encoding, only):
    assert ascii_only(encoding) is only
