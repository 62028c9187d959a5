from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from penstock.broker import EmbeddedKafka
from tests.support.waiting import until


async def test_three_nodes_form_a_cluster_that_outlives_one():
    async with EmbeddedKafka(nodes=3, heap_mb=192) as kafka:
        assert len(kafka.bootstrap_servers.split(",")) == 3
        admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap_servers)
        await admin.start()
        await admin.create_topics([NewTopic("copied", 3, 3)])

        async def copies() -> list[list[int]]:
            (topic,) = await admin.describe_topics(["copied"])
            return [sorted(partition["replicas"]) for partition in topic["partitions"]]

        async def is_everywhere() -> bool:  # each node hears of the topic in its own time
            return await copies() == [[1, 2, 3]] * 3

        await until(is_everywhere, within_s=20)
        await admin.close()

        await kafka.nodes[2].kill()

        async with AIOKafkaProducer(acks="all", retry_backoff_ms=20, **kafka.client_config()) as producer:
            for partition in range(3):
                await producer.send_and_wait("copied", b"x", partition=partition)
