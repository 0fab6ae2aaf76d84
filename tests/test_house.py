"""The rules of the project that no other tool checks."""

import ast
import importlib
import os
import pkgutil
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

import epkit
from epkit.errors import EpkitError
from support.places import ROOT

SOURCE = ROOT / "src" / "epkit"
MODULES = sorted(path.relative_to(SOURCE).as_posix() for path in SOURCE.rglob("*.py"))
MOST_LINES = 600

EXIT_CODES = {"UsageError": 2, "ContractError": 3, "EndpointError": 4, "BackendError": 6}


def parsed(module: str) -> ast.Module:
    return ast.parse((SOURCE / module).read_text(encoding="utf-8"))


def lines(module: str) -> int:
    return len((SOURCE / module).read_text(encoding="utf-8").splitlines())


def repository_files() -> list[Path]:
    """Return the files that git has or would add; skip the test without a clone (an unpacked sdist)."""
    if not (ROOT / ".git").exists():
        pytest.skip("this is not a git clone")
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True, timeout=30).stdout
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("git cannot list this clone")
    return [path for name in listed.decode().split("\0") if name and (path := ROOT / name).is_file()]


def test_the_modules_are_found() -> None:
    assert {"errors.py", "core/samples/rows.py", "engines/wire/wire.py", "cli/app.py"} <= set(MODULES)


@pytest.mark.parametrize("module", [module for module in MODULES if lines(module)])
def test_every_module_opens_with_a_sentence(module: str) -> None:
    opening = (ast.get_docstring(parsed(module)) or "").partition("\n\n")[0]

    assert re.match(r"(?:[A-Z`]|epkit\b).*[.:]$", opening, re.DOTALL), f"{module} opens with {opening!r}"


def test_packages_are_empty_but_the_root() -> None:
    packages = [module for module in MODULES if module.endswith("/__init__.py")]

    assert [] == [module for module in packages if lines(module)]


def test_no_module_is_too_long() -> None:
    assert {} == {module: n for module in MODULES if (n := lines(module)) > MOST_LINES}


def test_every_session_of_nox_says_what_it_does() -> None:
    tree = ast.parse((ROOT / "noxfile.py").read_text(encoding="utf-8"))
    sessions = {
        node.name: ast.get_docstring(node)
        for node in tree.body
        if isinstance(node, ast.FunctionDef)
        and any("nox.session" in ast.unparse(decorator) for decorator in node.decorator_list)
    }

    assert {"tests", "lint", "types", "bench"} <= set(sessions)
    assert [] == [name for name, doc in sessions.items() if not doc]


def subclasses(kind: type[EpkitError]) -> set[type[EpkitError]]:
    return {kind}.union(*(subclasses(child) for child in kind.__subclasses__()))


def test_every_error_has_an_exit_code_of_the_contract() -> None:
    for module in pkgutil.walk_packages(epkit.__path__, "epkit."):
        # These are run directly, need extras, or are the script of a model.
        if not module.name.startswith(("epkit.__main__", "epkit.bank", "epkit.served.entry", "epkit.exporters.")):
            importlib.import_module(module.name)
    found = {kind for kind in subclasses(EpkitError) - {EpkitError} if kind.__module__.startswith("epkit.")}

    assert EXIT_CODES == {kind.__name__: kind.exit_code for kind in found if kind.__module__ == "epkit.errors"}
    assert {kind.exit_code for kind in found} <= set(EXIT_CODES.values())


HOMES = re.compile(rb"(?:/home/|/Users/|/root(?=/)|[A-Z]:\\Users\\)[\w./\\-]*")
REGISTRY = re.compile(
    rb"(?:py" + rb"pi\.org|pythonhosted\.org|registry\.npmjs\.org|proxy\.golang\.org|crates\.io|conda\.anaconda\.org)"
)


