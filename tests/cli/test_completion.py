"""The completion of a command line: by its protocol, and in the shells themselves if they are installed."""

import contextlib
import io
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from epkit.cli import completion
from epkit.cli.app import application
from epkit.cli.completion import TLS_VERSIONS
from epkit.engines.wire.tls import VERSIONS

FILE = (
    '[endpoints.prod]\nuri = "http://127.0.0.1:9/score"\n[endpoints."$(touch x)"]\nuri = "http://127.0.0.1:9/score"\n'
    '[pipelines.bank]\ndata = "bank.csv"\nlabel = "y"\n'
    '[published.weekly]\nurl = "http://127.0.0.1:1/jobs"\n'
)


@pytest.fixture
def shell(cli):
    """The command line in a directory with endpoints, a pipeline, saved runs and a local endpoint."""
    cli.write("epkit.toml", FILE)
    for name in ("a.epkit", "b;touch x.epkit", "-c.epkit", "runs/d.epkit", "e.json"):
        cli.write(name, "")
    cli.write("state/epkit/endpoints/mine/settings.json", "{}")
    cli.environ |= {"XDG_STATE_HOME": str(cli.directory / "state")}
    return cli


def answered(cli, shell, line):
    """Return the completions of a line up to the cursor, as Typer's scripts request them."""
    if shell == "bash":
        words = line.split(" ")
        asked = {"COMP_WORDS": "\n".join(words), "COMP_CWORD": str(len(words) - 1)}
    else:
        asked = {"_TYPER_COMPLETE_ARGS": line, "_TYPER_COMPLETE_FISH_ACTION": "get-args" if shell == "fish" else ""}
    before = sorted(cli.directory.rglob("*"))
    environ = {**cli.environ, "HOME": str(cli.directory), "_EPKIT_COMPLETE": f"complete_{shell}", **asked}
    out, err = io.StringIO(), io.StringIO()
    with contextlib.chdir(cli.directory), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = completion.answer(application(), environ)

    assert "" == err.getvalue()
    assert before == sorted(cli.directory.rglob("*"))
    return code, out.getvalue()


CASES = [
    ("epkit ben", ["bench"]),
    ("epkit de", ["deploy"]),
    ("epkit deploy s", ["show", "swagger"]),
    ("epkit help dr", ["drift"]),
    ("epkit --v", ["--version"]),
    ("epkit bench --form", ["--format"]),
    ("epkit bench -k --no-k", ["--no-keepalive"]),
    ("epkit bench --he", ["--header", "--head", "--help"]),
    ("epkit pipeline run --o", ["--only"]),
    ("epkit bench --format ", ["text", "ab", "json", "markdown"]),
    ("epkit validate a.json --format s", ["sarif"]),
    ("epkit bench -n 3 --engine w", ["wire"]),
    ("epkit bench --check c", ["contract"]),
    ("epkit bench --arrivals ", ["constant", "poisson"]),
    ("epkit deploy create x --backend azureml-", ["azureml-v1"]),
    ("epkit pipeline run bank --from pro", ["prove"]),
    ("epkit bench -f TLS1.", ["TLS1.0", "TLS1.1", "TLS1.2", "TLS1.3"]),
    ("epkit bench p", ["prod"]),
    ("epkit bench --target p", ["prod"]),
    ("epkit bench -n 3 --against p", ["prod"]),
    ("epkit check ", ["prod"]),
    ("epkit logs show ", ["mine", "prod"]),
    ("epkit deploy delete m", ["mine"]),
    ("epkit pipeline show ", ["bank"]),
    ("epkit pipeline trigger ", ["weekly"]),
    ("epkit report ", ["a.epkit"]),
    ("epkit compare a.epkit runs/", ["runs/d.epkit"]),
    ("epkit bench -p ", []),
    ("epkit bench --slo p", []),
    ("epkit nothing ", []),
    ("epkit train ", []),
]


@pytest.mark.parametrize(("line", "values"), CASES, ids=[line for line, _ in CASES])
def test_commands_flags_values_and_names_are_completed(shell, line, values):
    code, out = answered(shell, "bash", line)

    assert values == out.splitlines()
    assert (0 if values else 1) == code


@pytest.mark.parametrize(
    ("line", "values"),
    [
        ("epkit bench --format = j", ["json"]),
        ("epkit bench --format =", ["text", "ab", "json", "markdown"]),
        ("epkit bench --wrap @ oi", ["@oip", "@oip-tensor"]),
        ("epkit bench -p 'a=b' --engine w", ["wire"]),
        ("epkit bench --wrap @", ["@azure-v1", "@azure", "@mlflow-split", "@mlflow-records"]),
        ("epkit check http : //h/s --format = t", ["text"]),
        ("epkit bench -- --form", []),
    ],
)
def test_bash_takes_words_apart_at_some_signs(shell, line, values):
    assert values == answered(shell, "bash", line)[1].splitlines()[:4]


def test_zsh_is_given_what_it_evaluates(shell):
    assert (
        "local -a found; found=('--format:text'); _describe epkit found\n"
        == answered(shell, "zsh", "epkit bench --form")[1]
    )
    assert (
        "local -a found; found=('--format=json'); _describe epkit found\n"
        == answered(shell, "zsh", "epkit bench --format=j")[1]
    )
    assert "_files\n" == answered(shell, "zsh", "epkit train ")[1]


