"""The two models: `python -m benchmarks.models FOLDER [MODEL...]`. Each gets a folder of its own inside.

A program of its own, so that what measures keeps neither scikit-learn nor the exporter in memory.
"""

import sys
import warnings
from pathlib import Path
from typing import Any, Final

import numpy as np

from benchmarks.workload import MODEL, NETWORK
from penstock.cli.demo.held_out import HeldOut

_SEED: Final = 7
_FEATURES, _CLASSES, _ROWS = 784, 10, 512
_MARGIN: Final = 1e-3  # between the two best classes, so that rounding never decides


def build(folder: Path, name: str) -> None:
    """Train a model and write it with its rows, as `HeldOut` lays them down.

    Args:
        folder: gets `models/<name>/1/model.onnx` and `held-out/<name>.npz`.
        name: of the model.
    """
    if name == MODEL:
        from penstock.cli.demo.models import BY_NAME
        from penstock.cli.demo.models import build as build_demo

        build_demo(BY_NAME[MODEL], folder)
    else:
        build_network(folder)


def build_network(folder: Path) -> None:
    """Train a network 784-128-10 on made-up rows, and write it with rows and ONNX Runtime's own answers."""
    import onnxruntime
    from skl2onnx import to_onnx

    random = np.random.default_rng(_SEED)
    learnt = _train(random)
    place = folder / "models" / NETWORK / "1"
    place.mkdir(parents=True)
    exported = to_onnx(learnt, _rows(random, 1), options={"zipmap": False}, target_opset=17).SerializeToString()
    (place / "model.onnx").write_bytes(exported)
    session = onnxruntime.InferenceSession(exported, providers=["CPUExecutionProvider"])
    rows = _rows(random, 2 * _ROWS)
    answers = [session.run(None, {session.get_inputs()[0].name: rows[at : at + 1]}) for at in range(len(rows))]
    labels, scores = (np.concatenate(each) for each in zip(*answers, strict=True))
    best = np.sort(scores, axis=1)
    clear = np.flatnonzero(best[:, -1] - best[:, -2] > _MARGIN)[:_ROWS]
    held_out = HeldOut(rows[clear], labels[clear], labels=labels[clear], scores=scores[clear], trained_on=2000)
    held_out.write(folder, NETWORK)


def _train(random: np.random.Generator) -> Any:
    """Fit to the classes that a random linear map makes, for a few rounds: the scores stay far from 0 and 1."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.neural_network import MLPClassifier

    rows = _rows(random, 2000)
    truth = ((rows - 0.5) @ random.standard_normal((_FEATURES, _CLASSES))).argmax(axis=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return MLPClassifier((128,), max_iter=5, random_state=_SEED).fit(rows, truth)


def _rows(random: np.random.Generator, count: int) -> Any:
    """Return float32 rows of 7 decimals, which take some 10 bytes a number in JSON."""
    return random.random((count, _FEATURES)).round(7).astype(np.float32)


if __name__ == "__main__":
    for each in sys.argv[2:] or [MODEL, NETWORK]:
        build(Path(sys.argv[1]) / each, each)
