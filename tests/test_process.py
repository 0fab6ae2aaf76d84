"""A Python caller's process is in the same state afterwards."""

import gc
import json
import logging
import os
import signal
import subprocess
import sys
import threading
import warnings

import pytest

import epkit
from epkit.process import child_environment, collections_off, environment, signals_to, silenced, unwarned
from support.canary import CANARY
from support.dask_cluster import DaskCluster
from support.places import ROOT
from support.predict_server import PredictServer
from support.process_state import calls

NAMES = list(calls("", "", None))


def changed(tmp_path, name: str, cluster: str = "", gc_off: str = "") -> dict[str, str]:
    (tmp_path / "rows.json").write_text('{"data": [{"id": 1, "name": "n1"}]}')
    (tmp_path / "swagger.json").write_bytes((ROOT / "swagger" / "bank.swagger2.json").read_bytes())
    environ = {key: value for key, value in os.environ.items() if key != "EPKIT_TARGET"}
    environ["PYTHONPATH"] = str(ROOT / "tests")
    with PredictServer() as server:
        saved = tmp_path / "saved.epkit"
        if name in ("load_reports", "compare", "render"):
            bench = {"payloads": [str(tmp_path / "rows.json")], "validate": False, "check": "status"}
            epkit.run_bench(server.url, requests=20, save=str(saved), **bench)
        subprocess.run(
            [sys.executable, "-m", "support.process_state", name, server.url, str(saved), cluster, gc_off],
            check=True,
            cwd=tmp_path,
            env=environ,
            timeout=60,
        )
    return json.loads((tmp_path / "changed.json").read_text())


@pytest.mark.parametrize("name", [name for name in NAMES if "cluster" not in name])
def test_a_public_function_leaves_the_process_as_it_was(tmp_path, name):
    assert {} == changed(tmp_path, name)


@pytest.mark.parametrize("name", [name for name in NAMES if "cluster" in name])
def test_a_cluster_leaves_the_process_as_it_was(tmp_path, cluster: DaskCluster, name):
    found = changed(tmp_path, name, cluster.address)
    # Dask keeps its threads for the next client.
    found.pop("threads", None)

    assert {} == found


@pytest.mark.parametrize("name", ["run_bench", "run_score"])
def test_a_caller_without_garbage_collector_stays_without(tmp_path, name):
    assert {} == changed(tmp_path, name, gc_off="off")


@pytest.mark.usefixtures("unfrozen")
def test_the_collector_is_off_for_the_length_of_a_block():
    enabled = gc.isenabled()
    with collections_off():
        inside = gc.isenabled(), gc.get_freeze_count() > 0

    assert ((False, True), enabled) == (inside, gc.isenabled())


def test_blocks_that_silence_a_library_may_overlap_in_any_order():
    logger = logging.getLogger("epkit_test.below")
    logger.setLevel(logging.INFO)
    first, second = silenced("epkit_test"), silenced("epkit_test")
    with first:
        second.__enter__()
        inside = logger.isEnabledFor(logging.CRITICAL)
    between = logger.isEnabledFor(logging.CRITICAL)
    second.__exit__(None, None, None)

    assert (False, False, logging.INFO) == (inside, between, logger.level)
    assert logging.NOTSET == logging.getLogger("epkit_test").level


def test_warnings_are_ignored_of_one_module_alone():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with unwarned("noisy"):
            warnings.warn_explicit("unheard", UserWarning, "x.py", 1, module="noisy.inner")
            warnings.warn_explicit("heard", UserWarning, "x.py", 1, module="quiet")
        warnings.warn_explicit("heard after", UserWarning, "x.py", 2, module="noisy.inner")

    assert ["heard", "heard after"] == [str(warning.message) for warning in caught]


def test_a_variable_is_put_back_or_removed(monkeypatch):
    monkeypatch.setenv("EPKIT_TEST_SET", "before")
    monkeypatch.delenv("EPKIT_TEST_UNSET", raising=False)
    with environment({"EPKIT_TEST_SET": "a", "EPKIT_TEST_UNSET": "b"}):
        inside = os.environ["EPKIT_TEST_SET"], os.environ["EPKIT_TEST_UNSET"]

    assert (("a", "b"), "before") == (inside, os.environ["EPKIT_TEST_SET"])
    assert "EPKIT_TEST_UNSET" not in os.environ


@pytest.mark.skipif(sys.platform == "win32", reason="a process cannot signal itself there")
def test_signals_reach_the_handler_and_then_the_one_before():
    caught: list[signal.Signals] = []
    before = signal.getsignal(signal.SIGTERM)
    with signals_to(caught.append):
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGINT)

    assert [signal.SIGTERM, signal.SIGINT] == caught
    assert before == signal.getsignal(signal.SIGTERM)


def test_a_thread_that_may_not_handle_signals_handles_none():
    handlers = []

    def work() -> None:
        with signals_to(print):
            handlers.append(signal.getsignal(signal.SIGINT))

    before = signal.getsignal(signal.SIGINT)
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()

    assert [before] == handlers


def test_a_child_sees_no_variable_that_may_hold_a_key(monkeypatch):
    held = (
        "EPKIT_KEY",
        "BANK_KEY",
        "AWS_SECRET_ACCESS_KEY",
        "AZURE_CLIENT_SECRET",
        "HTTPS_PROXY",
        "MLFLOW_TRACKING_TOKEN",
    )
    for name in held:
        monkeypatch.setenv(name, CANARY)
    for name in ("LC_ALL", "OMP_NUM_THREADS", "SSL_CERT_FILE"):
        monkeypatch.setenv(name, "seen")

    child = child_environment("BANK_KEY", "NOT_SET")

    assert ["BANK_KEY"] == [name for name, value in child.items() if value == CANARY]
    assert ["seen"] * 3 == [child[name] for name in ("LC_ALL", "OMP_NUM_THREADS", "SSL_CERT_FILE")]
    assert child["PATH"] == os.environ["PATH"]
