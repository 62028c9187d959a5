"""The orders that can be given to a service, in words of its models, throttles, lanes and keys."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, TypedDict, Unpack

from penstock.producer.control import changes, history
from penstock.producer.control.ledger import Ledger, Make
from penstock.producer.control.results import CannotChange, Change
from penstock.schemas.control.resources import Kind, Resource, Scope, parse_resource
from penstock.schemas.control.specs import Batching, Deployment, Lane, Shadow, Spec


class Manner(TypedDict, total=False):
    """How an order is given; every order takes these.

    Attributes:
        reason: why, for people.
        expect: `Change.seen` of the look that the order is based on; if another command was accepted since, it is a
            `Conflict`. None takes what is there. Two orders at the same time are a Conflict for one of them anyway.
        dry_run: return the `Change` that it would be, and write nothing.
    """

    reason: str
    expect: int | None
    dry_run: bool


class Orders(ABC):
    """Makes commands of orders. Each raises what `issue` raises."""

    @abstractmethod
    def _writable(self) -> Ledger:
        """Return the control topic, to write to. Raises: ClientClosed, ConfigurationError."""

    async def issue(
        self, resource: Resource | str, spec: Spec | Mapping[str, Any] | None, **manner: Unpack[Manner]
    ) -> Change:
        """Set a resource to what is wanted, the whole of it, or remove it; any resource.

            await control.issue("throttle/model:iris", {"rows_per_s": 500.0}, reason="month's end")

        Args:
            resource: as "deployment/iris".
            spec: what is wanted; None removes it.
            manner: reason, expect, dry_run.

        Returns:
            `Issued`, which `wait` takes; or with `dry_run` the `Change`.

        Raises:
            CommandRefused: nobody would follow it, or nobody will. `code` says why; nothing changed.
            Conflict: somebody else was quicker. Nothing changed.
            CannotChange: it makes no sense of what is there.
            ConfigurationError: the keys, or the control topic, cannot be used.
            TransportError: Kafka did not do its part in time. Where the outcome is open, the text says so.
        """
        return await self._change(resource, lambda *_: spec, **manner)

    async def deploy(
        self,
        model: str,
        versions: Mapping[str, float] | str,
        *,
        canary: float | None = None,
        shadows: Iterable[Shadow | str] | None = None,
        salt: str | None = None,
        batching: Batching | None = None,
        not_finite: Literal["pass", "refuse"] | None = None,
        signature_may_change: bool = False,
        **manner: Unpack[Manner],
    ) -> Change:
        """Say which versions of a model answer. What is None stays as it is.

            await control.deploy("iris", "4")                    # all of the traffic
            await control.deploy("iris", "4", canary=10)         # 10 %; the others share the rest as before
            await control.deploy("iris", {"3": 1, "4": 1})       # half each

        Args:
            model: its name.
            versions: with their weights; or one.
            canary: percent that the one version gets, 0 <= canary < 100.
            shadows: versions that get copies of requests; () ends it.
            salt: changes which keys get which version.
            batching: how requests are gathered.
            not_finite: what becomes of an answer with NaN or infinity.
            signature_may_change: whether inputs and outputs may differ from those of the versions that serve.
            manner: reason, expect, dry_run.
        """
        others = {"salt": salt, "batching": batching, "not_finite": not_finite}

        def make(present: Spec | None, _: Sequence[Spec | None]) -> Deployment:
            now = present if isinstance(present, Deployment) else None
            if canary is None:
                weights = changes.weights_of(versions)
            elif isinstance(versions, str):
                weights = changes.with_canary(model, now, versions, canary)
            else:
                raise CannotChange(
                    "a canary is one version: give its name alone, or the weights of all without a canary"
                )
            return changes.deployment(
                now, weights, shadows=shadows, signature_may_change=signature_may_change or None, **others
            )

        return await self._change(f"{Kind.DEPLOYMENT}/{model}", make, **manner)

    async def promote(self, model: str, **manner: Unpack[Manner]) -> Change:
        """Give all of the traffic to the canary: the version that has been in the deployment for the shortest time.

        Of several that came with the same command it is the one with the smallest weight, and of those the last.
        """

        def make(present: Spec | None, past: Sequence[Spec | None]) -> Deployment:
            now = present if isinstance(present, Deployment) else None
            leave = now.signature_may_change if now is not None else None
            chosen = history.canary(model, _deployments(past))
            return changes.deployment(now, [(chosen, changes.ALL)], signature_may_change=leave or None)

        return await self._change(f"{Kind.DEPLOYMENT}/{model}", make, past=True, **manner)

    async def rollback(self, model: str, *, stable: bool = False, **manner: Unpack[Manner]) -> Change:
        """Go back to the last deployment in which other versions answered than now, as the control topic tells.

        Args:
            model: its name.
            stable: only to one in which a single version answered. After a canary was promoted, the deployment before
                still has it as a canary; this goes on to what was there before it.
            manner: reason, expect, dry_run.
        """

        def make(_: Spec | None, past: Sequence[Spec | None]) -> Deployment:
            return history.previous(model, _deployments(past), stable=stable)

        return await self._change(f"{Kind.DEPLOYMENT}/{model}", make, past=True, **manner)

    async def undeploy(self, model: str, **manner: Unpack[Manner]) -> Change:
        """Leave a model to the workers' settings again."""
        return await self._remove(f"{Kind.DEPLOYMENT}/{model}", **manner)

    async def throttle(
        self,
        scope: Scope | str,
        rows_per_s: float,
        burst: float | None = None,
        on_excess: Literal["delay", "reject"] = "delay",
        **manner: Unpack[Manner],
    ) -> Change:
        """Limit the rows a second that all workers together let a scope have.

            await control.throttle("tenant:acme", 200.0, on_excess="reject")

        Args:
            scope: global, model:NAME, tenant:NAME or lane:TOPIC.
            rows_per_s: 0 stops it.
            burst: rows that may come at once after a rest; None is a second's worth.
            on_excess: what is over waits, or is answered THROTTLED.
            manner: reason, expect, dry_run.
        """
        spec = {
            "rows_per_s": float(rows_per_s),
            "burst": None if burst is None else float(burst),
            "on_excess": on_excess,
        }
        return await self.issue(f"{Kind.THROTTLE}/{scope}", spec, **manner)

    async def unthrottle(self, scope: Scope | str, **manner: Unpack[Manner]) -> Change:
        """Take the limit of a scope away."""
        return await self._remove(f"{Kind.THROTTLE}/{scope}", **manner)

    async def lane(
        self,
        topic: str,
        state: Literal["running", "paused", "draining"],
        weight: int | None = None,
        **manner: Unpack[Manner],
    ) -> Change:
        """Say whether a request topic is read, and its weight among the others; None leaves that as it is."""

        def make(present: Spec | None, _: Sequence[Spec | None]) -> Mapping[str, Any]:
            return changes.lane(present if isinstance(present, Lane) else None, state, weight)

        return await self._change(f"{Kind.LANE}/{topic}", make, **manner)

    async def trust(self, key_id: str, public: str, scopes: Iterable[str], **manner: Unpack[Manner]) -> Change:
        """Let a public key (32 bytes in hexadecimal) sign commands about these resources, from now on."""
        spec = {"public": public, "scopes": list(scopes)}
        return await self.issue(f"{Kind.KEY}/{key_id}", spec, **manner)

    async def revoke(self, key_id: str, **manner: Unpack[Manner]) -> Change:
        """Take no command of a key any more, one of the trusted keys' file included. Its id never comes back."""
        return await self.issue(f"{Kind.KEY}/{key_id}", None, **manner)

    async def _remove(self, resource: str, **manner: Unpack[Manner]) -> Change:
        def make(present: Spec | None, _: Sequence[Spec | None]) -> None:
            if present is None:
                raise CannotChange(f"nothing is asked of {resource}, so there is nothing to take away")

        return await self._change(resource, make, **manner)

    async def _change(
        self, resource: Resource | str, make: Make, *, past: bool = False, **manner: Unpack[Manner]
    ) -> Change:
        try:
            about = parse_resource(str(resource))
        except ValueError as error:
            raise CannotChange(str(error)) from None
        return await self._writable().change(about, make, past=past, **manner)


def _deployments(past: Sequence[Spec | None]) -> list[Deployment | None]:
    return [each if isinstance(each, Deployment) else None for each in past]
