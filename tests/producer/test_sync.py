"""The client for plain, blocking code, against a real worker and without one."""

import threading
import time
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import CancelledError, Future

import numpy as np
import pytest

from penstock import Client, ClientClosed, ConfigurationError, RequestTimeout, ServiceError, SyncClient, TransportError
from penstock.producer.loop_thread import LoopThread
from tests.support.lane import Lane, new_lane
from tests.support.worker_process import WorkerProcess, variables


@pytest.fixture(scope="module")
async def served(bootstrap, models, tmp_path_factory) -> AsyncIterator[Lane]:
    """A lane with a worker process on it."""
    lane = await new_lane(bootstrap, "sync")
    async with WorkerProcess(tmp_path_factory.mktemp("sync") / "worker.log", variables(lane, models)) as process:
        await process.ready()
        yield lane


@pytest.fixture
def caller(served) -> Iterator[SyncClient]:
    with client(served) as made:
        yield made


def client(lane: Lane, **settings) -> SyncClient:
    return Client.sync(lane.bootstrap, request_topic=lane.requests, reply_topic=lane.replies, **settings)


def row(number: float, delay_s: float = 0.0) -> list[list[float]]:
    return [[float(number), 0.0, delay_s]]


def threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name == "penstock-client"]


def eventually(condition, within_s: float = 5.0) -> bool:
    deadline = time.monotonic() + within_s
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)
    return bool(condition())


def test_a_call_gets_its_answer_with_its_provenance(caller, served):
    answer = caller.predict("scaler", np.array([[3.0], [4.0]], np.float32), key="k")

    assert answer["y"].tolist() == [[30.0], [40.0]]
    assert (answer.model, answer.version) == ("scaler", "2")
    assert answer.source.startswith(f"{served.requests}/")


async def test_it_works_where_an_event_loop_already_runs(served):
    # As in a notebook, whose cells run inside one.
    with client(served) as caller:
        assert caller.predict(None, row(4))["y"][0][0] == 8.0


def test_one_client_serves_many_threads(caller):
    answers: dict[int, float] = {}

    def ask(thread: int) -> None:
        for number in range(thread * 100, thread * 100 + 20):
            answers[number] = caller.predict(None, row(number))["y"][0][0]

    asking = [threading.Thread(target=ask, args=(thread,)) for thread in range(16)]
    for thread in asking:
        thread.start()
    for thread in asking:
        thread.join(30)

    assert len(answers) == 16 * 20
    assert all(answer == 2.0 * number for number, answer in answers.items())
    assert caller.doubles == 0


def test_errors_of_the_service_and_of_the_caller_are_raised_in_the_caller(caller):
    with pytest.raises(ServiceError, match="no model 'nobody' here") as unknown:
        caller.predict("nobody", row(1))
    with pytest.raises(ValueError, match="it needs rows"):
        caller.predict(None, [])
    with pytest.raises(TypeError, match="a key is bytes or a string, not 5"):
        caller.predict(None, row(1), key=5)
    with pytest.raises(ValueError, match="positive number of seconds, not 0"):
        caller.predict(None, row(1), timeout_s=0)

    assert unknown.value.code == "UNKNOWN_MODEL"
    assert "open=0" in repr(caller)


async def test_without_a_worker_a_call_times_out(lane):
    with client(lane) as caller:
        start = time.monotonic()
        with pytest.raises(RequestTimeout, match="Is a worker reading it"):
            caller.predict(None, row(1), timeout_s=0.5)
        assert 0.4 < time.monotonic() - start < 2.0


def test_many_calls_are_answered_in_order_from_inputs_iterated_in_the_callers_thread(caller):
    seen: set[int] = set()

    def inputs():
        for number in range(300):
            seen.add(threading.get_ident())
            yield row(number)

    answers = list(caller.predict_many(None, inputs(), max_in_flight=50))

    assert [answer["y"][0][0] for answer in answers] == [2.0 * number for number in range(300)]
    assert [answer.index for answer in answers] == list(range(300))
    assert seen == {threading.get_ident()}


def test_many_calls_are_answered_as_they_come(caller):
    answers = list(caller.predict_many(None, map(row, range(300)), ordered=False, max_in_flight=50))

    assert sorted(answer.index for answer in answers) == list(range(300))
    assert all(answer["y"][0][0] == 2.0 * answer.index for answer in answers)


