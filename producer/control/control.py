"""Giving orders to a service, and hearing what became of them."""

import getpass
import os
import socket
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from pydantic import ValidationError

from penstock.producer.connection import plain_connection
from penstock.producer.control.drafts import Author
from penstock.producer.control.ledger import Ledger
from penstock.producer.control.orders import Orders
from penstock.producer.control.reports import Reports
from penstock.schemas.control.fold import ControlState, Trust, Verdict
from penstock.schemas.control.specs import Key
from penstock.schemas.errors import ClientClosed, ConfigurationError
from penstock.transport.control.keys import read_private_key, read_trusted_keys
from penstock.transport.control.settings import ControlSettings
from penstock.transport.control.topics import cluster_id
from penstock.transport.settings import KafkaSettings


class Control(Orders, Reports):
    """Switches versions, throttles and lanes of a service while it serves. An async context manager.

        async with Control("localhost:9092", "my-service", key="anna.key", trusted_keys="trusted.toml") as control:
            issued = await control.deploy("iris", "4", canary=10, reason="a better one")
            for ack in await control.wait(issued, timeout_s=30.0):
                print(ack.worker, ack.kind, ack.reason)
            await control.promote("iris")

    An order is a signed command in the service's control topic. It is judged here as every worker judges it: an order
    that comes back without an error is one that all workers follow, each as soon as it can; `wait` says how far they
    are. Each order takes `reason`, `expect` and `dry_run` too (`Manner`). Calls of one Control wait for each other.

    Args:
        bootstrap_servers: Kafka, as "host:port,host:port"; or give `kafka`.
        group: the consumer group of the service.
        kafka: the whole connection, with security.
        key: the file of the private key that signs; without it nothing can be ordered where signing is required.
        trusted_keys: the workers' file of trusted keys, or what is in it.
        signing: as the workers have it.
        topic: the control topic; None is the group's name with -control.
        status_topic: where workers report; None is the group's name with -status.
        issuer: who gives the orders, for people; None is this user on this machine.
        expires_s: an order that Kafka takes in later is void; the clocks here and there may differ by less.
        timeout_s: bound on each step of an order.

    Raises:
        ConfigurationError: the addresses cannot be, or a file of keys cannot be used.
    """

    def __init__(
        self,
        bootstrap_servers: str | None,
        group: str,
        *,
        kafka: KafkaSettings | None = None,
        key: Path | str | None = None,
        trusted_keys: Path | str | Mapping[str, Key] | None = None,
        signing: Literal["required", "off"] = "required",
        topic: str | None = None,
        status_topic: str | None = None,
        issuer: str | None = None,
        expires_s: float = 120.0,
        timeout_s: float = 30.0,
    ) -> None:
        if kafka is not None and bootstrap_servers is not None:
            raise ConfigurationError("give bootstrap_servers or kafka, not both")
        try:
            names = ControlSettings(topic=topic, status_topic=status_topic)
        except ValidationError as error:
            fault = error.errors()[0]
            raise ConfigurationError(f"{fault['loc'][0]} {fault['input']!r} is no name of a topic") from None
        options = (kafka or plain_connection(bootstrap_servers)).client_options()
        self._topic = names.topic_of(group)
        Reports.__init__(self, options, group, names.status_topic_of(group), timeout_s)
        self._signing = signing == "required"
        self._keys = read_trusted_keys(Path(trusted_keys)) if isinstance(trusted_keys, Path | str) else trusted_keys
        self._signer = read_private_key(Path(key)) if key is not None and self._signing else None
        self._issuer = issuer or _this_user()
        self._expires_s = expires_s
        self._ledger: Ledger | None = None
        self._open = False

    def __repr__(self) -> str:
        return f"<Control of {self._group} by {self._topic}>"

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def start(self) -> None:
        """Connect, as entering does. Without trusted keys, where they are needed, only statuses can be read.

        Raises:
            ConfigurationError: the control topic is missing, or cannot hold commands.
            TransportError: Kafka cannot be reached.
        """
        if self._keys is not None or not self._signing:
            trust = Trust(
                await cluster_id(self._options, self._timeout_s), self._group, self._keys or {}, self._signing
            )
            author = Author(trust, self._signer, self._issuer, self._expires_s)
            ledger = Ledger(self._options, self._topic, trust, author, timeout_s=self._timeout_s)
            try:
                await ledger.start()
            except BaseException:
                await ledger.close()
                raise
            self._ledger = ledger
        self._open = True

    async def close(self) -> None:
        """Disconnect, as leaving does."""
        ledger, self._ledger, self._open = self._ledger, None, False
        if ledger is not None:
            await ledger.close()

    async def state(self) -> ControlState:
        """Return what is wanted of the service now: the control topic, read to its end.

            state = await control.state()
            print(state.epoch, state.deployments(), state.throttles())

        Raises:
            ConfigurationError: there are no trusted keys to read it with.
            TransportError: Kafka did not answer in time.
        """
        return await self._readable().read()

    async def log(self, limit: int | None = None) -> list[Verdict]:
        """Return the last commands, the newest last, and what became of them; all of them without a limit.

        Raises:
            As `state`.
        """
        verdicts = await self._readable().replay()
        return verdicts if limit is None else verdicts[max(0, len(verdicts) - limit) :]

    async def snapshot(self) -> int:
        """Write down what is wanted now, so that nobody has to read what was before; return its offset.

        Commands do so by themselves, after each thousand.

        Raises:
            CommandRefused: workers would not trust a snapshot by this key.
            ConfigurationError, TransportError: as `state`, and when there is no key.
        """
        return await self._writable().snapshot()

    def _readable(self) -> Ledger:
        if self._ledger is not None:
            return self._ledger
        if not self._open:
            raise ClientClosed("the connection is closed, or not open yet: async with Control(...) as control")
        raise ConfigurationError(
            "commands are signed, and there are no trusted keys to judge them by.\n"
            "Give the workers' own (control.trusted_keys), or turn signing off on both sides."
        )

    def _writable(self) -> Ledger:
        if self._signing and self._signer is None:
            raise ConfigurationError(
                "commands must be signed, and there is no private key to do it with.\n"
                "Give its file (control.key); `penstock keys create` makes one."
            )
        return self._readable()


def _this_user() -> str:
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container may run as a user that has no name
        user = f"user {os.getuid()}"
    return f"{user}@{socket.gethostname()}"[:128]
