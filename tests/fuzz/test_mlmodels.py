"""A damaged or made-up `MLmodel`: epkit's own reader accepts the contract made from it, or it is refused."""

import contextlib
import json
import shutil
from pathlib import Path

from hypothesis import strategies as st

from epkit.core.contract import documents
from epkit.core.contract.contract import parse
from epkit.errors import EpkitError
from epkit.files.foreign_models import contract, lacking, requirements
from support.fuzzing import changed, damaged, fuzz, text_of

LOGGED = Path(__file__).parents[1] / "backends" / "mlflow_model"
BASE = documents.decode((LOGGED / "MLmodel").read_bytes(), name="MLmodel")
STRANGE = (
    {"type": "tensor", "tensor-spec": {"dtype": "float64", "shape": [-1, 10**12]}}, {"type": "tensor"}, {"name": "a"},
    {"type": "array", "items": {"type": "array"}, "name": "x"}, {"type": "object", "properties": []}, [{}], [[]],
    {"type": "map", "values": 3, "name": "m"}, {"name": "$ref", "type": "long"}, {"type": "long", "name": "", "required": 3},
)  # fmt: skip


@st.composite
def mlmodels(draw: st.DrawFn) -> bytes:
    """Draw an `MLmodel` in which some parts, also of the signature, are replaced; JSON is valid YAML."""
    if draw(st.integers(0, 4)) == 0:
        return draw(damaged((LOGGED / "MLmodel").read_bytes()))
    columns = draw(changed(json.loads(BASE["signature"]["inputs"]), STRANGE))
    made = {**BASE, "signature": {**BASE["signature"], draw(st.sampled_from(["inputs", "outputs", "params"])): (
        text_of(columns).decode("utf-8", "replace"))}}  # fmt: skip
    return text_of(draw(changed(made, STRANGE)) if draw(st.booleans()) else made)


def test_an_mlmodel_makes_a_contract_or_is_refused(tmp_path):
    shutil.copytree(LOGGED, tmp_path / "logged")
    folder = tmp_path / "logged"

    def check(data: bytes) -> None:
        (folder / "MLmodel").write_bytes(data)
        (folder / "requirements.txt").write_bytes(data)
        lacking(requirements(folder))
        with contextlib.suppress(EpkitError):
            parse(documents.decode(contract(folder, title="bank"), name="contract"))

    fuzz("mlmodels", mlmodels(), check)
