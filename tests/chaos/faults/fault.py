"""What a fault is: something that is done to a running service, and the effect that proves it was done."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

from tests.chaos.cluster import NODES
from tests.chaos.oracle import Delivery, Evidence
from tests.chaos.requests import Layout
from tests.chaos.scene import Scene


class VoidError(AssertionError):
    """The fault had no effect: the run has proved nothing."""


class Fault(ABC):
    """One fault. Class attributes say what it needs; instances are made with the strength of the fault.

    Attributes:
        rank: in the list of faults.
        name: for people.
        workers: that run before it acts.
        settings, environment: of the workers.
        layout: of the requests.
        rate: requests a second.
        requests: the least that are sent.
        ordered: whether keys keep their order through it.
        spreads_memory: whether it holds requests back, so that the workers' memory is looked at.
        request_copies: of the request topic.
        only: the delivery that it makes sense under; None is both.
        limit_s: bound on what it does.
        recover_s: bound on the lag, after it.
    """

    rank: int
    name: str
    workers: int = 2
    settings: Mapping[str, Any] = {}
    environment: Mapping[str, str] = {}
    layout: Layout = Layout()
    rate: float = 400.0
    requests: int = 0
    ordered: bool = True
    spreads_memory: bool = False
    request_copies: int = NODES
    only: Delivery | None = None
    limit_s: float = 180.0
    recover_s: float = 90.0

    def __repr__(self) -> str:
        return f"{self.rank} {self.name}"

    async def prepare(self, scene: Scene) -> None:
        """Make what it needs, before workers start."""
        return None

    @abstractmethod
    async def act(self, scene: Scene) -> None:
        """Do it, to a service that answers. Whatever it breaks of cluster and network is mended afterwards."""

    @abstractmethod
    async def effect(self, scene: Scene, evidence: Evidence) -> str:
        """Say what it did, as logs, metrics and outcomes show it.

        Raises:
            VoidError: nothing.
        """


def seen(effect: object, what: str) -> None:
    """Take an effect for shown, or the run for void. Raises: VoidError."""
    if not effect:
        raise VoidError(f"no effect: {what}")
