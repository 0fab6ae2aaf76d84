"""A user's own estimator in place of arrays: a pickle, opened only if its bytes are those that the card names."""

import hashlib
import importlib.util
import pickle
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from epkit.served.model import READERS


class Estimator:
    """Margins of a fitted scikit-learn classifier or regressor.

    Args:
        estimator: fitted on the matrix of `Encoder`s, and on the places in the classes or on the numbers.
        task: of the label.
        outputs: how many classes there are.
    """

    def __init__(self, estimator: Any, task: str, outputs: int) -> None:
        self.estimator, self._task, self._outputs = estimator, task, outputs

    def margins(self, matrix: np.ndarray) -> np.ndarray:
        """Return float64, rows × margins: logarithms of the probabilities, or the numbers."""
        if self._task == "regression":
            return np.asarray(self.estimator.predict(matrix), np.float64).reshape(len(matrix), 1)
        found = np.zeros((len(matrix), self._outputs))
        found[:, np.asarray(self.estimator.classes_, np.intp)] = self.estimator.predict_proba(matrix)
        logarithms = np.log(np.clip(found, 1e-15, 1.0))
        # Of two classes the second is the positive one, whatever its place in the card.
        return logarithms[:, 1:] - logarithms[:, :1] if self._task == "binary" else logarithms


def module_from(path: Path) -> Any:
    """Import a file as the module of its name, where a pickle looks for what it has by name.

    Raises:
        ImportError: another module has that name.
        Exception: whatever the file raises.
    """
    known = sys.modules.get(path.stem)
    if known is not None:
        file = getattr(known, "__file__", None)
        if file is not None and Path(file).is_file() and Path(file).read_bytes() == path.read_bytes():
            return known  # it was run already, from here or from where it was trained
        raise ImportError(f"{path}: another module is called {path.stem}: give the file another name")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path}: not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module


def _read_pickle(directory: Path, card: Mapping[str, Any]) -> Estimator:
    contents = {}
    for name, digest in card["model"]["sha256"].items():
        contents[name] = (directory / Path(name).name).read_bytes()
        if hashlib.sha256(contents[name]).hexdigest() != digest:
            raise ValueError(f"{name} is not the file that card.json names: it was changed, and is not opened")
    module_from(directory / Path(card["model"]["module"]).name)
    estimator = pickle.loads(contents["model.pkl"])  # noqa: S301 - the user's own code, checked above
    return Estimator(estimator, card["label"]["task"], len(card["label"]["classes"]))


READERS["pickle"] = _read_pickle
