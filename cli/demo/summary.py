"""The demo's figures as a page of text, 80 columns wide. Pure."""

from collections.abc import Sequence
from itertools import zip_longest
from typing import Final

from penstock.cli.demo.batches import together
from penstock.cli.demo.commanded import scene_page
from penstock.cli.demo.figures import Example, Figures, ModelFigures
from penstock.cli.demo.histogram import bars, buckets
from penstock.cli.demo.load import Tally
from penstock.cli.figures import duration

_HALF: Final = 38  # columns of one of two histograms
_NO_ASCII: Final = str.maketrans({"²": "2"})


def summary(figures: Figures, *, plain: bool = False) -> list[str]:
    """Return the page, a line each. Headings stand at the left; what belongs to them is indented.

    Args:
        figures: of a demo that has gone through.
        plain: ASCII alone, for terminals and files that know no other characters.
    """
    lines = [
        *_models(figures.models),
        "",
        *_latency(figures),
        "",
        *_histograms(figures, plain),
        "",
        *_batches(figures),
        *([] if figures.example is None else ["", *_provenance(figures.example)]),
        "",
        *scene_page(figures.scene),
        "",
        verdict(figures),
    ]
    return [line.translate(_NO_ASCII) for line in lines] if plain else lines


def verdict(figures: Figures) -> str:
    """Return the last word in one line."""
    if figures.faults:
        return f"FAILED after {figures.seconds:.1f} s: not every answer came once and was right."
    return (
        f"Every answer is right: {figures.requests:,} requests, {figures.replies:,} replies, "
        f"none double, in {figures.seconds:.1f} s."
    )


def _models(models: Sequence[ModelFigures]) -> list[str]:
    return [
        f"{'Models':<17}{'trained as':<19}{'held out':>8}{'right':>7}   {'against the truth':<17}{'a second':>9}",
        *(
            f"  {model.name:<15}{model.algorithm:<19}{model.held_out:>8,}{model.right:>7,}   "
            f"{_score(model):<17}{model.per_second:>9,.0f}"
            for model in models
        ),
        "  Right answers are scikit-learn's; the truth is what the data itself says.",
    ]


def _score(model: ModelFigures) -> str:
    if model.measure == "accuracy":
        return f"accuracy {model.score * 100:.1f} %"
    return f"R² {model.score:.2f}"


def _latency(figures: Figures) -> list[str]:
    return [
        f"{'Latency':<17}{'p50':>14}{'p90':>10}{'p99':>10}{'answers a second':>28}",
        _phase(f"{figures.in_flight:,} in flight", figures.load),
        _phase("one by one", figures.calm),
    ]


def _phase(name: str, tally: Tally) -> str:
    p50, p90, p99 = (duration(tally.percentile_s(share)) for share in (50, 90, 99))
    return f"  {name:<19}{p50:>10}{p90:>10}{p99:>10}{tally.rate():>28,.0f}"


def _histograms(figures: Figures, plain: bool) -> list[str]:
    left = bars(buckets(figures.load.latencies_s), _HALF, plain=plain)
    right = bars(buckets(figures.calm.latencies_s), _HALF, plain=plain)
    heading = f"{f'Answers by latency, {figures.in_flight:,} in flight':<{_HALF + 4}}one by one"
    return [
        heading,
        *(f"  {load:<{_HALF}}  {calm}".rstrip() for load, calm in zip_longest(left, right, fillvalue="")),
    ]


def _batches(figures: Figures) -> list[str]:
    models = ", ".join(f"{model} {each.mean_rows:.0f}" for model, each in sorted(figures.batches.items()))
    return [
        "Rows in a batch, on average",
        f"  {together(figures.batches).mean_rows:.0f} under load ({models}); "
        f"{together(figures.calm_batches).mean_rows:.0f} one by one",
    ]


def _provenance(example: Example) -> list[str]:
    name = f"{example.model}@{example.version}"
    return [
        "What one answer says of itself",
        f"  penstock-model   {name:<23}the model and its version that ran",
        f"  penstock-source  {example.source:<23}topic/partition/offset of its request",
        f"  the answer       {example.said}; scikit-learn: {example.scikit_learn}",
    ]
