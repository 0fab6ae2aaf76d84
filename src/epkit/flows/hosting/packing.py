"""The files to deploy with a model: its script and environment, named or found; an MLflow model needs none."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from epkit.core.hosting.azure_jobs import AUTOML_PICKLE
from epkit.core.hosting.deployments import Script
from epkit.core.hosting.mlflow_models import MLMODEL
from epkit.core.hosting.references import is_reference
from epkit.core.shortening import cut
from epkit.errors import UsageError
from epkit.files import foreign_models as foreign
from epkit.files.model_directory import card_of
from epkit.files.scripts import check_script
from epkit.flows.context import Context
from epkit.flows.hosting.backends import Place, registry


def pack(
    place: Place,
    context: Context,
    *,
    model: str,
    entry: str | None,
    code: str | None,
    environment: str | None,
    env: Sequence[str] | None,
    source: str | None,
    kept: bool,
) -> dict[str, Any]:
    """Find the parts of a deployment: the fields that an order and a replacement have in common.

    Args:
        model: a path, or at Azure the reference of a registered model.
        entry, code, environment: values of the flags.
        env: values of `--env`, for this machine only.
        source: the place that the model was fetched from, if it was fetched.
        kept: whether the current script is kept if there is none with the model.

    Raises:
        UsageError: a part is missing or unsuitable.
    """
    if entry is None and code is not None:
        raise UsageError("--code: with --entry FILE, the script that is to be taken from there")
    environment = _environment(place, context, environment, env)
    if is_reference(model):
        return _pack_registered(place, context, model, entry, code, environment, kept=kept)
    path = _model(context, model, shown=source or model)
    parts = {"model": str(path), "environment": environment, "source": source}
    if entry is not None:
        return parts | {"script": _find_script(context, path, entry, code)}
    if foreign.is_mlflow(path):
        return parts | _mlflow(place, context, path, shown=source or model, environment=environment)
    found = foreign.find_script(path)
    if found is None or (kept and found not in foreign.AUTOML_SCRIPTS):
        if kept:
            return parts | {"script": None}
        raise _no_entry(path, shown=source or model)
    return parts | _with_script(place, context, path, found, shown=source or model, environment=environment)


def _no_entry(path: Path, shown: str) -> UsageError:
    if not path.is_dir():
        return UsageError(
            f"--entry FILE: which script opens {shown}? A script is found without it only next to a "
            f"model in a directory"
        )
    names = ", ".join((MLMODEL, *foreign.SCRIPTS))
    return UsageError(f"--entry FILE: which script opens the model? In {shown} there is none of {names}")


def _pack_registered(
    place: Place,
    context: Context,
    model: str,
    entry: str | None,
    code: str | None,
    environment: str | None,
    *,
    kept: bool,
) -> dict[str, Any]:
    """Use a registered model of the workspace as it is."""
    found = registry(place).registered(model)
    if entry is None and found.kind == "mlflow":
        _refuse_environment(environment)
        return {"model": found.reference, "kind": "mlflow", "script": None}
    if entry is None and not kept:
        raise UsageError(f"--entry FILE: which script opens {found.reference}? Only an MLflow model needs none")
    # A registered model has no directory here, so the script is in the current directory.
    script = None if entry is None else _find_script(context, context.cwd / MLMODEL, entry, code)
    return {"model": found.reference, "environment": environment, "script": script}


def _mlflow(place: Place, context: Context, path: Path, *, shown: str, environment: str | None) -> dict[str, Any]:
    _refuse_environment(environment)
    if place.backend.name == "azureml-v1":
        raise UsageError(
            f"--model {shown}: the SDK v1 deploys MLflow models only with a script: --entry FILE, or --backend azureml"
        )
    _, loader = foreign.read_mlmodel(path, shown)
    context.note(
        f"--model {shown}: opened by {cut(loader, 60)}; serving it runs the code in its files, as a pickle does"
    )
    if place.backend.name == "local":
        _note_lacking(context, path, shown)
    return {"kind": "mlflow", "script": None, "contract": foreign.contract(path, title=place.service)}


def _with_script(
    place: Place, context: Context, path: Path, name: str, *, shown: str, environment: str | None
) -> dict[str, Any]:
    """Use the script in the model's directory."""
    context.note(f"--entry {name}: found in {shown}")
    if not foreign.is_automl(path, name):
        return {"script": _find_script(context, path, str(path / name), None)}
    context.note(f"--model {shown}: a pickle, made by AutoML: serving it runs the code in it")
    if place.backend.name == "local":
        _note_lacking(context, path, shown)
    check_script(path / name, f"--entry {name}")
    # AutoML's script looks for the file at the top of AZUREML_MODEL_DIR. Azure puts a file there, but not a folder.
    script = Script(code=str(path), entry=name, selection="modules")
    conda = path / foreign.AUTOML_CONDA
    if environment is None and conda.is_file():
        environment = str(conda)
    return {"model": str(path / foreign.AUTOML_MODEL), "script": script, "environment": environment}


