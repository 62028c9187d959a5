"""The thread behind a client for blocking code."""

import threading

from penstock.producer.loop_thread import LoopThread


async def nothing() -> None:
    """Nothing is to be closed."""


def test_client_that_is_collected_by_who_holds_its_lock_blocks_nobody():
    loop = LoopThread(nothing, "penstock-test")
    loop.start()

    def abandon() -> None:
        with loop._lock:
            loop.abandon()

    abandoning = threading.Thread(target=abandon, daemon=True)
    abandoning.start()
    abandoning.join(5.0)

    assert not abandoning.is_alive()
    assert loop.state == "closed"
