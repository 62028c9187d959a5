"""The blocking client in a script: Ctrl-C, a close that was forgotten, a fork."""

import signal
import subprocess
import sys

from tests.support.command import environment
from tests.support.lane import Lane

_START = """
import sys
from penstock import Client, ClientClosed, RequestTimeout
client = Client.sync(sys.argv[1], request_topic=sys.argv[2], reply_topic=sys.argv[3]).start()
"""
_FORGOTTEN = """
client.submit("doubler", [[1.0, 0.0, 0.0]])
print("end")
"""
_INTERRUPTED = """
print("calling", flush=True)
try:
    client.predict("doubler", [[1.0, 0.0, 0.0]])
except KeyboardInterrupt:
    print("interrupted", "open=0" in repr(client))
try:
    client.predict("doubler", [[1.0, 0.0, 0.0]], timeout_s=0.2)
except RequestTimeout:
    print("usable")
client.close()
"""
_FORKED = """
import os
if (child := os.fork()) == 0:
    try:
        client.predict("doubler", [[1.0, 0.0, 0.0]])
    except ClientClosed as error:
        print(error, flush=True)
    client.close()
    sys.exit(0)
assert os.waitpid(child, 0)[1] == 0
try:
    client.predict("doubler", [[1.0, 0.0, 0.0]], timeout_s=0.2)
except RequestTimeout:
    print("the parent goes on")
"""


def script(lane: Lane, text: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", _START + text, lane.bootstrap, lane.requests, lane.replies],
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


async def test_a_client_that_nobody_closes_neither_holds_the_interpreter_nor_complains(lane):
    with script(lane, _FORGOTTEN) as process:
        assert process.communicate(timeout=60) == ("end\n", "")
    assert process.returncode == 0


async def test_ctrl_c_ends_the_call_and_leaves_the_client_usable(lane):
    with script(lane, _INTERRUPTED) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "calling\n"
        await lane.read(lane.requests, enough=1)  # the call is on its way
        process.send_signal(signal.SIGINT)
        out, errors = process.communicate(timeout=60)

    assert out.splitlines()[-1] == "usable"
    assert out.startswith("interrupted")
    assert (process.returncode, errors) == (0, "")


async def test_a_fork_is_told_to_make_a_client_of_its_own(lane):
    with script(lane, _FORKED) as process:
        out, errors = process.communicate(timeout=60)

    told, goes_on = out.splitlines()
    assert f"this client belongs to process {process.pid}, and a fork takes no threads along" in told
    assert goes_on == "the parent goes on"
    assert (process.returncode, errors) == (0, "")
