"""config.pbtxt: reading it, and holding it against the model."""

import sys
from pathlib import Path

import pytest

from penstock.core.model import Signature, TensorSpec
from penstock.core.triton_config import TritonConfig, VersionPolicy
from penstock.core.triton_parser import parse_config, read_config
from penstock.core.triton_schema import model_config_class
from penstock.schemas.errors import ModelError

# As the documentation of Triton writes them, with much that only Triton needs.
REAL = """
# A comment
name: "iris"
platform: "onnxruntime_onnx"
max_batch_size: 64
input [
  {
    name: "X"
    data_type: TYPE_FP32
    format: FORMAT_NONE
    dims: [ 4 ]
    is_shape_tensor: false
  }
]
output { name: "label" data_type: TYPE_INT64 dims: [] label_filename: "labels.txt" }
output [ { name: "probabilities", data_type: TYPE_FP32, dims: [ 3 ] } ]
version_policy: { specific { versions: [1, 3] } }
instance_group [ { count: 2 kind: KIND_GPU gpus: [ 0, 1 ] }, { kind: KIND_CPU } ]
dynamic_batching { preferred_batch_size: [ 16, 32 ] max_queue_delay_microseconds: 500 priority_levels: 2 }
optimization { execution_accelerators { cpu_execution_accelerator: [ { name: "openvino" } ] } }
parameters { key: "intra_op_thread_count" value: { string_value: "2" } }
default_model_filename: "iris.onnx"
"""

MODEL = Signature(
    inputs=(TensorSpec("X", "FP32", (4,)),),
    outputs=(TensorSpec("label", "INT64", ()), TensorSpec("probabilities", "FP32", (3,))),
)


def parsed(text: str) -> TritonConfig:
    return parse_config(text, model="iris")


def test_a_real_file_is_read_and_what_is_tritons_alone_passed_over() -> None:
    assert parsed(REAL) == TritonConfig(
        backend="onnxruntime",
        filename="iris.onnx",
        max_batch_size=64,
        inputs=MODEL.inputs,
        outputs=MODEL.outputs,
        policy=VersionPolicy(latest=None, specific=(1, 3)),
        max_delay_s=0.0005,
        preferred_rows=(16, 32),
    )


def test_parameters_say_where_a_model_runs() -> None:
    text = 'parameters { key: "isolation" value { string_value: "process" } } '
    assert parsed(text).isolation == "process"
    listed = 'parameters [ { key: "run_timeout_s", value: { string_value: "2.5" } }, { key: "isolation" } ]'
    with pytest.raises(ModelError, match="the parameter isolation is '', not 'thread' or 'process'"):
        parsed(listed)
    both = parsed(text + 'parameters { key: "run_timeout_s" value: { string_value: "2.5" } }')
    assert (both.isolation, both.run_timeout_s) == ("process", 2.5)


@pytest.mark.parametrize("seconds", ["", "soon", "nan", "0", "-1", "3601", "inf"])
def test_a_time_that_no_run_may_take_is_refused(seconds: str) -> None:
    with pytest.raises(ModelError, match="the parameter run_timeout_s is"):
        parsed(f'parameters {{ key: "run_timeout_s" value: {{ string_value: "{seconds}" }} }}')


def test_an_empty_file_leaves_everything_open() -> None:
    config = parsed("")
    assert config == TritonConfig()
    assert config.apply(MODEL) == MODEL