@pytest.mark.parametrize("forbidden", [HOMES, REGISTRY], ids=["home directory", "package registry"])
def test_no_file_names_a_place_of_somebodys_machine(forbidden: re.Pattern[bytes]) -> None:
    found = {
        str(path.relative_to(ROOT)): match[0].decode()
        for path in repository_files()
        if path != Path(__file__) and (match := forbidden.search(path.read_bytes()))
    }

    assert {} == found


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        (HOMES, b"open('/home/me/x')"),
        (HOMES, b"/Users/me"),
        (HOMES, b"/root/.cache"),
        (HOMES, rb"C:\Users\me"),
        (REGISTRY, b"https://py" + b"pi.org/simple"),
        (REGISTRY, b"files.pythonhosted.org"),
    ],
)
def test_the_patterns_find_what_they_are_for(pattern: re.Pattern[bytes], text: bytes) -> None:
    assert pattern.search(text)


def test_a_public_class_name_occurs_once() -> None:
    where: dict[str, list[str]] = {}
    for module in MODULES:
        for node in ast.walk(parsed(module)):
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                where.setdefault(node.name, []).append(module)

    assert {} == {name: modules for name, modules in where.items() if len(modules) > 1}


SINKS = {
    "cli/terminal.py": "stdout and stderr, masked",
    "cli/panel.py": "figures and kinds of failures",
    "cli/completion.py": "names of endpoints, pipelines, saved runs and flags",
    "cli/output/score.py": "rows, in which `KeyGuard` looked for keys",
    "files/writing.py": "whole files, for the modules named here",
    "files/model_directory.py": "a model",
    "files/outputs.py": "what `terminal.write_file` masked, and a first epkit.toml",
    "flows/hosting/deploy.py": "a contract, masked",
    "flows/pipeline/golden.py": "rows of the table that was trained on, for nobody else",
    "flows/pipeline/measuring.py": "names and addresses of two endpoints, and a body made of a contract",
    "flows/pipeline/records.py": "names and numbers of a candidate",
    "files/published_jobs.py": "names, changes and reasons that the flow masked",
    "flows/pipeline/publishing/child.py": "what a run says, masked",
    "flows/pipeline/publishing/server.py": "what happens to runs, masked",
    "flows/context.py": "the note of a context that a test makes",
    "endpoint/config_writing.py": "epkit.toml",
    "files/samples.py": "numbers, and names that the flow masked",
    "files/runs.py": "values that the flow masked",
    "files/frames.py": "a table without rows, and rows of the table that was trained on",
    "files/jobs.py": "a journal",
    "files/training.py": "numbers, and names of columns",
    "files/training_jobs.py": "the table that was named, what is known of it, and files of a model",
    "files/pipelines.py": "values that the flow masked, and numbers",
    "flows/pipeline/publishing/azure_upload.py": "what goes to Azure: a table of epkit.toml without endpoints, and files that it names",
    "flows/pipeline/publishing/promoting.py": "files of a training, which a job has left",
    "learners/material.py": "numbers and names of columns, for workers of this machine alone",
    "learners/worker.py": "answers to the process that started it",
    "files/predicted.py": "rows",
    "flows/crew/worker.py": "messages to the process that hired it",
    "flows/crew/carried.py": "certificates",
    "endpoint/embedded.py": "messages to the embedded endpoint",
}
"""Modules that write to a terminal, a pipe or a file, and what they write; `bank` and `backends` are separate
processes."""

WRITING = {"write_text", "write_bytes", "write_csv", "write_parquet"}
MODES = re.compile(r"[rwax+bt]*[wax+][rwax+bt]*")


def writes(node: ast.AST) -> bool:
    """Tell whether code writes: to a standard stream, with `print`, or to a file opened for writing."""
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        return node.value.id == "sys" and node.attr in ("stdout", "stderr", "__stdout__", "__stderr__")
    if isinstance(node, ast.Name):
        return node.id == "print"
    if not isinstance(node, ast.Call):
        return False
    name = getattr(node.func, "attr", getattr(node.func, "id", ""))
    modes = [
        each.value for each in (*node.args, *(word.value for word in node.keywords)) if isinstance(each, ast.Constant)
    ]
    return name in WRITING | {"replacing", "NewFile"} or (
        name in ("open", "fdopen") and any(isinstance(mode, str) and MODES.fullmatch(mode) for mode in modes)
    )


def test_nothing_is_written_but_where_it_is_masked() -> None:
    found = {
        module
        for module in MODULES
        if not module.startswith(("bank/", "backends/")) and any(map(writes, ast.walk(parsed(module))))
    }

    assert set(SINKS) == found


