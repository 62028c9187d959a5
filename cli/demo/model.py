"""The demo's model: breast-cancer rows, a scaler and gradient boosting, exported to ONNX and held against itself.

A program of its own (`python -m penstock.cli.demo.model FOLDER`), so that the broker starts meanwhile and the demo
keeps neither scikit-learn nor the exporter in memory.
"""

import sys
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

NAME: Final = "breast-cancer"
ROWS_FILE: Final = "held-out.npz"
RTOL: Final = 1e-4


def build(folder: Path) -> str:
    """Train, export, check parity, and write the repository and the held-out rows.

    Args:
        folder: gets `models/breast-cancer/1/model.onnx` and `held-out.npz`, with `rows` [n, 30] float32, and what
            scikit-learn says of them: `labels` [n] and `probabilities` [n, 2].

    Returns:
        One line about the model.

    Raises:
        ValueError: ONNX Runtime and scikit-learn disagree.
    """
    from skl2onnx import to_onnx
    from sklearn.datasets import load_breast_cancer
    from sklearn.ensemble import GradientBoostingClassifier
    from sklearn.model_selection import train_test_split
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    features, classes = load_breast_cancer(return_X_y=True)
    # float32 from the start: it is what is sent, so both sides see the same numbers.
    parts = train_test_split(features.astype(np.float32), classes, test_size=0.3, random_state=7, stratify=classes)
    train_rows, rows, train_classes, truth = parts
    model = make_pipeline(StandardScaler(), GradientBoostingClassifier(n_estimators=100, random_state=7))
    model.fit(train_rows, train_classes)
    exported = to_onnx(model, rows[:1], options={"zipmap": False}, target_opset=17)
    place = folder / "models" / NAME / "1"
    place.mkdir(parents=True, exist_ok=True)
    (place / "model.onnx").write_bytes(exported.SerializeToString())
    labels, probabilities = model.predict(rows), model.predict_proba(rows)
    _check_parity(place / "model.onnx", rows, labels, probabilities)
    np.savez(folder / ROWS_FILE, rows=rows, labels=labels, probabilities=probabilities)
    accuracy = float((labels == truth).mean())
    return f"{len(train_rows)} rows to train, {len(rows)} held out, accuracy {accuracy:.1%}"


def _check_parity(
    path: Path, rows: NDArray[np.float32], labels: NDArray[np.int64], scores: NDArray[np.float64]
) -> None:
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    found_labels, found_scores = session.run(None, {session.get_inputs()[0].name: rows})
    if not np.array_equal(found_labels, labels) or not np.allclose(found_scores, scores, rtol=RTOL, atol=1e-6):
        raise ValueError("the exported model does not answer as scikit-learn does")


if __name__ == "__main__":
    print(build(Path(sys.argv[1])))
