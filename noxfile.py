"""The project's sessions: `nox -l` lists them, `nox -s tests` runs one."""

import os
import re
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nox

nox.options.sessions = ["lint", "types", "azure", "tests"]
nox.options.reuse_existing_virtualenvs = True

PYTHONS = ["3.11", "3.12", "3.13"]


PYENV = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"


def works(python: str | Path) -> bool:
    """Tell whether this Python runs; a version manager's placeholder for a missing one does not."""
    return subprocess.run([python, "-c", ""], capture_output=True, check=False).returncode == 0


def find(version: str) -> str | None:
    """Find a Python: its version if it is on the path, otherwise the path of pyenv's newest one."""
    on_path = shutil.which(f"python{version}")
    if on_path is not None and works(on_path):
        return version
    installed = PYENV.glob(f"{version}.*/bin/python{version}")
    newest_last = sorted(installed, key=lambda path: [int(n) for n in re.findall(r"\d+", path.parts[-3])])
    return next((str(path) for path in reversed(newest_last) if works(path)), None)


# With CI=true, nox would fail if an interpreter is missing.
FOUND = [found for version in PYTHONS if (found := find(version))] or [None]
TESTED = ".[local,docs,cluster,onnx,otlp]"
"""What `tests` installs. Azure's two SDKs are large, restrict the versions of packages, and have their own session."""
PYPROJECT = nox.project.load_toml("pyproject.toml")


SIDE_BY_SIDE = ["-n", "4", "--dist=worksteal"]
"""Options for many tests: they run in parallel, even on two cores, because most tests wait for servers and
processes."""
AGAIN = ["--reruns=2", "-raR"] if os.environ.get("CI") else []
"""On busy machines, tests of real processes may be late: the last of three runs counts, and RERUN names such tests."""
OWN_SESSIONS = ("browser", "fuzz", "notebook", "servers", "site")
"""Directories of `tests/` with their own session."""
APART = [f"--ignore=tests/{room}" for room in OWN_SESSIONS]
SUITE = [*APART, "-m", "not long", *SIDE_BY_SIDE, *AGAIN]
"""The suite: all tests except the long ones, each of which has a quick variant here."""
LIBRARIES = [
    *("tests/files", "tests/cli/commands", "tests/cli/bench/test_ab_flags.py", "tests/cli/score/test_score.py"),
    *("tests/cli/test_startup.py", "tests/cli/test_validate_and_sample.py"),
    *("tests/test_api.py", "tests/test_scoring.py", "tests/core/contract", "tests/core/stats", "tests/engines/wire"),
]
"""Tests that old dependencies may break: files, contracts, statistics, the engine, and each command once."""
OTHER_PYTHONS = ["tests/core", "tests/reporters", *(path for path in LIBRARIES if not path.startswith("tests/core/"))]
"""Tests that another Python may break: the same, and all of the core and the reporters."""
QUICK = ("tests/core", "tests/files", "tests/reporters")
COVERED_PERCENT = 93
"""Least percentage of the lines of the core, of files and of reporters that OTHER_PYTHONS must cover."""
COVERAGE = [*(f"--cov=epkit.{room}" for room in ("core", "files", "reporters")), f"--cov-fail-under={COVERED_PERCENT}"]


def group(name: str) -> list[str]:
    """Return the requirements of a dependency group of pyproject.toml."""
    return nox.project.dependency_groups(PYPROJECT, name)


@nox.session(python=FOUND[0])
def tests(session: nox.Session) -> None:
    """Run the test suite on the oldest supported Python found here (arguments go to pytest)."""
    session.install(TESTED, *group("test"))
    session.run("pytest", *SUITE, *session.posargs)


@nox.session(python=FOUND, name="tests-all")
def tests_all(session: nox.Session) -> None:
    """Run the test suite on every supported Python found here."""
    session.install(TESTED, *group("test"))
    session.run("pytest", *SUITE, *session.posargs)


