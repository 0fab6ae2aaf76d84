"""The user's own estimators: `FILE.py:make`, where `make()` returns a scikit-learn classifier or regressor.

The file runs in this process, because the user asks for it. Its module has the file's own name. So a server that has
the file can load the pickle.
"""

import contextlib
import importlib.util
import inspect
import io
import pickle
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import numpy as np

from epkit.core.train.problem import Task
from epkit.errors import UsageError, unreadable
from epkit.learners.base import Fitted, LearnerError, worded

_SMALLEST: Final = 1e-15
"""Smaller probabilities are raised to this, so that they have a logarithm."""

_UNWEIGHTED: Final = "its fit takes no sample_weight: weights do not reach it"


def digest(make: str) -> str:
    """Return the SHA-256 of the file of `FILE.py:make`.

    Raises:
        UsageError: the file cannot be read.
    """
    path, _ = _parts(make)
    return sha256(_read(make, path)).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomFile:
    """The file of `FILE.py:make`."""

    path: Path
    make: str
    text: bytes


def source(make: str) -> CustomFile:
    """Read the file of `FILE.py:make`.

    Raises:
        UsageError: the file cannot be read.
    """
    path, name = _parts(make)
    return CustomFile(path=path, make=name, text=_read(make, path))


def pickled(fitted: Fitted) -> bytes:
    """Return a fitted estimator as a pickle, which a server can load if it has the file.

    Raises:
        LearnerError: it cannot be pickled.
    """
    assert isinstance(fitted, CustomFitted), "only the user's own estimators are pickled"
    try:
        return pickle.dumps(fitted.estimator, protocol=5)
    except Exception as error:  # noqa: BLE001 - it is the user's
        raise LearnerError(f"its estimator cannot be pickled: {worded(error)}") from None


def check(make: str, task: Task) -> None:
    """Check that `FILE.py:make` returns an estimator for the task.

    Raises:
        UsageError: it does not; the message is one line with the reason.
    """
    estimator = built(make)
    wanted = ("fit", "predict") if task == "regression" else ("fit", "predict_proba")
    for name in wanted:
        # `hasattr` is not used: scikit-learn's own classes hide `predict_proba` behind a check that may require a fit.
        if not callable(getattr(estimator, name, None)) and not hasattr(type(estimator), name):
            raise UsageError(f"--custom {make}: {type(estimator).__name__} has no {name}, which {_kind(task)} needs")


