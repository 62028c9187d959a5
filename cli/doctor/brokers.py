"""Judges whether Kafka can be reached: each address by itself, what it runs, and where brokers say they are."""

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

from penstock.cli.doctor.finding import KAFKA, Finding
from penstock.cli.figures import counted
from penstock.transport.cluster import Cluster
from penstock.transport.problems import Problem, Reached, remedy
from penstock.transport.reach import split

_TESTED: Final = (4, 0)
_HERE: Final = ("localhost", "127.0.0.1", "::1")


def judge_addresses(tried: Sequence[Reached], client_options: Mapping[str, Any]) -> list[Finding]:
    """Judge the bootstrap addresses: one that answers is enough, and the others should."""
    answering = any(each.problem is None for each in tried)
    return [
        KAFKA.ok("address", f"{each.address} answers ({_ms(each)})")
        if each.problem is None
        else _no_use(each, client_options, answering=answering)
        for each in tried
    ]


def _no_use(reached: Reached, client_options: Mapping[str, Any], *, answering: bool) -> Finding:
    said = remedy(reached, client_options)
    if answering:
        why = f"{said.why} Others answer; while they are away, nobody can connect."
        return KAFKA.warning("address", said.what, why, said.mend)
    host, port = split(reached.address)
    start = reached.problem is Problem.REFUSED and host in _HERE
    commands = (f"penstock broker start --port {port}",) if start else ()
    mend = f"{said.mend} This starts one, to try things out:" if start else said.mend
    return KAFKA.fault("address", said.what, said.why, mend, commands)


def judge_release(reached: Reached, cluster: Cluster) -> Finding:
    """Judge what the cluster runs."""
    brokers = counted(len(cluster.nodes), "broker")
    if reached.release is None:
        return KAFKA.ok("release", f"{brokers}; which release of Kafka is not told")
    what = f"Kafka {reached.release}, {brokers}"
    numbers = re.search(r"(\d+)\.(\d+)", reached.release)
    if numbers and (int(numbers[1]), int(numbers[2])) < _TESTED:
        why = "Penstock is tested with Kafka 4. Older releases may work, and nobody has tried."
        return KAFKA.warning("release", what, why, "Upgrade the brokers to Kafka 4.")
    return KAFKA.ok("release", what)


def judge_advertised(
    nodes: Mapping[int, Reached], given: Collection[str], client_options: Mapping[str, Any]
) -> list[Finding]:
    """Judge the addresses that brokers advertise.

    Args:
        nodes: by node id, what came of the address that the broker gives.
        given: the bootstrap addresses, which are judged by themselves.
        client_options: with which they were tried.
    """
    lost = {node_id: each for node_id, each in nodes.items() if each.problem is not None and each.address not in given}
    if not lost:
        if any(each.problem is not None for each in nodes.values()):
            return []
        many = {1: "the broker is", 2: "both brokers are"}.get(len(nodes), f"all {len(nodes)} brokers are")
        return [KAFKA.ok("advertised", f"{many} reachable at the address advertised")]
    return [
        KAFKA.fault(
            "advertised",
            f"broker {node_id} advertises {each.address}: "
            + remedy(each, client_options).what.removeprefix(each.address).lstrip(": "),
            "A client asks one broker where all of them are, and connects to what it is told.",
            "If the broker is running, set its advertised.listeners (KAFKA_ADVERTISED_LISTENERS in a container) to "
            "an address that can be reached from this machine.",
        )
        for node_id, each in lost.items()
    ]


def _ms(reached: Reached) -> str:
    return f"{reached.took_s * 1000:.0f} ms"