@nox.session(python=FOUND[0])
def long(session: nox.Session) -> None:
    """Run the tests that the suite leaves out: trainings, stories, kills, clusters (arguments go to pytest)."""
    session.install(TESTED, *group("test"))
    session.run("pytest", *APART, "-m", "long", *SIDE_BY_SIDE, *AGAIN, *session.posargs)


@nox.session(python=FOUND[1:] or FOUND)
def pythons(session: nox.Session) -> None:
    """Run the core, files and each command on the other supported Pythons found here (arguments go to pytest).

    The newest Python measures coverage as well, and fails below the floor.
    """
    session.install(TESTED, *group("test"), "pytest-cov>=6")
    measured = [*COVERAGE, "--cov-report="] if session.python == FOUND[-1] and not session.posargs else []
    session.run("pytest", "-m", "not long", *SIDE_BY_SIDE, *AGAIN, *measured, *(session.posargs or OTHER_PYTHONS))


@nox.session(python=FOUND[0], venv_backend="uv")
def lowest(session: nox.Session) -> None:
    """Run files, contracts and each command with the lowest versions that pyproject.toml allows.

    Arguments go to pytest.
    """
    pins = Path(session.create_tmp(), "lowest.txt")
    extras = [f"--extra={name}" for name in ("local", "docs", "train", "cluster", "otlp")]
    uv = ["uv", "pip", "compile", "--quiet", "--resolution=lowest-direct", f"--python={session.virtualenv.location}"]
    session.run_install(*uv, *extras, "pyproject.toml", "-o", str(pins), external=True, silent=True)
    # import-linter needs a newer rich; its check does not depend on versions.
    tools = [requirement for requirement in group("test") if not requirement.startswith("import-linter")]
    session.install("-c", str(pins), ".[local,docs,train,cluster,otlp]", *tools)
    session.run("pytest", "-m", "not long", *SIDE_BY_SIDE, *AGAIN, *(session.posargs or LIBRARIES))


@nox.session(python=FOUND[0])
def quick(session: nox.Session) -> None:
    """Run the tests of core, files and reporters while you write: under a minute (arguments go to pytest)."""
    session.install(".", *group("test"))
    session.run("pytest", *SIDE_BY_SIDE, "-m", "not long", *QUICK, *session.posargs)


@nox.session(python=FOUND[0])
def fuzz(session: nox.Session) -> None:
    """Search for input that breaks epkit, for ten minutes or `-- --seconds 3600` (other arguments go to pytest).

    `-- --seconds 0` uses the same examples each time, like CI: two minutes.
    """
    arguments, seconds = list(session.posargs), "600"
    if "--seconds" in arguments:
        at = arguments.index("--seconds")
        _, seconds = arguments[at : at + 2]
        del arguments[at : at + 2]
    session.install(TESTED, *group("test"))
    budget = {"EPKIT_FUZZ_SECONDS": seconds} if float(seconds) else {}
    session.run("pytest", "tests/fuzz", *SIDE_BY_SIDE, *arguments, env=budget)


def has_chromium() -> bool:
    """Tell whether this machine has a browser for the tests."""
    return any(map(shutil.which, ("chromium", "chromium-browser", "google-chrome")))


@nox.session(python=FOUND[0])
def browser(session: nox.Session) -> None:
    """Test the docs page in the machine's own Chromium; screenshots stay in build/browser."""
    if not has_chromium():
        session.error("there is no Chromium: apt-get install chromium")
    session.install(TESTED, *group("test"), *group("browser"))
    session.run("pytest", "tests/browser", *AGAIN, *session.posargs)


@nox.session(python=FOUND[0])
def notebook(session: nox.Session) -> None:
    """Run docs/course.ipynb in a kernel and check it in JupyterLab; screenshots stay in build/browser."""
    if not has_chromium():
        session.skip("there is no Chromium to look at notebooks with: apt-get install chromium")
    session.install(".[local,docs,train]", *group("test"), *group("notebook"))
    session.run("pytest", "tests/notebook", *AGAIN, *session.posargs)