def built(make: str, *arguments: Any) -> Any:
    """Load the file, and call its function.

    Args:
        arguments: none to get an estimator; rows for a function that predicts.

    Raises:
        UsageError: the file or the name does not exist, or the function raises an exception.
    """
    path, name = _parts(make)
    module = _loaded(make, path)
    found = getattr(module, name, None)
    if found is None:
        raise UsageError(f"--custom {make}: {path} has no {name}")
    if not callable(found):
        raise UsageError(f"--custom {make}: {name} is no function: it is called without arguments for a new estimator")
    try:
        with _quiet():
            return found(*arguments)
    except (Exception, SystemExit) as error:  # noqa: BLE001
        raise UsageError(f"--custom {make}: {name}() raised {worded(error)}") from None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CustomFitted:
    """A fitted estimator.

    Args:
        note: a remark for the user; None if there is none.
    """

    estimator: Any
    task: Task
    outputs: int
    note: str | None = None
    rounds: int | None = None

    def margins(self, matrix: np.ndarray) -> np.ndarray:
        """Return float64, rows × outputs: logarithms of the probabilities.

        Raises:
            LearnerError: it raises an exception, or its result does not fit its classes.
        """
        if self.task == "regression":
            return self._ask("predict", matrix).reshape(len(matrix), 1)
        classes = np.asarray(getattr(self.estimator, "classes_", np.arange(max(2, self.outputs))), np.int64)
        given = self._ask("predict_proba", matrix)
        if given.shape != (len(matrix), len(classes)):
            raise LearnerError(f"predict_proba gives the shape {given.shape}, not {(len(matrix), len(classes))}")
        found = np.zeros((len(matrix), max(2, self.outputs)))
        found[:, classes] = given
        logs = np.log(np.clip(found, _SMALLEST, 1.0))
        return logs[:, 1:] - logs[:, :1] if self.task == "binary" else logs

    def arrays(self) -> Mapping[str, np.ndarray]:
        """Always refuse: the user's own estimator is deployed as a pickle.

        Raises:
            LearnerError: always.
        """
        raise LearnerError("a custom estimator is not made of arrays")

    def _ask(self, method: str, matrix: np.ndarray) -> np.ndarray:
        try:
            with _quiet():
                found = np.asarray(getattr(self.estimator, method)(matrix), np.float64)
        except (Exception, SystemExit) as error:  # noqa: BLE001
            raise LearnerError(f"{method} raised {worded(error)}") from None
        if not np.isfinite(found).all():
            raise LearnerError(f"{method} gives values that are not finite")
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomLearner:
    """Fits the user's own estimator.

    Args:
        make: `FILE.py:make`.
        seed: seed for every `random_state` that the estimator leaves open.
    """

    make: str
    task: Task
    outputs: int
    seed: int

    def fit(
        self,
        matrix: np.ndarray,
        y: np.ndarray,
        *,
        weight: np.ndarray | None,
        valid: tuple[np.ndarray, np.ndarray] | None = None,  # noqa: ARG002
        rounds: int | None = None,  # noqa: ARG002
    ) -> CustomFitted:
        """Fit a new estimator on the encoded rows: categories are codes, missing values are NaN.

        Raises:
            LearnerError: the file has changed, or the estimator raises an exception.
        """
        try:
            estimator = built(self.make)
        except UsageError as error:
            raise LearnerError(f"{error}") from None
        _seed(estimator, self.seed)
        weighted = weight is not None and _takes_weights(estimator)
        try:
            with _quiet():
                estimator.fit(matrix, y, **({"sample_weight": weight} if weighted else {}))
        except (Exception, SystemExit) as error:  # noqa: BLE001
            raise LearnerError(f"fit raised {worded(error)}") from None
        note = _UNWEIGHTED if weight is not None and not weighted else None
        return CustomFitted(estimator=estimator, task=self.task, outputs=self.outputs, note=note)


def _parts(make: str) -> tuple[Path, str]:
    file, colon, name = make.rpartition(":")
    if not colon or not name.isidentifier() or not file.endswith(".py"):
        raise UsageError(f"--custom {make} is not FILE.py:NAME")
    return Path(file), name


def _read(make: str, path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise unreadable(f"--custom {make}: {path}", error, "a file of Python") from None


def _loaded(make: str, path: Path) -> Any:
    """Return the module of a file. The file runs only once in a process."""
    _read(make, path)
    name, place = path.stem, str(path.resolve())
    known = sys.modules.get(name)
    if known is not None and getattr(known, "__file__", None) == place:
        return known
    if known is not None or not name.isidentifier() or importlib.util.find_spec(name) is not None:
        raise UsageError(f"--custom {make}: {name} is another module, or no name of one: rename the file")
    spec = importlib.util.spec_from_file_location(name, place)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        with _quiet():
            spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:  # noqa: BLE001
        del sys.modules[name]
        raise UsageError(f"--custom {make}: {path} cannot be loaded: {worded(error)}") from None
    return module


def _seed(estimator: Any, seed: int) -> None:
    """Set every `random_state` that is None, also in the steps of a pipeline."""
    parameters: Callable[[], Mapping[str, Any]] | None = getattr(estimator, "get_params", None)
    if parameters is None:
        return
    with contextlib.suppress(Exception):  # then its results vary, and a trial reports it
        left = [name for name, value in parameters().items() if name.endswith("random_state") and value is None]
        estimator.set_params(**dict.fromkeys(left, seed))


def _takes_weights(estimator: Any) -> bool:
    try:
        return "sample_weight" in inspect.signature(estimator.fit).parameters
    except (TypeError, ValueError):
        return False


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Hide the output and the warnings of the user's code from the output of the command."""
    with (
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")
        yield


def _kind(task: Task) -> str:
    return "a regression" if task == "regression" else "a classification"
