"""What Kafka says of a service, from a real one."""

from penstock.broker import EmbeddedKafka
from penstock.broker.ports import free_ports
from penstock.cli.top.cluster import Cluster, ClusterState
from tests.support.messages import infer
from tests.support.waiting import until


async def answered(cluster: Cluster, group: str) -> ClusterState:
    """What Kafka says, once it does: a young cluster has no coordinator yet."""

    async def said() -> ClusterState | None:
        state = await cluster.read(group, ["requests"])
        return state if state.problem is None else None

    state: ClusterState = await until(said, within_s=30, every_s=0.1, what="Kafka tells of the group")
    return state


async def test_lag_of_a_group_without_members_is_known(lane, inside_worker):
    async with inside_worker():
        await lane.send((n % 8, None, infer([n, 0, 0]), []) for n in range(16))
        await lane.read(enough=16)
        await lane.wait_until_committed()
    await lane.send((3, None, infer([n, 0, 0]), []) for n in range(5))
    cluster = Cluster({"bootstrap_servers": lane.bootstrap})

    state = await cluster.read(lane.group, [lane.requests])
    await cluster.close()

    assert (state.problem, state.state, state.members, state.unknown_group) == (None, "Empty", (), False)
    assert {place[1]: state.lag(place) for place in state.ends} == {**dict.fromkeys(range(8), 0), 3: 5}


async def test_members_are_told_with_their_partitions(lane, inside_worker):
    cluster = Cluster({"bootstrap_servers": lane.bootstrap})
    async with inside_worker(), inside_worker():
        state = await cluster.read(lane.group, [lane.requests])
    await cluster.close()

    assert len(state.members) == len({member.client_id for member in state.members}) == 2
    assert {place for member in state.members for place in member.owns} == set(state.ends)


async def test_group_and_topic_that_are_not_there_are_no_problem_and_are_not_made(lane):
    cluster = Cluster({"bootstrap_servers": lane.bootstrap})
    missing = f"{lane.requests}-missing"

    state = await cluster.read(f"{lane.group}-missing", [missing])
    await cluster.close()

    assert (state.problem, state.unknown_group, state.ends) == (None, True, {})
    assert missing not in await lane.topics()


async def test_broker_that_is_away_is_a_problem_until_it_is_back(own_broker: EmbeddedKafka):
    cluster = Cluster({"bootstrap_servers": own_broker.bootstrap_servers})
    await answered(cluster, "group")

    node = own_broker.nodes[0]
    await node.stop()
    broken, away = await cluster.read("group", []), await cluster.read("group", [])
    await node.start()
    await answered(cluster, "group")
    await cluster.close()

    assert broken.problem is not None
    assert away.problem == f"no Kafka broker answers at {own_broker.bootstrap_servers}: connection refused"


async def test_nobody_at_the_address_is_a_problem():
    address = f"127.0.0.1:{free_ports(1)[0]}"
    cluster = Cluster({"bootstrap_servers": address})

    problem = (await cluster.read("group", ["requests"])).problem
    assert problem == f"no Kafka broker answers at {address}: connection refused"


async def test_what_is_forbidden_is_named():
    async with EmbeddedKafka(secure=True, users={"guest": "gue-st", "viewer": "vi-ewer"}, heap_mb=256) as kafka:
        await kafka.allow("viewer", "group", "mine", ["describe"])
        guest, viewer = Cluster(kafka.client_config("guest")), Cluster(kafka.client_config("viewer"))
        allowed, refused = await answered(viewer, "mine"), await guest.read("mine", ["requests"])
        for cluster in (guest, viewer):
            await cluster.close()

    assert refused.problem == "not allowed to describe group mine"
    assert allowed.ends == {}