@nox.session(python=FOUND[0])
def docs(session: nox.Session) -> None:
    """Build the site of the manual into build/site, and check it in the machine's own Chromium."""
    session.install(".", *group("test"), *group("browser"), *group("site"))
    # A warning, such as one about a broken link or anchor, fails the build; all warnings are shown.
    session.run("sphinx-build", "-qEnW", "--keep-going", "-c", "docs", ".", "build/site")
    if not has_chromium():
        session.warn("the site is built, and nothing looks at it: there is no Chromium: apt-get install chromium")
        return
    session.run("pytest", "tests/site", *AGAIN, *session.posargs)


@nox.session(python=FOUND[0])
@nox.parametrize("sdks", ["azure", "azure-v1", "azure-v2"])
def azure(session: nox.Session, sdks: str) -> None:
    """Run the tests of the backends with Azure's genuine SDKs: both in one environment, and each separately."""
    # Compiling all of an SDK takes a minute; its first import compiles the parts that it imports.
    extras = "local,azure,train" if sdks == "azure" else f"local,{sdks}"
    session.install(f".[{extras}]", *group("test"), env={"UV_COMPILE_BYTECODE": "0"})
    # The local backend is tested by `tests`.
    both = [*SIDE_BY_SIDE, "-m", "not long", "-k", "not local", "tests/backends", "tests/cli/test_startup.py"]
    usual = both if sdks == "azure" else ["tests/backends/test_extras.py"]
    session.run("pytest", *AGAIN, *(session.posargs or usual))


LOCKS = Path("tests/servers/locks")


@nox.session(python=FOUND[0])
def servers(session: nox.Session) -> None:
    """Test epkit with the genuine model servers, each in its own environment (arguments go to pytest)."""
    python = find("3.11")
    if python is None:
        session.skip("the servers' environments are locked for Python 3.11, which is not here")
    session.install(".[mlflow]", "scikit-learn", *group("test"), *group("servers"))
    folder = Path(session.cache_dir).resolve() / "servers"
    # Compiling everything takes longer than one start of each server, which compiles the parts that it imports.
    environment = {**os.environ, "UV_COMPILE_BYTECODE": "0"}

    def make(lock: Path) -> None:
        made = folder / lock.stem
        for command in (["venv", "--allow-existing", "-p", python, made], ["pip", "sync", "-p", made, lock]):
            subprocess.run([Path(session.bin, "uv"), "--quiet", *command], env=environment, check=True)

    with ThreadPoolExecutor(2) as both:
        list(both.map(make, LOCKS.glob("*.txt")))
    by_server = [*SIDE_BY_SIDE, "--dist=loadgroup"]
    session.run("pytest", "tests/servers", *by_server, *AGAIN, *session.posargs, env={"EPKIT_SERVERS": str(folder)})


@nox.session(python=FOUND[0])
def lint(session: nox.Session) -> None:
    """Check style (ruff) and that imports only go down the floors (import-linter)."""
    session.install(".", *group("lint"))
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("lint-imports")


@nox.session(python=FOUND[0])
def types(session: nox.Session) -> None:
    """Check types (mypy, strict)."""
    session.install(".[docs]", *group("types"))
    session.run("mypy")


@nox.session(python=FOUND[0])
def bench(session: nox.Session) -> None:
    """Compare epkit with ab, wrk, hey and Python clients; prints the tables of docs/performance.md."""
    session.install(".", "-r", "benchmarks/requirements.txt")
    session.run("python", "benchmarks/run.py", *session.posargs, env={"PATH": os.environ["PATH"]})


@nox.session(python=FOUND[0], name="bench-contract")
def bench_contract(session: nox.Session) -> None:
    """Compare `epkit validate` with jsonschema, fastjsonschema, jsonschema-rs (4 GB: `-- --parquet-gb 4`)."""
    session.install(".", "-r", "benchmarks/requirements.txt")
    session.run("python", "benchmarks/contract.py", *session.posargs)
