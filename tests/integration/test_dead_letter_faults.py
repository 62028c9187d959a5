"""What a dead letter says of a fault: which version, and a digest that equal faults share."""

from penstock.transport.topics import create_topics
from tests.support.messages import headers_of, infer


async def test_equal_faults_of_a_model_have_one_digest_and_name_the_version(lane, inside_worker):
    tiny = f"{lane.replies}-tiny"  # takes not even an error reply
    await create_topics({"bootstrap_servers": lane.bootstrap}, {tiny: 1}, configs={"max.message.bytes": "100"})
    await lane.create(lane.dead_letters, 1)
    reply_to = [("reply_to", tiny.encode())]
    async with inside_worker(worker__allowed_reply_topics=tiny, worker__dead_letter_payload="omit"):
        values = [infer([1, 666, 0]), infer([2, 666, 0]), b"{"]
        await lane.send([(3, b"key", value, reply_to) for value in values])
        letters = await lane.read(lane.dead_letters, enough=3, partitions=1)
        await lane.wait_until_committed()

    failed = [headers_of(each) for each in letters if headers_of(each)["penstock-reason"] == b"MODEL_FAILED"]
    (other,) = [headers_of(each) for each in letters if headers_of(each)["penstock-reason"] == b"BAD_ENCODING"]
    assert [each["penstock-dlt-model"] for each in failed] == [b"doubler@1"] * 2
    assert len({each["penstock-dlt-digest"] for each in failed}) == 1
    assert other["penstock-dlt-digest"] != failed[0]["penstock-dlt-digest"]
    assert "penstock-dlt-model" not in other
    assert all(each.value is None and each.key == b"key" for each in letters)
    assert all(headers_of(each)["penstock-dlt-payload"] == b"omitted" for each in letters)
