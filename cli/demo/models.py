"""The demo's models: three that scikit-learn learns from data it ships, exported to ONNX and held against themselves.

A program of its own (`python -m penstock.cli.demo.models FOLDER [MODEL...]`), so that the broker starts meanwhile and
the demo keeps neither scikit-learn nor the exporter in memory. Importing this module imports neither.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from penstock.cli.demo.held_out import HeldOut
from penstock.schemas.tensors import Array

_HELD_OUT_SHARE: Final = 0.3
# Of a split in which no held-out row lies so near to a threshold of the trees that rounding decides its side: a
# processor that rounds the scaling otherwise would make another answer of it, and rightly so.
_SEED: Final = 14
CANDIDATE: Final = "candidate.onnx"  # of the second version of `SWITCHED`, which nobody has published yet


@dataclass(frozen=True, slots=True)
class DemoModel:
    """One model, and how it comes to be.

    Attributes:
        name: in the repository.
        algorithm: for people.
        data: of `sklearn.datasets`.
        pipeline: makes the untrained model.
        classifies: whether it tells classes, with probabilities, or else estimates a number.
    """

    name: str
    algorithm: str
    data: str
    pipeline: Callable[[], Any]
    classifies: bool


def _boosted_trees() -> Any:
    from sklearn.ensemble import GradientBoostingClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), GradientBoostingClassifier(n_estimators=100, random_state=_SEED))


def _network() -> Any:
    from sklearn.neural_network import MLPClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import MinMaxScaler

    learner = MLPClassifier((32,), learning_rate_init=0.01, tol=1e-3, n_iter_no_change=5, random_state=_SEED)
    return make_pipeline(MinMaxScaler(), learner)


def _line() -> Any:
    from sklearn.linear_model import LinearRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), LinearRegression())


def _ridge() -> Any:
    from sklearn.linear_model import Ridge
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), Ridge(alpha=30.0))


MODELS: Final = (
    DemoModel("breast-cancer", "gradient boosting", "load_breast_cancer", _boosted_trees, classifies=True),
    DemoModel("digits", "neural network", "load_digits", _network, classifies=True),
    DemoModel("diabetes", "linear regression", "load_diabetes", _line, classifies=False),
)
BY_NAME: Final = {model.name: model for model in MODELS}
# The model that is switched while requests flow, as its second version. The other estimates too, so answers differ.
SECOND: Final = DemoModel("diabetes", "ridge regression", "load_diabetes", _ridge, classifies=False)
SWITCHED: Final = SECOND.name
SECOND_HELD_OUT: Final = f"{SWITCHED}@2"


def build(model: DemoModel, folder: Path) -> HeldOut:
    """Train, export, check parity, and write the model and its held-out rows.

    Args:
        model: which.
        folder: gets `models/<name>/1/model.onnx`, and the held-out rows as `HeldOut.write` lays them down.

    Raises:
        ValueError: ONNX Runtime and scikit-learn disagree on a held-out row.
    """
    place = folder / "models" / model.name / "1"
    place.mkdir(parents=True)
    exported, held_out = _learn(model)
    (place / "model.onnx").write_bytes(exported)
    held_out.write(folder, model.name)
    return held_out


def build_second(folder: Path) -> None:
    """Do the same for the second version of `SWITCHED`, but lay the file down as `CANDIDATE`, to be published later.

    Raises:
        ValueError: ONNX Runtime and scikit-learn disagree on a held-out row.
    """
    exported, held_out = _learn(SECOND)
    (folder / CANDIDATE).write_bytes(exported)
    held_out.write(folder, SECOND_HELD_OUT)


def _learn(model: DemoModel) -> tuple[bytes, HeldOut]:
    """Return a trained model as ONNX, and the rows it has not seen."""
    import sklearn.datasets
    from skl2onnx import to_onnx
    from sklearn.model_selection import train_test_split

    features, truth = getattr(sklearn.datasets, model.data)(return_X_y=True)
    # float32 from the start: it is what is sent, so both sides see the same numbers.
    features, truth = features.astype(np.float32), truth.astype(np.int64 if model.classifies else np.float32)
    known, rows, taught, truth = train_test_split(
        features, truth, test_size=_HELD_OUT_SHARE, random_state=_SEED, stratify=truth if model.classifies else None
    )
    learnt = model.pipeline().fit(known, taught)
    options = {"zipmap": False} if model.classifies else None
    exported = to_onnx(learnt, rows[:1], options=options, target_opset=17).SerializeToString()
    held_out = HeldOut(
        rows,
        truth,
        labels=learnt.predict(rows) if model.classifies else None,
        scores=learnt.predict_proba(rows) if model.classifies else learnt.predict(rows).reshape(-1, 1),
        trained_on=len(known),
    )
    _check_parity(model.name, exported, held_out)
    return exported, held_out


def _check_parity(name: str, exported: bytes, held_out: HeldOut) -> None:
    """Ask ONNX Runtime for each row by itself, as a service may have to."""
    import onnxruntime

    session = onnxruntime.InferenceSession(exported, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    for index in range(len(held_out)):
        found: list[Array] = session.run(names, {session.get_inputs()[0].name: held_out.row(index)})
        if not held_out.is_right(index, dict(zip(names, found, strict=True))):
            raise ValueError(f"the exported model {name} does not answer row {index} as scikit-learn does")


def main(folder: Path, names: list[str]) -> None:
    """Build the models of these names, or all of them and the second version."""
    for name in names or list(BY_NAME):
        build(BY_NAME[name], folder)
    if not names:
        build_second(folder)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
