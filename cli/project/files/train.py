"""Train a model, export it to ONNX, and put it where the worker looks: models/iris/<version>/model.onnx.

python train.py

Each run adds a version, and a worker that starts serves the newest. For a model of your own, change the rows, the
pipeline and the name; the rest can stay.
"""

import os
import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np

# ONNX Runtime sends what it calls telemetry to its maker, unless it reads this when it is imported.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

try:
    import onnxruntime
    from skl2onnx import to_onnx
    from sklearn.datasets import load_iris
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import train_test_split
    from sklearn.pipeline import Pipeline, make_pipeline
    from sklearn.preprocessing import StandardScaler
except ImportError as error:
    sys.exit(f"train.py needs {error.name}. Install Penstock with its extras `train` and `worker`.")

NAME = "iris"
MODELS = Path(__file__).parent / "models"
ROWS_FILE = Path(__file__).parent / "rows.csv"
COLUMNS = ("sepal_length", "sepal_width", "petal_length", "petal_width")


def main() -> None:
    """Train, compare, publish, and leave some rows to ask about."""
    features, species = load_iris(return_X_y=True)
    # float32 from the start: the model takes it, so training and serving see the same numbers.
    rows, held_out, classes, truth = train_test_split(
        features.astype(np.float32), species, test_size=0.2, random_state=1, stratify=species
    )
    pipeline = make_pipeline(StandardScaler(), LogisticRegression()).fit(rows, classes)
    accuracy = (pipeline.predict(held_out) == truth).mean()
    print(f"Trained on {len(rows)} rows; {accuracy:.1%} of {len(held_out)} held-out rows are classified right.")

    # Without `zipmap` the probabilities are an array, which can be sent; with it they are a list of dictionaries.
    model = to_onnx(pipeline, rows[:1], options={"zipmap": False}, target_opset=17).SerializeToString()
    check(model, pipeline, held_out)
    print("ONNX Runtime answers as scikit-learn does.")

    np.savetxt(ROWS_FILE, held_out[:5], fmt="%.1f", delimiter=",", header=",".join(COLUMNS), comments="")
    print(f"Wrote {publish(model).relative_to(MODELS.parent)} and {ROWS_FILE.name}.")


def check(model: bytes, pipeline: Pipeline, rows: np.ndarray) -> None:
    """End here if the exported model does not say what the trained one says: it would be served in its place."""
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    labels, probabilities = session.run(None, {session.get_inputs()[0].name: rows})
    same = np.array_equal(labels, pipeline.predict(rows))
    if not same or not np.allclose(probabilities, pipeline.predict_proba(rows), rtol=1e-4, atol=1e-6):
        sys.exit("The exported model answers differently from the trained one, so it was not published.")


def publish(model: bytes) -> Path:
    """Put the model into the repository as its next version, whole or not at all, and return its path."""
    folder = MODELS / NAME
    folder.mkdir(parents=True, exist_ok=True)
    versions = [int(path.name) for path in folder.iterdir() if path.name.isdecimal()]
    place = folder / str(max(versions, default=0) + 1)
    # A worker that starts meanwhile must not see half a file. It passes over folders whose name begins with a dot.
    unfinished = Path(tempfile.mkdtemp(prefix=".", dir=folder))
    try:
        unfinished.chmod(0o755)
        (unfinished / "model.onnx").write_bytes(model)
        unfinished.rename(place)
    except BaseException:
        shutil.rmtree(unfinished)
        raise
    return place / "model.onnx"


if __name__ == "__main__":
    main()
