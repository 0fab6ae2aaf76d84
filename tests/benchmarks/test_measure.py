"""The cost of a child process, as the benchmark measures it."""

import os
import sys

import pytest

BURN = "import time\nwhile time.process_time() < 0.2: pass\nprint('done')"


def test_a_child_is_charged_its_own_cpu_and_heard(measure, tmp_path):
    finished = measure.run([sys.executable, "-c", BURN], core=None, cwd=tmp_path, timeout_s=20)

    assert 0.2 <= finished.cpu_s < 1
    assert finished.wall_s >= 0.2
    assert finished.peak_bytes > 1_000_000
    assert finished.stdout == "done\n"


def test_a_child_runs_where_it_is_pinned(measure, tmp_path):
    cores, _ = measure.find_cores()
    if cores.client is None:
        pytest.skip("this system cannot pin a process to a core")
    code = "import os; print(os.sched_getaffinity(0))"
    finished = measure.run([sys.executable, "-c", code], core=cores.client, cwd=tmp_path, timeout_s=20)

    assert f"{{{cores.client}}}\n" == finished.stdout


def test_a_child_that_hangs_is_killed_and_named(measure, tmp_path):
    command = [sys.executable, "-c", "import time; time.sleep(60)"]
    with pytest.raises(measure.MeasureError, match=r"python.*: not done after 0 s, killed"):
        measure.run(command, core=None, cwd=tmp_path, timeout_s=0.2)


def test_a_child_that_fails_is_quoted(measure, tmp_path):
    with pytest.raises(measure.MeasureError, match="exit 3: it broke"):
        measure.run(
            [sys.executable, "-c", "import sys; print('it broke', file=sys.stderr); sys.exit(3)"],
            core=None,
            cwd=tmp_path,
            timeout_s=20,
        )


def test_a_missing_program_is_named(measure, tmp_path):
    with pytest.raises(measure.MeasureError, match="no-such-program: No such file"):
        measure.run([os.fspath(tmp_path / "no-such-program")], core=None, cwd=tmp_path, timeout_s=20)


def test_a_child_sees_neither_proxies_nor_the_configuration_of_epkit(measure, monkeypatch):
    monkeypatch.setenv("EPKIT_TARGET", "x")
    monkeypatch.setenv("https_proxy", "x")
    monkeypatch.setenv("HTTP_PROXY", "x")
    seen = measure.environment(MORE="y")

    assert seen["MORE"] == "y"
    assert not {"EPKIT_TARGET", "https_proxy", "HTTP_PROXY"} & seen.keys()