@pytest.mark.parametrize(
    "text", ["print(1)", "sys.stderr.write('x')", "path.write_text('x')", "open(p, 'w')", "p.open(mode='ab')"]
)
def test_what_writes_is_found(text: str) -> None:
    assert any(map(writes, ast.walk(ast.parse(text))))


@pytest.mark.parametrize("text", ["open(p)", "p.open('rb')", "file.write(x)", "sys.exit(1)"])
def test_what_only_reads_is_not(text: str) -> None:
    assert not any(map(writes, ast.walk(ast.parse(text))))


@pytest.mark.parametrize(
    ("module", "planted", "broken"),
    [
        ("core/stats/histogram.py", "epkit.core.report", "The floors between the rooms of the core"),
        ("flows/context.py", "epkit.flows.target.target", "The floors between the rooms of the flows"),
        ("flows/bench/run.py", "epkit.flows.bench.workers.fleet", "A bench knows workers through one protocol"),
        ("flows/bench/ready.py", "epkit.engines.workers.crew", "What hires workers and talks to them"),
        ("flows/score/score.py", "epkit.flows.score.workers.crew", "A scoring job knows workers through one protocol"),
        ("flows/validate.py", "epkit.flows.hosting.backends", "Hosting is for its own commands"),
        ("flows/target/client.py", "epkit.backends.base", "Backends are for hosting"),
        ("flows/bench/options.py", "epkit.flows.bench.plan", "No circles"),
    ],
)
def test_an_import_that_goes_up_is_refused_even_where_it_is_for_types_alone(
    tmp_path: Path, module: str, planted: str, broken: str
) -> None:
    shutil.copytree(SOURCE, tmp_path / "epkit", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    with (tmp_path / "epkit" / module).open("a", encoding="utf-8") as file:
        file.write(f"\nfrom typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import {planted}\n")
    lint = subprocess.run(
        [
            sys.executable,
            "-c",
            "from importlinter.cli import lint_imports_command; lint_imports_command()",
            "--no-cache",
        ],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert 1 == lint.returncode, lint.stdout + lint.stderr
    assert any(line.startswith(broken) and " BROKEN" in line for line in lint.stdout.splitlines())


@pytest.mark.parametrize("flow", ["bench.bench", "bench.run", "score.score", "validate"])
def test_who_asks_for_no_workers_and_no_hosting_loads_none(flow: str) -> None:
    rooms = ("epkit.flows.crew", "epkit.engines.workers", "epkit.flows.hosting", "epkit.backends")
    script = f"import sys, epkit.flows.{flow}; print([name for name in sys.modules if name.startswith({rooms})])"
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=30)

    assert "[]\n" == loaded.stdout


LOOKS = {
    "startswith", "endswith", "removeprefix", "removesuffix", "partition", "rpartition", "split", "rsplit", "replace",
    "find", "index", "count",
}  # fmt: skip
MATCHES = {"match", "fullmatch", "search", "findall", "finditer", "sub"}
SENTENCES = {"text", "words", "advice"}
"""Fields of a report's values that contain a sentence for people."""

REPORT_ROOMS = ("core/report/", "reporters/", "flows/bench/", "cli/output/")
ALLOWED = {
    "backends/azure/v1.py": "azureml-core says which error it is in words only",
    "files/frames.py": "polars gives the number of a system error in words only",
}
"""Modules that may read a message, with the reasons."""


def decisions_by_sentences(tree: ast.AST, *, about_reports: bool) -> list[str]:
    """Return code that reads the message of an exception, or a sentence of a report."""
    caught = {node.name for node in ast.walk(tree) if isinstance(node, ast.ExceptHandler)}

    def is_sentence(node: ast.expr) -> bool:
        if isinstance(node, ast.Attribute):
            return about_reports and node.attr in SENTENCES
        called = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "str"
        return called and any(isinstance(given, ast.Name) and given.id in caught for given in node.args)

    def looks(node: ast.AST) -> bool:
        if isinstance(node, ast.Compare):
            sides = [node.left, *node.comparators]
            said = all(isinstance(how, ast.In | ast.NotIn | ast.Eq | ast.NotEq) for how in node.ops)
            return said and any(map(is_sentence, sides)) and any(isinstance(side, ast.Constant) for side in sides)
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            return False
        inside = node.func.attr in LOOKS and is_sentence(node.func.value)
        return inside or (node.func.attr in MATCHES and any(map(is_sentence, node.args)))

    return [ast.unparse(node) for node in ast.walk(tree) if looks(node)]


def test_no_code_decides_by_the_sentence_of_a_message() -> None:
    found = {
        module: lines
        for module in MODULES
        if (lines := decisions_by_sentences(parsed(module), about_reports=module.startswith(REPORT_ROOMS)))
    }

    assert {} == {module: lines for module, lines in found.items() if module not in ALLOWED}
    assert set(ALLOWED) <= set(found), "no longer needed"


@pytest.mark.parametrize(
    "code",
    [
        "any(w.text.startswith('no steady state') for w in report.warnings)",
        "re.match('p99 needs', warning.text)",
        "NEEDS.search(report.search.words)",
        "example.advice.removeprefix('401: ')",
        "'the client' in reason.text",
        "line.text == 'no request was made'",
        "try: ...\nexcept OSError as error: str(error).replace('a', 'b')",
        "try: ...\nexcept OSError as error: 'refused' in str(error)",
    ],
)
def test_a_decision_by_a_sentence_is_found(code: str) -> None:
    assert decisions_by_sentences(ast.parse(code), about_reports=True)


STARTS = {"Popen", "run", "call", "check_call", "check_output", "create_subprocess_exec", "create_subprocess_shell"}
PAST_THE_ENVIRONMENT = {"system", "popen", "execv", "execl", "execvp", "execlp", "spawnv", "spawnl", "posix_spawn"}


def children_that_see_everything(tree: ast.AST) -> list[int]:
    """Return the lines that start a child process with the complete environment."""
    found = []
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            continue
        owner = node.func.value.id if isinstance(node.func.value, ast.Name) else ""
        bare = node.func.attr in STARTS and not any(keyword.arg == "env" for keyword in node.keywords)
        if (owner in ("subprocess", "asyncio") and bare and (owner, node.func.attr) != ("asyncio", "run")) or (
            owner == "os" and node.func.attr in PAST_THE_ENVIRONMENT
        ):
            found.append(node.lineno)
    return found


def test_every_child_process_is_given_an_environment_of_its_own() -> None:
    found = {module: children_that_see_everything(parsed(module)) for module in MODULES}

    assert {} == {module: at for module, at in found.items() if at}


@pytest.mark.parametrize("code", ["subprocess.run([])", "asyncio.create_subprocess_exec('x')", "os.system('x')"])
def test_a_child_that_sees_everything_is_found(code: str) -> None:
    assert [1] == children_that_see_everything(ast.parse(code))


# Words that a reader who learned English at school has to look up or read twice.
GONE = re.compile(
    rb"\b(told|so many|whoever|besides?|lest|stands|by its own word|whereof)\b",  # the words themselves
    re.IGNORECASE,
)
STORED = {Path("src/epkit/flows/pipeline/records.py"), Path("tests/test_house.py")}
"""The word "beside" is a value in files that earlier versions wrote; this test lists the words."""


def lines_with_words_that_are_gone(paths: Iterable[Path]) -> list[str]:
    """Return the lines of files that have such a word, with their places."""
    return [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()[:100].decode()}"
        for path in sorted(paths)
        if path.relative_to(ROOT) not in STORED
        for number, line in enumerate(path.read_bytes().splitlines(), start=1)
        if GONE.search(line)
    ]


def test_sources_and_tests_use_plain_words() -> None:
    assert [] == lines_with_words_that_are_gone(
        path for root in ("src", "tests") for path in (ROOT / root).rglob("*.py")
    )


def test_what_people_read_uses_plain_words() -> None:
    written = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), ROOT / "docs/course.ipynb"]
    readmes = [ROOT / "benchmarks/README.md", ROOT / "payloads/README.md"]
    contracts = (ROOT / "swagger").glob("*.json")

    assert [] == lines_with_words_that_are_gone([*written, *readmes, *contracts])


@pytest.mark.parametrize("text", [b"# Told by whoever asks.", b"beside = 1", b"where it stands", b"so many rows"])
def test_a_word_that_is_gone_is_found(text: bytes) -> None:
    assert GONE.search(text)
