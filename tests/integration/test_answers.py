"""A worker answers what it is asked, and says what is wrong with the rest."""

import numpy as np
import orjson

from tests.support.messages import data_of, error_of, headers_of, infer, source_of
from tests.support.repository import cancer
from tests.support.waiting import until
from tests.support.worker_process import WorkerProcess, fetch


async def test_six_variables_start_a_worker_that_answers(lane, models, tmp_path):
    six = {
        "PENSTOCK_KAFKA__BOOTSTRAP_SERVERS": lane.bootstrap,
        "PENSTOCK_WORKER__REQUEST_TOPICS": lane.requests,
        "PENSTOCK_WORKER__REPLY_TOPIC": lane.replies,
        "PENSTOCK_WORKER__GROUP_ID": lane.group,
        "PENSTOCK_MODELS__REPOSITORY": str(models),
        "PENSTOCK_MODELS__DEFAULT": "doubler",
    }
    # The seventh only keeps the usual port free for whoever uses this machine.
    async with WorkerProcess(tmp_path / "log", {**six, "PENSTOCK_HTTP__PORT": "0"}) as process:
        await process.ready()
        await lane.send([(3, b"k", infer([1, 2, 0]), ())])

        (reply,) = await lane.read(enough=1)

    assert data_of(reply) == [2.0, 4.0, 0.0]
    assert (reply.key, reply.partition) == (b"k", 3)


async def test_two_bad_requests_among_300_get_their_errors_and_the_others_their_answers(lane, inside_worker):
    _, rows, classes = cancer()
    requests = []
    for number in range(300):
        row = rows[number % len(rows)]
        value = infer(row.tolist(), name="", request_id=str(number))
        value = {100: b'{"inputs": [', 200: infer([1.0, 2.0], name="", request_id="200")}.get(number, value)
        requests.append((number % 8, str(number).encode(), value, [("penstock-model", b"cancer")]))

    async with inside_worker():
        sent = await lane.send(requests)
        replies = await lane.read(enough=300)
        await lane.wait_until_committed()

    places = {f"{each.topic}/{each.partition}/{each.offset}": number for number, each in enumerate(sent)}
    answers = {places[source_of(reply)]: reply for reply in replies}
    assert len(replies) == len(answers) == 300
    errors = {number for number, reply in answers.items() if "penstock-error" in headers_of(reply)}
    assert errors == {100, 200}
    assert error_of(answers[100]) == "BAD_ENCODING"
    assert error_of(answers[200]) == "BAD_SHAPE"
    assert orjson.loads(answers[200].value)["id"] == "200"
    for number in set(answers) - errors:
        assert answers[number].key == str(number).encode()
        assert orjson.loads(answers[number].value)["id"] == str(number)
        assert data_of(answers[number])[0] == classes[number % len(classes)]
        assert headers_of(answers[number])["penstock-model"] == b"cancer@1"


async def test_whoever_names_outputs_gets_those_and_its_neighbours_get_all(lane, inside_worker):
    _, rows, _ = cancer()
    async with inside_worker("cancer"):
        await lane.send([(0, None, infer(rows[0].tolist(), name=""), ())])
        (reply,) = await lane.read(enough=1)
        both = {each["name"]: each["data"] for each in orjson.loads(reply.value)["outputs"]}
        label, probabilities = both
        asked = [[label, probabilities], [probabilities], [probabilities, label, probabilities]]
        requests = []
        for number in range(300):
            document = orjson.loads(infer(rows[0].tolist(), name="", request_id=str(number)))
            if number % 3:
                document["outputs"] = [{"name": name} for name in asked[number % 3]]
            requests.append((0, None, orjson.dumps(document), ()))
        await lane.send(requests)
        replies = await lane.read(enough=301)

    answers = {body["id"]: body["outputs"] for body in (orjson.loads(each.value) for each in replies) if "id" in body}
    assert len(answers) == 300
    for number, outputs in answers.items():
        assert [each["name"] for each in outputs] == list(dict.fromkeys(asked[int(number) % 3]))
        for each in outputs:
            assert np.allclose(each["data"], both[each["name"]], rtol=1e-5)


async def test_probabilities_of_the_exported_model_are_those_of_its_outputs(lane, inside_worker):
    _, rows, classes = cancer()
    async with inside_worker("cancer"):
        await lane.send([(0, None, infer(*rows.tolist(), name=""), ())])
        (reply,) = await lane.read(enough=1)

    outputs = {each["name"]: np.reshape(each["data"], each["shape"]) for each in orjson.loads(reply.value)["outputs"]}
    label, probabilities = outputs.values()
    assert label.ravel().tolist() == classes.tolist()
    assert probabilities.argmax(axis=1).tolist() == classes.tolist()


async def test_readiness_tells_why_not_and_then_that_it_serves(worker_process):
    process = worker_process()
    await process.start()
    url = await until(process.url, within_s=20)
    seen = set()

    async def serving() -> bool:
        status, body = await fetch(f"{url}/health/ready")
        seen.add((status, orjson.loads(body).get("reason")))
        return status == 200

    assert (await fetch(f"{url}/health/live"))[0] == 200
    await until(serving, within_s=20, every_s=0.001)

    reasons = {reason for status, reason in seen if status == 503}
    assert reasons
    assert reasons <= {
        "models are loading",
        "the worker is starting",
        "the group has assigned no partitions yet",
    }
    assert (await fetch(f"{url}/metrics"))[0] == 200
    assert (await fetch(f"{url}/nothing"))[0] == 404


async def test_metrics_count_what_was_answered(lane, worker_process):
    process = worker_process()
    await process.start()
    await process.ready()
    await lane.send([(0, None, infer([1, 2, 0]), ()) for _ in range(20)] + [(1, None, b"no json", ())])
    await lane.read(enough=21)
    await lane.wait_until_committed()

    _, text = await fetch(f"{process.url()}/metrics")
    assert 'penstock_requests_total{model="doubler",outcome="ok"} 20.0' in text
    assert 'outcome="BAD_ENCODING"} 1.0' in text
    for name in ("batch_rows", "queue_seconds", "inference_seconds", "publish_seconds"):
        assert f"penstock_{name}_count" in text
    assert await process.metric("penstock_commits_total") >= 1
    await until(lambda: process_is_idle(process), within_s=5, what="the gauges fall back to nothing")
    assert await process.metric("penstock_assigned_partitions") == 8


async def process_is_idle(process: WorkerProcess) -> bool:
    gauges = ("buffered_bytes", "buffered_rows", "paused", "lag_records")
    return [await process.metric(f"penstock_{name}") for name in gauges] == [0, 0, 0, 0]


async def test_a_payload_is_never_in_the_log(lane, worker_process):
    process = worker_process(log__level="debug")
    await process.start()
    await process.ready()
    marked = "1234567.0"  # survives FP32, so that a model that quotes its row would show it
    broken = infer([1234567, 1, 0])[:-3]
    await lane.send(
        [
            (0, b"secret-key", infer([1234567, 666, 0]), [("penstock-id", b"secret-id")]),
            (1, b"secret-key", broken, ()),
            (2, b"secret-key", infer([1234567, 1]), ()),
            (3, b"secret-key", infer([1234567, 1, 0]), [("penstock-reply-topic", b"forbidden")]),
            (4, b"secret-key", infer([1234567, 1, 0]), [("penstock-reply-partition", b"1234567")]),
        ]
    )
    await lane.read(enough=4)
    await lane.wait_until_committed()

    text = process.text()
    assert "model failed" in text
    for secret in (marked, "1234567", "secret-key", "secret-id"):
        assert secret not in text
