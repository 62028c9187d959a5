"""What an ONNX file says about itself."""

from pathlib import Path

import pytest

from penstock.core.onnx_metadata import OnnxMetadata, read_metadata
from penstock.schemas.errors import ModelError
from tests.core.onnx_models import save_doubler
from tests.support.repository import cancer


def test_format_and_operator_sets_are_read(tmp_path: Path) -> None:
    assert read_metadata(save_doubler(tmp_path / "model.onnx")) == OnnxMetadata("", 9, {"ai.onnx": 18})


def test_exporter_is_read(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(cancer()[0])
    metadata = read_metadata(path)
    assert metadata.producer.startswith("skl2onnx ")
    assert set(metadata.opsets) == {"ai.onnx", "ai.onnx.ml"}


def test_what_is_no_onnx_file_is_told(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(b"\xff not a model")
    with pytest.raises(ModelError, match=r"model\.onnx is no ONNX file that can be read"):
        read_metadata(path)
    with pytest.raises(ModelError, match="is no ONNX file that can be read"):
        read_metadata(tmp_path / "absent.onnx")