def _note_lacking(context: Context, path: Path, shown: str) -> None:
    """List the packages of a model that are not installed here, or that are installed in another version."""
    lacking = foreign.lacking(foreign.requirements(path))
    for what, names in (("it needs", lacking.missing), ("it was made with", lacking.other)):
        if names:
            here = "which are not installed here" if what == "it needs" else f"here is {', '.join(lacking.installed)}"
            context.note(f"--model {shown}: {what} {', '.join(names)}; {here}")
    if lacking.missing or lacking.other:
        context.note(f"--model {shown}: {lacking.command} installs what it names")


def _refuse_environment(environment: str | None) -> None:
    if environment is not None:
        raise UsageError(
            "--environment: with --entry FILE; an MLflow model names its own packages, and Azure reads them"
        )


def _model(context: Context, path: str, *, shown: str) -> Path:
    """Find the model; if it is a pickle, a note says that serving it runs its code."""
    found = _existing(context, path, "--model")
    card = card_of(found)
    described = None if card is None else card.get("model")
    if isinstance(described, dict) and described.get("kind") in ("pickle", AUTOML_PICKLE):
        module = "Azure AutoML" if described["kind"] == AUTOML_PICKLE else cut(str(described.get("module")), 60)
        context.note(f"--model {shown}: a pickle, made by {module}: serving it runs that code")
    return found


def _existing(context: Context, path: str, flag: str) -> Path:
    found = (context.cwd / Path(path).expanduser()).resolve()
    if not found.exists():
        raise UsageError(f"{flag} {path}: no such file or directory")
    return found


def _find_script(context: Context, model: Path, entry: str, code: str | None) -> Script:
    """Find the entry script: in `--code`, otherwise in the current directory, otherwise in the model's directory.

    Raises:
        UsageError: the script is missing, or lacks the functions that the server calls.
    """
    if code is not None:
        folder = _existing(context, code, "--code")
        if not folder.is_dir():
            raise UsageError(f"--code {code}: not a directory")
        script = (folder / entry).resolve()
        if not script.is_file():
            raise UsageError(f"--entry {entry}: no such file in {folder} (it is relative to --code)")
        if not script.is_relative_to(folder):
            raise UsageError(f"--entry {entry} is outside {folder}, from which the files are taken")
        check_script(script, f"--entry {entry}")
        return Script(code=str(folder), entry=script.relative_to(folder).as_posix(), selection="code")
    near = model if model.is_dir() else model.parent
    here, there = ((folder / Path(entry).expanduser()).resolve() for folder in (context.cwd, near))
    script = here if here.is_file() else there
    if not script.is_file():
        raise UsageError(f"--entry {entry}: no such file in {context.cwd}, where you are, nor in {near}")
    if script.suffix != ".py":
        raise UsageError(f"--entry {entry}: no .py file, which the server would load")
    if script != there and there.is_file():
        context.note(f"--entry {entry}: {script} is taken, not {there}: the current directory comes first")
    check_script(script, f"--entry {entry}")
    if model.is_dir() and script.is_relative_to(model):
        return Script(code=str(model), entry=script.relative_to(model).as_posix())
    return Script(code=str(script.parent), entry=script.name, selection="modules")


def _environment(place: Place, context: Context, environment: str | None, env: Sequence[str] | None) -> str | None:
    if env and place.backend.name != "local":
        raise UsageError("--env is for endpoints on this machine: --environment says what Azure's containers have")
    if environment is None or environment.startswith("azureml:"):
        return environment
    return str(_existing(context, environment, "--environment"))
