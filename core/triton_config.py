"""What Triton's config.pbtxt says of a model, and whether the model agrees.

Source: triton-inference-server/server, docs/user_guide/model_configuration.md. `triton_parser` reads the file.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

from penstock.core.model import Signature, TensorSpec
from penstock.schemas.errors import ModelError

Backend = Literal["onnxruntime", "python"]


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionPolicy:
    """Which versions of a model are served.

    Attributes:
        latest: how many of the highest versions; None serves all, or `specific`.
        specific: exactly these.
    """

    latest: int | None = 1
    specific: tuple[int, ...] = ()

    def select(self, versions: Iterable[int]) -> list[int]:
        """Return the served ones of the versions on disk, ascending."""
        ascending = sorted(versions)
        if self.specific:
            return [version for version in ascending if version in self.specific]
        return ascending if self.latest is None else ascending[-self.latest :]


@dataclass(frozen=True, slots=True, kw_only=True)
class TritonConfig:
    """What a config.pbtxt says; None is what it leaves open.

    Attributes:
        place: the file, for messages.
        backend: what runs the model.
        filename: the model file inside a version's folder.
        max_batch_size: above 0 the dimensions of tensors leave the batch out; at 0 the model is not batched.
        inputs, outputs: the declared tensors.
        policy: which versions are served.
        max_delay_s: seconds to wait for a fuller batch, from dynamic_batching.
        preferred_rows: batch sizes to aim at, from dynamic_batching.
        isolation: where the model runs, from the parameter of that name.
        run_timeout_s: after which a run in a process of its own is given up, likewise.
    """

    place: str = "config.pbtxt"
    backend: Backend | None = None
    filename: str | None = None
    max_batch_size: int | None = None
    inputs: tuple[TensorSpec, ...] = ()
    outputs: tuple[TensorSpec, ...] = ()
    policy: VersionPolicy = VersionPolicy()
    max_delay_s: float | None = None
    preferred_rows: tuple[int, ...] = ()
    isolation: Literal["thread", "process"] | None = None
    run_timeout_s: float | None = None

    def apply(self, signature: Signature) -> Signature:
        """Return the signature as the configuration narrows it.

        The first dimension of a batched model is free. A declared dimension may fix one that the model leaves
        free, not the other way round. Outputs need not all be declared; inputs do, or none.

        Raises:
            ModelError: the configuration and the model disagree.
        """
        if self.max_batch_size and not signature.batched:
            raise ModelError(
                f"{self.place}: max_batch_size is {self.max_batch_size}, but not every input and output "
                "of the model has a free first dimension"
            )
        if self.max_batch_size == 0 and signature.batched:
            signature = Signature(_whole(signature.inputs), _whole(signature.outputs), batched=False)
        missing = {spec.name for spec in signature.inputs} - {spec.name for spec in self.inputs}
        if self.inputs and missing:
            raise ModelError(f"{self.place}: the model's input {', '.join(sorted(missing))} is not declared")
        bounds = [bound for bound in (self.max_batch_size, signature.max_rows) if bound]
        return Signature(
            self._narrow("input", self.inputs, signature.inputs, signature.batched),
            self._narrow("output", self.outputs, signature.outputs, signature.batched),
            batched=signature.batched,
            max_rows=min(bounds) if bounds else None,
        )

    def _narrow(
        self, kind: str, declared: tuple[TensorSpec, ...], model: tuple[TensorSpec, ...], batched: bool
    ) -> tuple[TensorSpec, ...]:
        # Where max_batch_size is left out, the dimensions are those of the whole tensor, batch included.
        batch = (-1,) if batched and self.max_batch_size is None else ()
        narrowed = {spec.name: spec for spec in model}
        for want in declared:
            have = narrowed.get(want.name)
            if have is None:
                names = ", ".join(narrowed)
                raise ModelError(f"{self.place}: {kind} {want.name!r} is not the model's, which has {names}")
            if want.datatype != have.datatype:
                raise ModelError(f"{self.place}: {kind} {want.name!r} is {want.datatype}, in the model {have.datatype}")
            whole = replace(have, shape=(*batch, *have.shape))
            if not whole.accepts(want.shape) or want.shape[: len(batch)] != batch:
                hint = "; under a max_batch_size the batch dimension is left out" if batch else ""
                raise ModelError(
                    f"{self.place}: {kind} {want.name!r} has dims {list(want.shape)}, "
                    f"in the model {list(whole.shape)}{hint}"
                )
            narrowed[want.name] = replace(have, shape=want.shape[len(batch) :])
        return tuple(narrowed.values())


def _whole(specs: tuple[TensorSpec, ...]) -> tuple[TensorSpec, ...]:
    return tuple(replace(spec, shape=(-1, *spec.shape)) for spec in specs)
