"""Apache Kafka's own image in testcontainers.

Its KafkaContainer is written for Confluent's image, whose start script lies elsewhere and which formats its storage
by hand. Here are the differences; the rest (ports, the script that waits for the mapped port) is testcontainers'.

Source: testcontainers-python, testcontainers/community/kafka; apache/kafka, docker/jvm/launch.
"""

import re
from textwrap import dedent

from testcontainers.community.kafka import KafkaContainer


class ApacheKafkaContainer(KafkaContainer):
    """A single node that is broker and controller."""

    def configure(self) -> None:
        self.wait_for = re.compile(r".*Kafka Server started.*")
        for name, value in {
            "CLUSTER_ID": self.cluster_id,
            "KAFKA_NODE_ID": "1",
            "KAFKA_PROCESS_ROLES": "broker,controller",
            "KAFKA_LISTENERS": f"{self.listeners},CONTROLLER://0.0.0.0:9094",
            "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP": f"{self.security_protocol_map},CONTROLLER:PLAINTEXT",
            "KAFKA_CONTROLLER_LISTENER_NAMES": "CONTROLLER",
            "KAFKA_CONTROLLER_QUORUM_VOTERS": "1@localhost:9094",
            "KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR": "1",
            "KAFKA_TRANSACTION_STATE_LOG_MIN_ISR": "1",
        }.items():
            self.with_env(name, value)
        self.env.pop("KAFKA_BROKER_ID", None)  # gone with ZooKeeper

    def tc_start(self) -> None:
        """Start the broker, now that the port it must advertise is known."""
        listener = f"{self.listener_name}://{self.get_bootstrap_server()}"
        script = f"""
            #!/bin/bash
            export KAFKA_ADVERTISED_LISTENERS={listener},BROKER://$(hostname -i | cut -d' ' -f1):9092
            exec /etc/kafka/docker/run
        """
        self.create_file(dedent(script).strip().encode(), self.TC_START_SCRIPT)
