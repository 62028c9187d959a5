"""Run a child that ends when its grandparent does, however that ends.

Executed by path (``python -I -S guard.py SCRATCH COMMAND...``), so it imports the standard library only. The
grandparent holds the other end of our standard input: when it dies, even by SIGKILL, the pipe reads end of
file, the child is killed and SCRATCH, unless empty, is removed, a folder that nobody will want any more. A byte
in the pipe only kills the child. On Linux the kernel also kills the child if this guard itself is killed.
"""

import contextlib
import ctypes
import os
import select
import shutil
import signal
import subprocess
import sys
import threading

PR_SET_PDEATHSIG = 1
# A process forked from the grandparent may hold the pipe open after it, so its death shows here too.
PARENT_CHECK_S = 1.0


def main() -> int:
    """Run the command in our arguments and return its exit status, or 128 plus the signal that ended it."""
    scratch, *command = sys.argv[1:]
    parent = os.getppid()
    # The library is loaded before the fork: only the plain system call is left to do after it.
    libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None
    child = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=sys.stderr,
        # Safe here: this process has no other thread yet.
        preexec_fn=None if libc is None else lambda: libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL),  # noqa: PLW1509
    )
    with contextlib.suppress(OSError):
        os.write(sys.stdout.fileno(), f"{child.pid}\n".encode())
    orphaned = threading.Event()
    watch = threading.Thread(target=_end_with_parent, args=(child, parent, orphaned, scratch), daemon=True)
    watch.start()
    status = child.wait()
    if orphaned.is_set():
        watch.join()
    return 128 - status if status < 0 else status


def _end_with_parent(child: "subprocess.Popen[bytes]", parent: int, orphaned: threading.Event, scratch: str) -> None:
    told = b""
    while os.getppid() == parent:
        readable, _, _ = select.select([sys.stdin], [], [], PARENT_CHECK_S)
        if readable:
            told = os.read(sys.stdin.fileno(), 1)
            break
    orphaned.set()
    child.kill()
    child.wait()
    if scratch and not told:
        shutil.rmtree(scratch, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