def test_of_many_calls_one_that_fails_is_raised_or_given_in_its_place(caller):
    inputs = [[[1.0, 666.0 if number == 5 else 0.0, 0.0]] for number in range(10)]
    answers = list(caller.predict_many(None, inputs, return_errors=True))
    with pytest.raises(ServiceError, match="MODEL_FAILED"):
        list(caller.predict_many(None, inputs))
    with pytest.raises(ValueError, match="max_in_flight must be at least 1"):
        caller.predict_many(None, inputs, max_in_flight=0)

    assert [type(answer) is ServiceError for answer in answers] == [number == 5 for number in range(10)]
    assert eventually(lambda: "open=0" in repr(caller))


def test_whoever_stops_iterating_leaves_nothing_behind(caller):
    for answer in caller.predict_many(None, map(row, range(1000)), max_in_flight=100):
        if answer.index == 3:
            break
    assert eventually(lambda: "open=0" in repr(caller))


def test_a_submitted_call_is_a_future(caller):
    rows = np.zeros((1, 3), np.float32)
    calls = []
    for number in range(50):
        rows[0, 0] = number
        calls.append(caller.submit(None, rows))  # read before it returns: the array is used again

    assert [call.result(timeout=10)["y"][0][0] for call in calls] == [2.0 * number for number in range(50)]


def test_a_submitted_call_can_be_given_up(caller):
    call = caller.submit(None, row(1, delay_s=0.5))
    assert eventually(lambda: "open=1" in repr(caller))

    assert call.cancel()

    with pytest.raises(CancelledError):
        call.result()
    assert eventually(lambda: "open=0" in repr(caller))


def test_a_callback_that_makes_a_call_is_told_so(caller):
    raised: list[BaseException] = []

    def callback(_: object) -> None:
        for use in (lambda: caller.predict(None, row(1)), caller.close):
            try:
                use()
            except RuntimeError as error:
                raised.append(error)

    caller.submit(None, row(1)).add_done_callback(callback)

    assert eventually(lambda: len(raised) == 2)
    assert "it would wait for itself" in str(raised[0])
    assert caller.predict(None, row(2))["y"][0][0] == 4.0


async def test_closing_ends_calls_in_flight_in_other_threads(lane):
    caller = client(lane).start()
    ended: list[BaseException] = []

    def ask() -> None:
        try:
            caller.predict(None, row(1))
        except ClientClosed as error:
            ended.append(error)

    asking = [threading.Thread(target=ask) for _ in range(5)]
    for thread in asking:
        thread.start()
    assert eventually(lambda: "open=5" in repr(caller))

    caller.close()
    caller.close()  # once more does no harm
    for thread in asking:
        thread.join(5)

    assert len(ended) == 5
    assert threads() == []


async def test_a_client_that_is_not_open_says_so(lane):
    caller = client(lane)
    with pytest.raises(ClientClosed, match=r"not open: use `with`, or call start\(\)"):
        caller.predict(None, row(1))
    with caller, pytest.raises(ClientClosed, match="started once"):
        caller.start()
    with pytest.raises(ClientClosed, match="was closed"):
        caller.predict(None, row(1))
    with pytest.raises(ClientClosed, match="was closed"):
        next(iter(caller.predict_many(None, [row(1)])))
    with pytest.raises(ClientClosed, match="started once"):
        caller.start()


async def test_what_is_wrong_at_start_is_raised_and_leaves_no_thread(lane):
    with pytest.raises(ConfigurationError, match="localhost"):
        Client.sync("localhost")
    with pytest.raises(TransportError, match=r"127\.0\.0\.1:1\b"):
        Client.sync("127.0.0.1:1").start()
    with pytest.raises(TransportError, match="topic absent does not exist"):
        Client.sync(lane.bootstrap, request_topic="absent", reply_topic=lane.replies).start()

    assert threads() == []


async def test_a_client_that_nobody_holds_any_more_ends_its_thread(lane):
    caller = client(lane).start()
    assert threads()
    del caller
    assert eventually(lambda: not threads())


def test_a_thread_that_does_not_answer_is_not_waited_for_for_ever():
    async def closing() -> None: ...

    never: Future[None] = Future()
    with pytest.raises(RequestTimeout, match=r"own thread has not answered within 0\.05 s"):
        LoopThread(closing, "stuck").wait(never, 0.05)
    assert never.cancelled()