def test_every_datatype_has_tritons_name() -> None:
    names = ["BOOL", "UINT8", "INT64", "FP16", "FP64", "STRING"]
    tensors = " ".join(f'input {{ name: "{name}" data_type: TYPE_{name} dims: 1 }}' for name in names)
    assert [spec.datatype for spec in parsed(tensors).inputs] == [*names[:-1], "BYTES"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('name: "iris"\nmax_batch_size: many', r"config\.pbtxt:2:17 : .*many"),
        ('name: "iris"\ninput [ { name: "X"', r"config\.pbtxt:2:"),
        ("max_batch_size: 1\nmax_batch_size: 2", "max_batch_size"),
        ("version_policy { all { } latest { num_versions: 1 } }", "latest"),
        ('input { name: "x" data_type: TYPE_FP99 }', "TYPE_FP99"),
        ('name: "wine"', "the name is 'wine', but the folder is 'iris'"),
        ("max_batch_size: -1", "max_batch_size is -1"),
        ('platform: "tensorrt_plan"', "platform 'tensorrt_plan' is not supported; these are: onnxruntime_onnx,"),
        ('backend: "pytorch"', "backend 'pytorch' is not supported"),
        ("sequence_batching { direct { } }", "sequence_batching is not supported"),
        ("ensemble_scheduling { step [ { model_name: 'a' } ] }", "ensemble_scheduling is not supported"),
        ('output { name: "label" data_type: TYPE_INT64 dims: 1 reshape { shape: [] } }', "reshape is not supported"),
        ('input { name: "x" data_type: TYPE_BF16 dims: 1 }', "'x' has no data_type, or one that is not supported"),
        ('input { name: "x" dims: 1 }', "'x' has no data_type"),
        ('input { name: "x" data_type: TYPE_FP32 dims: 0 }', "a dimension of 0"),
        ("version_policy { specific { } }", "names no version"),
        ('default_model_filename: "../../etc/passwd"', "is not a plain file name"),
        ("instance_group " + "{ parameters " * 2000, "nested too deep"),
    ],
)
def test_a_faulty_file_is_told_by_line_or_field(text: str, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        parsed(text)


@pytest.mark.parametrize(
    ("text", "served"),
    [
        ("", [10]),
        ("version_policy { latest { } }", [10]),
        ("version_policy { latest { num_versions: 2 } }", [9, 10]),
        ("version_policy { latest { num_versions: 9 } }", [1, 9, 10]),
        ("version_policy { all { } }", [1, 9, 10]),
        ("version_policy { specific { versions: 9 versions: 1 } }", [1, 9]),
    ],
)
def test_the_policy_selects_by_number(text: str, served: list[int]) -> None:
    assert parsed(text).policy.select([10, 1, 9]) == served


def test_max_batch_size_bounds_the_rows() -> None:
    assert parsed("max_batch_size: 8").apply(MODEL).max_rows == 8
    bounded = Signature(MODEL.inputs, MODEL.outputs, max_rows=4)
    assert parsed("max_batch_size: 8").apply(bounded).max_rows == 4
    assert parsed("").apply(bounded).max_rows == 4


def test_max_batch_size_0_keeps_requests_apart() -> None:
    config = parsed('max_batch_size: 0 input { name: "X" data_type: TYPE_FP32 dims: [ 1, 4 ] }')
    assert config.apply(MODEL) == Signature(
        inputs=(TensorSpec("X", "FP32", (1, 4)),),
        outputs=(TensorSpec("label", "INT64", (-1,)), TensorSpec("probabilities", "FP32", (-1, 3))),
        batched=False,
    )


def test_without_max_batch_size_the_dims_are_whole() -> None:
    config = parsed('input { name: "X" data_type: TYPE_FP32 dims: [ -1, 4 ] }')
    assert config.apply(MODEL) == MODEL


def test_a_free_dimension_may_be_fixed_but_a_fixed_one_not_freed() -> None:
    free = Signature((TensorSpec("X", "FP32", (-1,)),), MODEL.outputs)
    fixing = parsed('max_batch_size: 2 input { name: "X" data_type: TYPE_FP32 dims: 4 }')
    assert fixing.apply(free).inputs == MODEL.inputs
    freeing = parsed('max_batch_size: 2 input { name: "X" data_type: TYPE_FP32 dims: -1 }')
    with pytest.raises(ModelError, match=r"input 'X' has dims \[-1\], in the model \[4\]"):
        freeing.apply(MODEL)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('input { name: "Z" data_type: TYPE_FP32 dims: 4 }', "the model's input X is not declared"),
        (
            'input { name: "X" data_type: TYPE_FP32 dims: 4 } input { name: "Z" data_type: TYPE_FP32 dims: 4 }',
            "input 'Z' is not the model's, which has X",
        ),
        ('input { name: "X" data_type: TYPE_FP64 dims: 4 }', "input 'X' is FP64, in the model FP32"),
        ('input { name: "X" data_type: TYPE_FP32 dims: 5 }', r"input 'X' has dims \[5\], in the model \[4\]"),
        ('input { name: "X" data_type: TYPE_FP32 dims: [4, 1] }', r"input 'X' has dims \[4, 1\], in the model \[4\]"),
        ('output { name: "score" data_type: TYPE_FP32 dims: 1 }', "'score' is not the model's, which has label, prob"),
    ],
)
def test_a_model_that_disagrees_is_refused(text: str, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        parsed("max_batch_size: 8 " + text).apply(MODEL)


def test_forgetting_max_batch_size_is_explained() -> None:
    with pytest.raises(ModelError, match=r"dims \[4\], in the model \[-1, 4\]; under a max_batch_size"):
        parsed('input { name: "X" data_type: TYPE_FP32 dims: 4 }').apply(MODEL)


def test_a_model_without_a_batch_dimension_takes_no_max_batch_size() -> None:
    fixed = Signature(MODEL.inputs, MODEL.outputs, batched=False)
    with pytest.raises(ModelError, match="max_batch_size is 8, but not every input"):
        parsed("max_batch_size: 8").apply(fixed)


def test_a_file_that_cannot_be_read_is_a_model_error(tmp_path: Path) -> None:
    path = tmp_path / "config.pbtxt"
    with pytest.raises(ModelError, match="cannot be read"):
        read_config(path, model="iris")
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(ModelError, match="cannot be read"):
        read_config(path, model="iris")
    path.write_text("#" * 2_000_000)
    with pytest.raises(ModelError, match="larger than"):
        read_config(path, model="iris")


def test_without_protobuf_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    model_config_class.cache_clear()
    monkeypatch.setitem(sys.modules, "google.protobuf", None)
    with pytest.raises(ModelError, match=r"penstock-kafka\[worker\]"):
        parsed("")
