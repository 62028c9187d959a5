"""The commands of `penstock`, under the headings of its help, in the order in which one needs them."""

from collections.abc import Mapping
from typing import Final

from penstock.cli.lazy import Home

COMMANDS: Final[Mapping[str, Mapping[str, Home]]] = {
    "Try it": {
        "demo": Home("penstock.cli.demo.command:demo", "Show the whole job, with everything real."),
        "init": Home("penstock.cli.project.command:init", "Write a small project: model, worker, client."),
        "broker": Home("penstock.cli.broker:app", "Run a real Apache Kafka on this machine."),
    },
    "Run it": {
        "topics": Home("penstock.cli.topics.command:app", "Make a service's topics, and look at them."),
        "worker": Home("penstock.cli.worker:worker", "Serve: read requests, run models, write replies."),
        "predict": Home("penstock.cli.predict.command:predict", "Ask a service: rows in, predictions out."),
    },
    "Steer it": {
        "deploy": Home(
            "penstock.cli.control.deployment:deploy", "Let a version of a model serve, while traffic flows."
        ),
        "promote": Home("penstock.cli.control.deployment:promote", "Give a model's canary all of the traffic."),
        "rollback": Home("penstock.cli.control.deployment:rollback", "Go back to the versions that answered before."),
        "undeploy": Home("penstock.cli.control.deployment:undeploy", "Leave a model to the workers' settings again."),
        "throttle": Home(
            "penstock.cli.control.throttle:throttle", "Limit the rows a second of a model, tenant, topic or all."
        ),
        "lane": Home("penstock.cli.control.lane:app", "Pause, resume, drain and weigh request topics."),
        "status": Home(
            "penstock.cli.control.status:status", "Show which versions serve, throttles, lanes, and who lags."
        ),
        "control": Home("penstock.cli.control.history:app", "Who asked what of a service, and when."),
        "keys": Home("penstock.cli.control.keys:app", "Make, list, trust and revoke the keys that sign commands."),
    },
    "Look after it": {
        "doctor": Home("penstock.cli.doctor.command:doctor", "Find out what keeps a service from serving."),
        "top": Home("penstock.cli.top.command:top", "Watch a running service: rates, lag, latency, errors."),
        "deadletters": Home(
            "penstock.cli.deadletters.command:app", "See what could not be answered, and send it again."
        ),
        "bench": Home("penstock.cli.bench.command:bench", "Load a service, and measure how it answers."),
    },
    "Look into it": {
        "model": Home("penstock.cli.model.command:app", "List, show, verify and publish the models of a repository."),
        "config": Home("penstock.cli.config:app", "Show and check the settings."),
        "schema": Home("penstock.cli.schema:schema", "Print schemas of the records, for other languages."),
        "version": Home("penstock.cli.version:version", "Print the version."),
    },
}
HOMES: Final[Mapping[str, Home]] = {name: home for homes in COMMANDS.values() for name, home in homes.items()}
