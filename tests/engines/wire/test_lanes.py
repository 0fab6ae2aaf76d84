"""The choice between the compiled module and Python."""

import os
import shutil
import sys
import sysconfig
from pathlib import Path
from types import ModuleType

import pytest

from epkit.core.http.destination import Destination
from epkit.engines.wire import lanes
from epkit.engines.wire.lanes import COMPILED, VARIABLE, engine_line, lane_class
from epkit.engines.wire.wire import WireEngine
from epkit.errors import UsageError

MODULE = "epkit.engines.wire.lane"


CAN_COMPILE = (
    sys.platform == "linux"
    and sys.implementation.name == "cpython"
    and shutil.which("cc") is not None
    and Path(sysconfig.get_path("include"), "Python.h").is_file()
    and os.environ.get("EPKIT_COMPILE") != "0"
)


@pytest.mark.skipif(not CAN_COMPILE, reason="nothing to compile with here, or EPKIT_COMPILE=0")
def test_this_installation_has_the_module(monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)

    assert engine_line() == COMPILED, "without it, no test of the module runs: install epkit again"


class Lane:
    """The class of a module that could be loaded."""


@pytest.fixture
def compiled(monkeypatch):
    """An installation with the module."""
    monkeypatch.delenv(VARIABLE, raising=False)
    module = ModuleType(MODULE)
    module.Lane = Lane
    monkeypatch.setitem(sys.modules, MODULE, module)


@pytest.mark.parametrize("unset", [None, "", " "])
def test_the_compiled_module_is_used_if_it_is_there(compiled, monkeypatch, unset):
    if unset is not None:
        monkeypatch.setenv(VARIABLE, unset)

    assert (Lane, COMPILED) == (lane_class(), engine_line())


def test_the_variable_switches_it_off(compiled, monkeypatch):
    monkeypatch.setenv(VARIABLE, "python")

    assert (None, "wire (EPKIT_ENGINE=python)") == (lane_class(), engine_line())


@pytest.mark.parametrize("function", [lane_class, engine_line])
def test_another_value_is_refused(compiled, monkeypatch, function):
    monkeypatch.setenv(VARIABLE, "rust")

    with pytest.raises(UsageError, match=r'^EPKIT_ENGINE=rust: must be "python", or not set$'):
        function()


@pytest.mark.parametrize(
    ("supported", "why"), [(True, "the installation has no compiled module"), (False, "it needs CPython on Linux")]
)
def test_without_the_module_python_works_and_says_why(compiled, monkeypatch, supported, why):
    monkeypatch.setitem(sys.modules, MODULE, None)  # so that Python does not find it
    monkeypatch.setattr(lanes, "_is_supported", lambda: supported)

    assert (None, f"wire (not compiled: {why})") == (lane_class(), engine_line())


def test_a_module_that_cannot_be_loaded_is_not_used(compiled, monkeypatch):
    def broken(name):
        raise ImportError("undefined symbol: epoll_pwait2")

    monkeypatch.setattr(lanes, "import_module", broken)

    assert (None, "wire (not compiled: undefined symbol: epoll_pwait2)") == (lane_class(), engine_line())


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_wrong_choice_is_refused_for_every_target(monkeypatch, scheme):
    monkeypatch.setenv(VARIABLE, "rust")

    with pytest.raises(UsageError, match=r"^EPKIT_ENGINE=rust: must be"):
        WireEngine(Destination(scheme=scheme, host="127.0.0.1", port=1), timeout_ns=1)
