"""The cluster that may be harmed: workers stay behind the proxy, and whatever happens to a node can be mended."""

from typing import Any

from aiokafka.client import AIOKafkaClient

from penstock.broker.ports import HOST
from tests.chaos.cluster import FaultyCluster


async def told(bootstrap: str) -> set[str]:
    """The addresses that clients are told of."""
    client = AIOKafkaClient(bootstrap_servers=bootstrap)
    await client.bootstrap()
    try:
        metadata: Any = await client.fetch_all_metadata()
        return {f"{broker.host}:{broker.port}" for broker in metadata.brokers()}
    finally:
        await client.close()


async def test_whoever_comes_through_the_proxy_is_told_of_the_proxy_alone(faulty_cluster: FaultyCluster) -> None:
    assert await told(faulty_cluster.proxied) == {f"{HOST}:{port}" for port in faulty_cluster.proxy.ports}
    assert await told(faulty_cluster.bootstrap) == set(faulty_cluster.bootstrap.split(","))


async def test_killed_and_suspended_nodes_are_whole_again_once_healed(faulty_cluster: FaultyCluster) -> None:
    killed, suspended, untouched = faulty_cluster.nodes
    pid = untouched.pid
    await killed.kill()
    suspended.suspend()
    faulty_cluster.proxy.weather.down = True

    await faulty_cluster.heal()

    assert await told(faulty_cluster.proxied) == {f"{HOST}:{port}" for port in faulty_cluster.proxy.ports}
    assert killed.running
    assert untouched.pid == pid
