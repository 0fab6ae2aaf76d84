"""Models in the formats of other libraries, for `--export`: LightGBM's text, and ONNX if its packages are installed."""

import warnings
from typing import Any, Final

import numpy as np

from epkit.errors import UsageError
from epkit.learners.base import LearnerError

ONNX_TOLERANCE: Final = 1e-5
"""Greatest difference from LightGBM's answers: ONNX computes in 32 bits."""


def lightgbm_text(booster: Any) -> bytes:
    """Return the text that `lightgbm.Booster(model_file=…)` reads, up to the best iteration."""
    text: str = booster.model_to_string(num_iteration=_iterations(booster))
    return text.encode()


def check_onnx() -> None:
    """Import the packages that convert to ONNX and check it, without output.

    Raises:
        UsageError: a package is not installed.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import onnxmltools  # noqa: F401
            import onnxruntime  # noqa: F401
    except ImportError as error:
        raise UsageError(f'--export onnx needs {error.name or "onnxmltools"}: pip install "epkit[onnx]"') from None


def onnx_bytes(booster: Any, checked: np.ndarray) -> bytes:
    """Return an ONNX model. Its input `rows` is the encoded matrix in 32 bits, its last output has the answers.

    Args:
        checked: float64, rows × features; for these rows the answers must equal LightGBM's.

    Raises:
        UsageError: the packages that convert and check are not installed.
        LearnerError: the model cannot be converted, or its answers differ, as those of a random forest do.
    """
    check_onnx()
    import onnxmltools
    import onnxruntime
    from onnxmltools.convert.common.data_types import FloatTensorType

    shape = [("rows", FloatTensorType([None, checked.shape[1]]))]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model = onnxmltools.convert_lightgbm(_whole(booster), "epkit", initial_types=shape, zipmap=False)
        content: bytes = model.SerializeToString(deterministic=True)
        options = onnxruntime.SessionOptions()
        options.log_severity_level, options.intra_op_num_threads = 4, 1
        session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        found = session.run(None, {"rows": checked.astype(np.float32)})[-1]
    except Exception as error:  # noqa: BLE001 - converter and runtime raise what they like
        words = (str(error).splitlines() or [type(error).__name__])[0]
        raise LearnerError(f"--export onnx: the model cannot be converted: {words}") from None
    wanted = np.asarray(booster.predict(checked, num_iteration=_iterations(booster), num_threads=1))
    if wanted.ndim == 1 and found.shape[-1] == 2:
        found = found[:, 1]  # for two classes ONNX returns both probabilities
    difference = np.abs(found.reshape(wanted.shape) - wanted)
    allowed = ONNX_TOLERANCE * np.maximum(1.0, np.abs(wanted))
    if not (difference <= allowed).all():
        raise LearnerError(
            f"--export onnx: the ONNX model differs from LightGBM by {difference.max():.0e}, and is not written: "
            "leave out --export onnx, or the family of the model"
        )
    return content


def _iterations(booster: Any) -> int | None:
    return booster.best_iteration if booster.best_iteration > 0 else None


def _whole(booster: Any) -> Any:
    """Return the booster without the trees after its best iteration."""
    if _iterations(booster) is None:
        return booster
    import lightgbm

    return lightgbm.Booster(model_str=booster.model_to_string(num_iteration=_iterations(booster)))
