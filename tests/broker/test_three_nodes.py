from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from penstock.broker import EmbeddedKafka


async def test_three_nodes_form_a_cluster_that_outlives_one():
    async with EmbeddedKafka(nodes=3, heap_mb=192) as kafka:
        assert len(kafka.bootstrap_servers.split(",")) == 3
        admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap_servers)
        await admin.start()
        await admin.create_topics([NewTopic("copied", 3, 3)])
        (topic,) = await admin.describe_topics(["copied"])
        await admin.close()
        assert {tuple(sorted(partition["replicas"])) for partition in topic["partitions"]} == {(1, 2, 3)}

        await kafka.nodes[2].kill()

        async with AIOKafkaProducer(acks="all", retry_backoff_ms=20, **kafka.client_config()) as producer:
            for partition in range(3):
                await producer.send_and_wait("copied", b"x", partition=partition)
