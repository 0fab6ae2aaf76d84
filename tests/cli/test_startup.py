"""The imports before the first request: only what the run needs."""

import json

import pytest

from support.predict_server import PredictServer

HEAVY = {
    *("azure", "azureml", "azureml_inference_server_http", "inference_schema", "flask", "gunicorn"),
    *("httpx", "httpcore", "h2", "requests", "jsonschema", "yaml", "polars", "pandas", "pyarrow", "plotly", "sklearn"),
    *("starlette", "uvicorn", "flask_swagger_ui"),
    *("pydantic", "tomllib", "urllib.request"),
    *("scipy", "rich", "dask", "distributed", "matplotlib", "IPython", "pygments"),
}


def imported(ran):
    """Return the names of the imported modules, from the output of -X importtime."""
    lines = [line.rpartition("|")[2].strip() for line in ran.lines if line.startswith("import time:")]
    return set(lines) | {name.partition(".")[0] for name in lines}


@pytest.mark.parametrize(
    "arguments",
    [["--version"], ["--help"], *([name, "--help"] for name in ("bench", "score", "docs", "check", "init"))],
)
def test_help_imports_the_command_line_and_nothing_else(cli, arguments):
    ran = cli.spawn(*arguments, prefix=["-X", "importtime"])

    assert 0 == ran.code
    assert set() == imported(ran) & (HEAVY | {"numpy", "asyncio", "ssl", "uvloop", "orjson", "httptools"})
    # The options contain numbers and times.
    own = {name for name in imported(ran) if name.startswith(("epkit.flows", "epkit.engines", "epkit.core"))}
    assert {"epkit.core", "epkit.core.quantities"} == own


def test_a_bench_of_a_url_imports_its_engine_and_nothing_else(cli, rows, fault_server):
    ran = cli.spawn("bench", "-p", rows, fault_server.url("ok"), prefix=["-X", "importtime"])

    assert 0 == ran.code
    assert set() == imported(ran) & HEAVY
    assert {"epkit.engines.wire.wire", "httptools"} <= imported(ran)


def test_a_target_without_a_contract_needs_no_json_schema(cli, rows):
    with PredictServer() as server:
        ran = cli.spawn("bench", "-p", rows, server.url, prefix=["-X", "importtime"])

    assert 0 == ran.code
    assert set() == imported(ran) & (HEAVY | {"jsonschema_rs"})


def test_a_usage_error_costs_no_engine(cli):
    ran = cli.spawn("bench", "-n", "ten", prefix=["-X", "importtime"])

    assert 2 == ran.code
    assert set() == imported(ran) & (HEAVY | {"numpy", "asyncio", "uvloop"})


def test_the_options_of_other_commands_are_not_imported(cli, rows, fault_server):
    ran = cli.spawn("bench", "-p", rows, fault_server.url("ok"), prefix=["-X", "importtime"])

    own = {f"epkit.cli.options.{name}" for name in ("common", "load", "table")}
    assert own == {name for name in imported(ran) if name.startswith("epkit.cli.options.")}


WATCH = """\
import atexit, json, os, sys, time

found = []

class Watch:
    def find_spec(self, name, path=None, target=None):
        for finder in sys.meta_path:
            if finder is not self:
                spec = finder.find_spec(name, path, target)
                if spec is not None:
                    found.append((time.monotonic(), name))
                    return spec

sys.meta_path.insert(0, Watch())

@atexit.register
def write():
    with open(os.path.join({directory!r}, f"{{os.getpid()}}.json"), "w") as file:
        json.dump(found, file)
"""
"""Records each module that is found, with its time, in every process of a run."""


@pytest.mark.parametrize("form", ["text", "json"])
@pytest.mark.parametrize(
    ("flags", "processes"),
    [
        (["-n", 60, "-c", 3], 1),
        (["-n", 60, "-c", 3, "--engine", "httpx"], 1),
        (["-n", 60, "--rate", 200], 1),
        (["-n", 60, "-c", 4, "--workers", 2], 3),
    ],
    ids=["wire", "httpx", "open loop", "workers"],
)
def test_nothing_is_imported_between_the_first_request_and_the_last(cli, tmp_path, rows, form, flags, processes):
    hooks, logs = tmp_path / "hooks", tmp_path / "logs"
    hooks.mkdir()
    logs.mkdir()
    (hooks / "sitecustomize.py").write_text(WATCH.format(directory=str(logs)))
    cli.environ |= {"PYTHONPATH": str(hooks)}
    with PredictServer(delay_s=0.005) as server:
        ran = cli.spawn("bench", "-p", rows, "--format", form, *flags, server.url)
        first, last = server.times[0], server.times[-1]
    imports = [json.loads(log.read_text()) for log in logs.iterdir()]

    assert 0 == ran.code, ran.err
    assert 60 == server.requests
    assert processes <= len(imports)
    assert all(len(found) > 50 for found in imports[:processes]), "the hook is in each"
    assert [] == [name for found in imports for at, name in found if first <= at <= last]
