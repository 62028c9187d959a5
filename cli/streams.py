"""Standard output and error as they may be: closed, full, or read by somebody who has had enough."""

import os
import sys


def make_whole() -> None:
    """Give a stream that was closed before the start a place to write to, as most libraries expect of it."""
    for name, descriptor in (("stdout", 1), ("stderr", 2)):
        if getattr(sys, name) is None:
            null = os.open(os.devnull, os.O_WRONLY)
            if null != descriptor:
                os.dup2(null, descriptor)
                os.close(null)
            setattr(sys, name, os.fdopen(descriptor, "w", closefd=False))


def finish() -> None:
    """Write what is still buffered, and where that fails, nowhere: Python would try again at the end, and complain."""
    for stream, descriptor in ((sys.stdout, 1), (sys.stderr, 2)):
        try:
            stream.flush()
        except OSError:
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, descriptor)
            os.close(null)
