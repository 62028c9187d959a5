"""Single keys from the terminal, and the terminal as it was afterwards."""

import asyncio
import os
import sys
import termios
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

_CHARACTERS: Final = 6  # where termios keeps the special characters


@contextmanager
def keys(pressed: Callable[[str], None]) -> Iterator[None]:
    """Hand each key to `pressed` as it is pressed, without echo; Ctrl-C stays a signal.

    Where standard input is no terminal there are no keys. Must be called on the event loop.
    """
    if not sys.stdin.isatty():
        yield
        return
    terminal, loop = sys.stdin.fileno(), asyncio.get_running_loop()
    before = termios.tcgetattr(terminal)

    def read() -> None:
        try:
            typed = os.read(terminal, 64)
        except OSError:  # the terminal has gone
            typed = b""
        if not typed:
            loop.remove_reader(terminal)
        for key in typed.decode(errors="replace"):
            pressed(key)

    try:
        tty.setcbreak(terminal, termios.TCSANOW)
        changed = termios.tcgetattr(terminal)
        # Ctrl-Z would leave the shell on our screen.
        changed[_CHARACTERS][termios.VSUSP] = b"\0"
        termios.tcsetattr(terminal, termios.TCSANOW, changed)
        loop.add_reader(terminal, read)
        yield
    finally:
        loop.remove_reader(terminal)
        termios.tcsetattr(terminal, termios.TCSADRAIN, before)
