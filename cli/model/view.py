"""What `penstock model show` prints of a version."""

from dataclasses import dataclass
from typing import Any

from penstock.cli.figures import size
from penstock.cli.model.example import Example, example_of
from penstock.cli.model.files import Listed, versions_of
from penstock.cli.terminal import print_table, say
from penstock.core.model import Signature, TensorSpec
from penstock.core.onnx_metadata import OnnxMetadata, read_metadata
from penstock.core.repository import ModelRepository
from penstock.core.store.model_file import FoundVersion
from penstock.schemas.errors import ModelError


@dataclass(frozen=True, slots=True)
class View:
    """A version of a model.

    Attributes:
        listed: its names, its file and its manifest.
        signature: what it takes and gives.
        metadata: who made it; None for a Python model.
        example: a request.
        trouble: why the example does not work; None when it does, as it was tried.
    """

    listed: Listed
    signature: Signature
    metadata: OnnxMetadata | None
    example: Example
    trouble: str | None


def view_of(repository: ModelRepository, name: str, version: str | None) -> View:
    """Load a version and look at it.

    Args:
        repository: where it is.
        name: of the model.
        version: any on disk; None is the one that is served by default.

    Raises:
        ModelError: there is no such model or version, or it cannot be loaded.
    """
    served = repository.served(name)
    model = repository.load(name, version)
    try:
        (found,) = [each for each in versions_of(repository, name, served) if each.version == model.version]
        called = name if found.highest else f"{name}@{model.version}"
        example = example_of(called, model.signature)
        trouble: str | None = None
        for number in (1, 0):  # some models divide by their input, some look it up
            tried = example_of(called, model.signature, number)
            try:
                model.run(tried.inputs)
            except ModelError as error:
                trouble = trouble or str(error)
            else:
                example, trouble = tried, None
                break
        return View(found, model.signature, _metadata(repository, found.found), example, trouble)
    finally:
        model.close()


def _metadata(repository: ModelRepository, found: FoundVersion) -> OnnxMetadata | None:
    if found.kind != "onnx":
        return None
    held = repository.hold(found)
    try:
        return read_metadata(held.folder / found.file)
    finally:
        held.release()


def print_view(view: View, max_rows: int) -> None:
    """Print it for people.

    Args:
        view: of the model.
        max_rows: the most rows of a batch, by the settings.
    """
    listed, found = view.listed, view.listed.found
    print(f"{listed.model}@{listed.version}  {found.kind}, {size(found.size)}, {found.place}")
    if view.metadata is not None:
        print(f"{_made_by(view.metadata)}")
    if listed.aliases:
        print(f"also called {', '.join(listed.aliases)}")
    _print_origin(found)
    print()
    signature = view.signature
    rows = [("input", *_tensor(spec, signature.batched)) for spec in signature.inputs]
    rows += [("output", *_tensor(spec, signature.batched)) for spec in signature.outputs]
    print_table(("", "name", "datatype", "shape"), rows)
    print(f"\n{_batching(signature, max_rows)}")
    _print_example(view.example)
    if not listed.served:
        say(f"Version {listed.version} is not served: its config.pbtxt or a higher version keeps it out.")
    if view.trouble is not None:
        say(f"The model does not answer this example, which is made up: {view.trouble}")


def _print_origin(found: FoundVersion) -> None:
    if found.manifest is None:
        return
    runtime = found.manifest.runtime
    print(f"published {found.manifest.created:%Y-%m-%d %H:%M:%S} UTC with {runtime.name} {runtime.version}")
    print(f"verified by sha256 {found.digest}")
    for key, value in found.manifest.lineage.items():
        print(f"  {key}: {value}")


def _print_example(example: Example) -> None:
    inside = any(example.body and example.body in command for command in example.commands)
    if example.commands:
        print("\nAsk it; what is quoted is the value of the request:" if inside else "\nAsk it:")
        print("\n".join(f"  {command}" for command in example.commands))
    if not inside:
        print("\nThe same as the value of a request:")
        print(f"  {example.body or 'too long to be printed'}")


def _made_by(metadata: OnnxMetadata) -> str:
    opsets = ", ".join(f"{domain} {version}" for domain, version in metadata.opsets.items())
    return f"made by {metadata.producer or 'nobody known'}; IR version {metadata.ir_version}; operators {opsets}"


def _tensor(spec: TensorSpec, batched: bool) -> tuple[str, str, str]:
    dims = [*(["rows"] if batched else []), *("any" if dim < 0 else str(dim) for dim in spec.shape)]
    return spec.name, spec.datatype, f"[{', '.join(dims)}]"


def _batching(signature: Signature, max_rows: int) -> str:
    if not signature.batched:
        return "Not batched: each request is one whole tensor and runs alone."
    own = signature.max_rows
    most, whose = (own, "the model's own bound") if own and own <= max_rows else (max_rows, "batching.max_rows")
    return f"Batched: rows of several requests run together, at most {most} ({whose})."


def document_of(view: View) -> dict[str, Any]:
    """Return it as JSON has it."""
    signature, metadata, listed, found = view.signature, view.metadata, view.listed, view.listed.found
    specs = {"inputs": signature.inputs, "outputs": signature.outputs}
    return {
        "model": listed.model,
        "version": listed.version,
        "aliases": list(listed.aliases),
        "kind": found.kind,
        "path": found.place,
        "bytes": found.size,
        "served": listed.served,
        "sha256": found.digest or None,
        "runtime": found.manifest and found.manifest.runtime.model_dump(),
        "lineage": found.manifest.lineage if found.manifest else {},
        **{
            side: [
                {"name": spec.name, "datatype": spec.datatype, "shape": [*([-1] * signature.batched), *spec.shape]}
                for spec in tensors
            ]
            for side, tensors in specs.items()
        },
        "batched": signature.batched,
        "max_rows": signature.max_rows,
        "onnx": metadata
        and {"producer": metadata.producer, "ir_version": metadata.ir_version, "opsets": metadata.opsets},
        "example": {
            "commands": view.example.commands,
            "body": view.example.body,
            "works": view.trouble is None,
        },
    }