def test_fish_is_given_values_with_what_they_mean(shell):
    assert "bench\tLoad an endpoint, measure it, and give a verdict\n" == answered(shell, "fish", "epkit ben")[1]
    assert "prod\n" == answered(shell, "fish", "epkit bench --warmup 3s ")[1]
    shell.environ |= {"_EPKIT_COMPLETE": "complete_fish", "_TYPER_COMPLETE_FISH_ACTION": "is-args"}
    shell.environ["_TYPER_COMPLETE_ARGS"] = "epkit bench --form"
    assert (0, "") == ((ran := shell.spawn()).code, ran.out)
    shell.environ["_TYPER_COMPLETE_ARGS"] = "epkit train "
    assert (1, "") == ((ran := shell.spawn()).code, ran.out)


@pytest.mark.parametrize("text", ["[endpoints", "x = 1\n"])
def test_a_file_with_a_mistake_in_it_is_silence(shell, text):
    shell.write("epkit.toml", text)

    assert [] == answered(shell, "bash", "epkit bench ")[1].splitlines()
    assert ["mine"] == answered(shell, "bash", "epkit logs show ")[1].splitlines()
    assert [] == answered(shell, "bash", "epkit pipeline run ")[1].splitlines()


@pytest.mark.parametrize("asked", [{}, {"COMP_WORDS": "epkit bench 'a", "COMP_CWORD": "x"}])
def test_a_shell_that_asks_oddly_is_silence(cli, asked):
    cli.environ |= {"_EPKIT_COMPLETE": "complete_bash", **asked}
    ran = cli.spawn()

    assert (1, "", "") == (ran.code, ran.out, ran.err)


def test_it_is_quick_as_it_imports_next_to_nothing(shell):
    shell.environ |= {"_EPKIT_COMPLETE": "complete_bash", "COMP_WORDS": "epkit\nlogs\nshow\n", "COMP_CWORD": "3"}
    ran = shell.spawn(prefix=["-X", "importtime"])
    names = {line.rpartition("|")[2].strip() for line in ran.lines}

    assert "mine\nprod\n" == ran.out
    assert set() == names & {"pydantic", "rich", "numpy", "polars", "httpx", "asyncio", "ssl", "jsonschema"}
    assert len(names) < 250


def script(shell, cli):
    """Return Typer's script for a shell; in it, `epkit` is the tested program."""
    (cli.directory / "bin").mkdir()
    epkit = Path(cli.write("bin/epkit", f'#!/bin/sh\nexec "{sys.executable}" -m epkit "$@"\n'))
    (cli.directory / epkit).chmod(0o755)
    cli.environ["PATH"] = f"{cli.directory / 'bin'}:/usr/bin:/bin"
    cli.environ["_EPKIT_COMPLETE"] = f"source_{shell}"
    text = cli.spawn().out
    del cli.environ["_EPKIT_COMPLETE"]
    return text


def run(cli, *arguments):
    return subprocess.run(
        arguments, cwd=cli.directory, env=cli._environment(), capture_output=True, text=True, check=False, timeout=60
    )


def test_bash_itself_completes(shell):
    text = script("bash", shell) + (
        '\ntry() { COMP_WORDS=("$@"); COMP_CWORD=$(($#-1)); _epkit_completion epkit; echo "${COMPREPLY[@]}"; }\n'
        'try epkit bench --form\ntry epkit logs show ""\ntry epkit bench --format = j\ntry epkit report ""\n'
    )
    ran = run(shell, "bash", "--noprofile", "--norc", "-c", text)

    assert (0, "") == (ran.returncode, ran.stderr)
    assert ["--format", "mine prod", "json", "a.epkit"] == ran.stdout.splitlines()


@pytest.mark.skipif(shutil.which("fish") is None, reason="needs fish")
def test_fish_itself_completes(shell):
    tried = "; ".join(f'complete -C "{line}"; echo' for line in ("epkit bench --form", "epkit logs show "))
    ran = run(shell, "fish", "--no-config", "-c", f"{script('fish', shell)}\n{tried}")

    assert (0, "") == (ran.returncode, ran.stderr)
    assert ["--format\ttext", "", "mine", "prod", ""] == ran.stdout.splitlines()


@pytest.mark.skipif(shutil.which("zsh") is None, reason="needs zsh")
def test_zsh_itself_evaluates_what_it_is_given(shell):
    text = (
        "compdef() { : }; _describe() { print -rl -- ${(P)2} }; _files() { print files }\n" + script("zsh", shell) +
        '\ntry() { words=("$@"); CURRENT=$#; _epkit_completion }\n'
        'try epkit bench --form\ntry epkit logs show ""\ntry epkit train ""\n'
    )  # fmt: skip
    ran = run(shell, "zsh", "-f", "-c", text)

    assert (0, "") == (ran.returncode, ran.stderr)
    assert ["--format:text", "mine", "prod", "files"] == ran.stdout.splitlines()


def test_the_versions_of_tls_are_those_that_there_are():
    assert ("ALL", *VERSIONS) == TLS_VERSIONS
