"""The files next to a model that make an endpoint of it: `score.py` and `conda.yml`."""

import re
from collections.abc import Mapping
from importlib import resources
from typing import Final

_IMPORTS: Final = re.compile(r"^from epkit\.served\.\w+ import .*\n", re.MULTILINE)
SERVER: Final = "azureml-inference-server-http"


def script(*, custom: bool = False) -> str:
    """Return the text of `score.py`: the modules of this room one after the other, without imports of each other.

    Args:
        custom: whether the model is a user's own estimator.
    """
    names = ["encoding.py", "model.py", *(["custom.py"] if custom else []), "entry.py"]
    here = resources.files("epkit.served")
    return "\n\n".join(_IMPORTS.sub("", here.joinpath(name).read_text(encoding="utf-8")) for name in names)


def conda(versions: Mapping[str, str], *, custom: bool = False) -> str:
    """Return the text of `conda.yml`.

    Args:
        versions: of `python`, `numpy`, and for *custom* `scikit-learn`: those that trained.
    """
    packages = [SERVER, f"numpy>={versions['numpy']}"]
    if custom:
        # A pickle is read for certain only by the version that wrote it.
        packages.append(f"scikit-learn=={versions['scikit-learn']}")
    lines = ["name: epkit-model", "channels:", "  - conda-forge", "dependencies:", f"  - python={versions['python']}"]
    lines += ["  - pip", "  - pip:", *(f"      - {package}" for package in packages)]
    return "\n".join(lines) + "\n"
