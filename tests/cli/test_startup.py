"""What is imported before the first request: nothing that the run does not need."""

import pytest

HEAVY = {
    *("azure", "azureml", "azureml_inference_server_http", "inference_schema", "flask", "gunicorn"),
    *("httpx", "httpcore", "h2", "requests", "jsonschema", "yaml", "polars", "pandas", "pyarrow", "plotly", "sklearn"),
    *("starlette", "uvicorn", "flask_swagger_ui"),
    *("scipy", "rich", "dask", "distributed", "matplotlib", "IPython", "pygments"),
}


def imported(ran):
    """Return the names of the modules that were imported, from the output of -X importtime."""
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
    # The options read numbers and times.
    own = {name for name in imported(ran) if name.startswith(("epkit.flows", "epkit.engines", "epkit.core"))}
    assert {"epkit.core", "epkit.core.quantities"} == own


def test_a_bench_of_a_url_imports_its_engine_and_nothing_else(cli, rows, fault_server):
    ran = cli.spawn("bench", "-p", rows, fault_server.url("ok"), prefix=["-X", "importtime"])

    assert 0 == ran.code
    assert set() == imported(ran) & HEAVY
    assert {"epkit.engines.wire.wire", "httptools"} <= imported(ran)


def test_a_usage_error_costs_no_engine(cli):
    ran = cli.spawn("bench", "-n", "ten", prefix=["-X", "importtime"])

    assert 2 == ran.code
    assert set() == imported(ran) & (HEAVY | {"numpy", "asyncio", "uvloop"})
