"""The files that are deployed with a model: found next to it by default, and checked before anything is sent."""

import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from epkit.core.hosting.deployments import Script
from epkit.errors import UsageError
from epkit.flows.context import Context
from epkit.flows.hosting.backends import Place
from epkit.flows.hosting.deploy import make_order, make_replacement

LOGGED = Path(__file__).parents[2] / "backends" / "mlflow_model"
SCRIPT = "def init():\n    pass\n\n\ndef run(data):\n    return data\n"


@pytest.fixture
def notes() -> list[str]:
    return []


@pytest.fixture
def context(tmp_path: Path, notes: list[str]) -> Context:
    return Context(environ={}, cwd=tmp_path, note=notes.append)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "model.pkl").write_bytes(b"a pickle")
    return tmp_path / "model"


def place(backend: str = "local") -> Place:
    hosting: Any = SimpleNamespace(name=backend)
    return Place(backend=hosting, name="bank", service="bank", entry=None, config=None)


def order(context: Context, model: Path | str, backend: str = "local", **more: Any) -> Any:
    given = {"entry": None, "code": None} | more
    return make_order(place(backend), context, model=str(model), **given)


def complaint(context: Context, model: Path | str, **more: Any) -> str:
    with pytest.raises(UsageError) as found:
        order(context, model, **more)
    return str(found.value)


def test_without_a_script_it_is_said_what_was_looked_for(context: Context, model: Path):
    assert (
        f"--entry FILE: which script opens the model? In {model} there is none of MLmodel, scoring_file_v_2_0_0.py, "
        "scoring_file_v_1_0_0.py, score.py"
    ) == complaint(context, model)
    assert (
        f"--entry FILE: which script opens {model}/model.pkl? A script is found without it only next to a model in a directory"
        == (complaint(context, model / "model.pkl"))
    )


def test_a_script_called_score_in_the_models_directory_is_found(context: Context, model: Path, notes: list[str]):
    (model / "score.py").write_text(SCRIPT)
    made = order(context, model)

    assert Script(code=str(model), entry="score.py") == made.script
    assert [f"--entry score.py: found in {model}"] == notes


@pytest.mark.parametrize("backend", ["local", "azureml", "azureml-v1"])
def test_what_automl_wrote_is_deployed_with_its_newest_script_and_its_environment(
    context: Context, model: Path, backend: str
):
    for name in ("scoring_file_v_1_0_0.py", "scoring_file_v_2_0_0.py", "scoring_file_pbi_v_1_0_0.py"):
        (model / name).write_text(SCRIPT)
    (model / "conda_env_v_1_0_0.yml").write_text("dependencies:\n- python=3.11\n")
    made = order(context, model, backend)

    # Its script needs AZUREML_MODEL_DIR/model.pkl: a registered file has this path, a file in a folder has not.
    assert str(model / "model.pkl") == made.model
    assert Script(code=str(model), entry="scoring_file_v_2_0_0.py", selection="modules") == made.script
    assert str(model / "conda_env_v_1_0_0.yml") == made.environment


def test_what_the_machine_lacks_is_named_with_the_command_that_installs_it(
    context: Context, model: Path, notes: list[str]
):
    (model / "scoring_file_v_1_0_0.py").write_text(SCRIPT)
    (model / "conda_env_v_1_0_0.yml").write_text(
        "dependencies:\n- python=3.8\n- numpy\n- pytest=0.1.2=py38_0\n- conda-forge::no-such-thing>=2\n- pip=22\n"
        "- pip:\n  - --extra-index-url https://example.org\n  - no-such-automl-runtime==1.57.0\n  - azureml-defaults~=1.57\n"
        "  - not a requirement !\n  - gone; python_version < '3'\n"
    )
    order(context, model)

    assert [
        f"--model {model}: it needs no-such-thing>=2, no-such-automl-runtime==1.57.0; which are not installed here",
        f"--model {model}: it was made with pytest==0.1.2; here is pytest {pytest.__version__}",
        f"--model {model}: pip install 'no-such-thing>=2' no-such-automl-runtime==1.57.0 pytest==0.1.2 installs what it names",
    ] == notes[2:]
    notes.clear()
    order(context, model, "azureml")

    assert not any("pip install" in note for note in notes)


def test_a_directory_of_mlflows_needs_no_script_and_brings_its_contract(context: Context, notes: list[str]):
    made = order(context, LOGGED, "azureml")

    assert ("mlflow", None, None) == (made.kind, made.script, made.environment)
    assert b'"/invocations"' in made.contract
    assert [f"--model {LOGGED}: opened by mlflow.sklearn; serving it runs the code in its files, as a pickle does"] == (
        notes
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[]", "no MLmodel of MLflow's: it names no flavors"),
        ("flavors:\n  spark: {}\n", "it has no flavor python_function, which MLflow's server opens, but spark"),
        ("flavors:\n  python_function: {loader_module: 3}\n", "it has no flavor python_function"),
        ("flavors: {a: [}\n", "MLmodel"),
        ("<html>", "no MLmodel of MLflow's"),
        ("x: " + "y" * 600_000, "but an MLmodel has 524,288 at most"),
    ],
)
def test_an_mlmodel_that_is_none_is_refused(context: Context, tmp_path: Path, text: str, said: str):
    shutil.copytree(LOGGED, tmp_path / "logged")
    (tmp_path / "logged" / "MLmodel").write_text(text)

    assert said in complaint(context, "logged")


def test_a_model_of_mlflows_with_a_script_of_ones_own_is_a_model_like_any_other(context: Context, tmp_path: Path):
    (tmp_path / "own.py").write_text(SCRIPT)
    made = order(context, LOGGED, entry="own.py")

    assert ("custom", "own.py", None) == (made.kind, made.script.entry, made.contract)


def test_a_directory_of_code_is_for_a_script_that_is_named(context: Context):
    assert "--code: with --entry FILE, the script that is to be taken from there" == complaint(
        context, LOGGED, code="."
    )


def test_an_update_keeps_the_script_unless_the_model_brings_one_of_automls(context: Context, model: Path):
    (model / "score.py").write_text(SCRIPT)

    assert make_replacement(place(), context, model=str(model), entry=None, code=None).script is None
    (model / "scoring_file_v_2_0_0.py").write_text(SCRIPT)
    replaced = make_replacement(place(), context, model=str(model), entry=None, code=None)
    assert replaced.script is not None
    assert "scoring_file_v_2_0_0.py" == replaced.script.entry


@pytest.mark.parametrize("given", [{"entry": "bad.py"}, {"entry": "bad.py", "code": "."}])
def test_a_script_that_lacks_what_the_server_calls_is_refused(
    context: Context, model: Path, tmp_path: Path, given: dict[str, str]
):
    (tmp_path / "bad.py").write_text("def init():\n    pass\n")

    assert (
        "--entry bad.py: it has no run(), which the server calls: init() opens the model, run(data) scores"
    ) == complaint(context, model, **given)
