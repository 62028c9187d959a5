from pathlib import Path

from penstock.broker.properties import NodeSpec, Passwords, parse, render, server_properties

NODES = [
    NodeSpec(node_id=n, port=9090 + n, controller_port=9190 + n, data_dir=Path(f"/data/node-{n}")) for n in (1, 2, 3)
]


def test_single_node_keeps_one_copy_of_everything():
    properties = server_properties(NODES[0], NODES[:1])

    assert properties["controller.quorum.voters"] == "1@127.0.0.1:9191"
    for name in ("offsets.topic", "transaction.state.log", "share.coordinator.state.topic", "default"):
        assert properties[f"{name}.replication.factor"] == "1"
    assert properties["transaction.state.log.min.isr"] == "1"
    assert properties["group.initial.rebalance.delay.ms"] == "0"


def test_three_nodes_vote_and_tolerate_the_loss_of_one():
    properties = server_properties(NODES[1], NODES)

    assert properties["node.id"] == "2"
    assert properties["controller.quorum.voters"] == "1@127.0.0.1:9191,2@127.0.0.1:9192,3@127.0.0.1:9193"
    assert properties["offsets.topic.replication.factor"] == "3"
    assert properties["transaction.state.log.min.isr"] == "2"


def test_every_listener_is_on_the_loopback_interface():
    for listener in server_properties(NODES[0], NODES)["listeners"].split(","):
        assert listener.split("://")[1].startswith("127.0.0.1:")


def test_secured_node_authenticates_on_every_listener_and_checks_acls():
    properties = server_properties(NODES[0], NODES[:1], passwords=Passwords(admin="a-secret", controller="c-secret"))

    assert properties["listener.security.protocol.map"] == "CLIENT:SASL_PLAINTEXT,CONTROLLER:SASL_PLAINTEXT"
    assert properties["authorizer.class.name"].endswith("StandardAuthorizer")
    assert properties["super.users"] == "User:admin;User:controller"
    assert "allow.everyone.if.no.acl.found" not in properties
    assert 'password="a-secret"' in properties["listener.name.client.scram-sha-512.sasl.jaas.config"]


def test_properties_of_the_caller_win():
    extra = {"group.initial.rebalance.delay.ms": "3000", "message.max.bytes": "5"}

    properties = server_properties(NODES[0], NODES[:1], extra=extra)

    assert extra.items() <= properties.items()


def test_rendered_text_escapes_what_java_would_read_otherwise():
    assert render({"a b": r"C:\x"}) == "a\\ b=C:\\\\x\n"
    assert render({"k": " é"}) == "k=\\ \\u00e9\n"
    assert parse("#comment\ncluster.id=abc=\nnode.id=1\n") == {"cluster.id": "abc=", "node.id": "1"}
