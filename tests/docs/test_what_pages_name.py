"""Everything that the pages name exists: commands, flags, files, sessions of nox, variables, links, anchors."""

import ast
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.pages import ALL, anchors, blocks, links, name_of, prose, read, spans
from support.places import ROOT
from support.typer_app import verbs

SOURCE = ROOT / "src" / "epkit"
FLAG = re.compile(r"--?[A-Za-z][\w-]*")
PATH = re.compile(r"[\w.-]+(?:/[\w.*-]+)*/?")
MADE = {"__pycache__", "build", "dist"}  # may exist partly: names inside of them are not checked
TOPS = {path.name for folder in (ROOT, SOURCE) for path in folder.iterdir() if path.is_dir()} - MADE
"""The first part of a path of a file of the repository."""
PAGE_OF = {
    "bench": ("bench",), "loads": ("bench",), "compare": ("compare", "bench", "report"), "check": ("check",),
    "score": ("score",), "validate": ("validate",), "sample": ("sample",), "try-it-out": ("docs",),
    "workers": ("bench", "score"),
}  # fmt: skip
"""The commands that a page describes: a flag without a command belongs to one of them."""


def flags_in(words: list[str]) -> list[str]:
    """Return the flags among the words of a command line, up to the end of the command."""
    found = []
    for word in words:
        if word in ("|", ">", "&&", "&", ";"):
            break
        found += FLAG.findall(word)[:1] if re.match(r"--?[A-Za-z]", word) else []
    return found


def problem(words: list[str]) -> str | None:
    """Return the fault of a command line that follows `epkit`; None if there is none."""
    if not words or words[0].startswith("-"):
        unknown = set(flags_in(words)) - verbs()[""].flags
        return f"epkit has no {min(unknown)}" if unknown else None
    name = words[0].strip("…")
    if name not in verbs():
        return None if name in ("", "COMMAND", "CMD") else f"there is no epkit {name}"
    if verbs()[name].groups and len(words) > 1 and re.match("[a-z]", words[1]):
        name = f"{name} {words[1]}"
        if name not in verbs():
            return f"there is no epkit {name}"
    unknown = set(flags_in(words)) - verbs()[name].flags
    return f"epkit {name} has no {min(unknown)}" if unknown else None


def command_lines(page: Path) -> Iterator[str]:
    """Yield the text after `epkit` in blocks of commands and in inline code."""
    for block in blocks(page):
        if block.language in ("console", "sh", "yaml", "text"):
            yield from re.findall(r"(?:^|&& |\$ |\| |^ +)epkit ([a-z-].*)$", block.text, re.MULTILINE)
    yield from (span.removeprefix("epkit ") for span in spans(page) if span.startswith("epkit "))


def words_of(line: str) -> list[str]:
    try:
        return shlex.split(line.partition("  ")[0].partition(" #")[0])
    except ValueError:  # a quote in prose
        return line.split()


def wrong_commands(page: Path) -> list[str]:
    # `bench --html`, without epkit, is also a command.
    bare = [span for span in spans(page) if span.partition(" ")[0] in verbs() and " " in span]
    lines = [line for line in command_lines(page) if not re.match(r"\d", line)]  # `epkit 0.1.0` is a version
    return [f"{line}: {wrong}" for line in [*lines, *bare] if (wrong := problem(words_of(line)))]


def wrong_flags(page: Path, text_spans: list[str]) -> list[str]:
    """Return the flags in inline code, with no command before them, that no command of the page has."""
    about = PAGE_OF.get(page.stem, tuple(verbs())) if "reference" not in page.parts else tuple(verbs())
    known = frozenset().union(*(verbs()[name].flags for name in about))
    alone = [span for span in text_spans if re.match(r"--?[A-Za-z]", span)]
    return [span for span in alone if not set(flags_in(words_of(span))) <= known]


def paths_in(page: Path) -> Iterator[str]:
    """Yield texts that look like the path of a file of the repository."""
    for span in spans(page):
        if PATH.fullmatch(span) and ("/" in span or re.search(r"\.(?:py|md)$", span)):
            yield span
        elif " " in span:
            yield from (word for word in span.split() if "/" in word and PATH.fullmatch(word))
    for block in blocks(page):
        for word in re.findall(r"[^\s'\"()]+", block.text if block.language in ("console", "sh") else ""):
            yield from [word] if "/" in word and PATH.fullmatch(word) else []


def is_there(path: str, page: Path) -> bool:
    """Tell whether a path exists: from the root, in the package, next to the page, or, for a mere name, anywhere."""
    if re.fullmatch(r"[\w.-]+\.(?:py|md)", path):
        tops = (SOURCE, ROOT / "tests", ROOT / "benchmarks", ROOT / "docs")
        return (ROOT / path).exists() or any(next(top.rglob(path), None) for top in tops)
    if path.partition("/")[0] not in TOPS:
        return True  # a file of the reader
    return any(next(folder.glob(path.rstrip("/")), None) for folder in (ROOT, SOURCE, page.parent))


def missing_files(page: Path, found: list[str]) -> list[str]:
    return [path for path in found if not is_there(path, page)]


def dead_links(page: Path, found: list[str]) -> list[str]:
    """Return the links to missing files or headings."""
    dead = []
    for link in found:
        path, _, anchor = link.partition("#")
        to = (page.parent / path).resolve() if path else page
        if not to.exists() or (anchor and anchor not in anchors(to)):
            dead.append(link)
    return dead


every_page = pytest.mark.parametrize("page", ALL, ids=map(name_of, ALL))


@every_page
def test_every_command_that_is_named_exists_with_its_flags(page: Path):
    assert [] == wrong_commands(page)


EXAMPLES = sorted((ROOT / "docs" / "examples").glob("*-*.yaml"))


@pytest.mark.parametrize("example", EXAMPLES, ids=[path.name for path in EXAMPLES])
def test_every_command_of_an_example_exists_with_its_flags(example: Path):
    lines = re.findall(r"(?:^|[\s:])epkit ([a-z-]+ [^\n]*)", example.read_text(encoding="utf-8"))
    lines = [line for line in lines if line.split()[0] in verbs()]

    assert [] == [f"{line}: {wrong}" for line in lines if (wrong := problem(words_of(line)))]
    assert lines or not example.name.startswith(("github", "azure-devops"))


@every_page
def test_every_flag_that_is_named_exists(page: Path):
    assert [] == wrong_flags(page, spans(page))


@every_page
def test_every_file_that_is_named_is_there(page: Path):
    assert [] == missing_files(page, list(paths_in(page)))


@every_page
def test_every_link_leads_somewhere(page: Path):
    assert [] == dead_links(page, links(page))


def sessions_in(page: Path) -> set[str]:
    """Return the names after `nox -s`."""
    code = "\n".join([*spans(page), *(block.text for block in blocks(page))])
    return {
        name
        for names in re.findall(r"\bnox .*?-s ((?:[a-z-]+(?: (?!-)|$))+)", code, re.MULTILINE)
        for name in names.split()
    }


@every_page
def test_every_session_of_nox_that_is_named_exists(page: Path):
    tree = ast.parse((ROOT / "noxfile.py").read_text(encoding="utf-8"))
    sessions = {node.name.replace("_", "-") for node in tree.body if isinstance(node, ast.FunctionDef)}

    assert set() == sessions_in(page) - sessions


@every_page
def test_every_variable_that_is_named_is_read_somewhere(page: Path):
    named = set(re.findall(r"EPKIT_[A-Z0-9]+", read(page)))
    sources = [*SOURCE.rglob("*.py"), *(ROOT / "tests").rglob("*.py")]
    known = {name for path in sources for name in re.findall(r"EPKIT_[A-Z0-9]+", path.read_text(encoding="utf-8"))}

    assert set() == named - known


def test_every_room_has_a_line_in_the_architecture():
    rooms = {f"{path.parent.relative_to(SOURCE).as_posix()}/" for path in SOURCE.glob("*/**/__init__.py")}
    table = read(ROOT / "ARCHITECTURE.md").partition("| room of `src/epkit/` |")[2].partition("\n\n")[0]
    named = [name for row in table.splitlines() for name in re.findall(r"`([\w/]+/)`", row[1:].partition("|")[0])]

    assert sorted(rooms - {"cli/", "core/", "flows/"}) == sorted(named)  # those are floors of several rooms


def test_the_architecture_stays_short():
    assert len(read(ROOT / "ARCHITECTURE.md").splitlines()) <= 80


@every_page
def test_every_row_of_a_table_has_all_its_cells(page: Path):
    tables = re.findall(r"(?:^\|.*\|$\n?)+", prose(page), re.MULTILINE)
    widths = [{len(re.findall(r"(?<!\\)\|", row)) for row in table.splitlines()} for table in tables]

    assert [1] * len(tables) == [len(width) for width in widths]


def test_every_page_is_in_the_index():
    index = ROOT / "docs" / "index.md"
    linked = {(index.parent / link).resolve() for link in links(index)}

    assert set() == set((ROOT / "docs").rglob("*.md")) - {index} - linked


def test_every_picture_is_shown_and_taken_by_the_script():
    pictures = ROOT / "docs" / "pictures"
    shown = {(page.parent / link).resolve() for page in ALL for link in links(page) if link.endswith((".png", ".svg"))}
    taken = re.findall(r'PICTURES / "(.+?)"', read(ROOT / "docs" / "pictures.py"))

    assert shown == set(pictures.iterdir()) == {pictures / name for name in taken}
    assert max(picture.stat().st_size for picture in shown) < 250_000


def test_what_is_wrong_is_seen():
    page = ROOT / "docs" / "bench.md"

    assert "epkit bench has no --flies" == problem(["bench", "--flies", "-n", "1"])
    assert "there is no epkit fly" == problem(["fly"])
    assert "there is no epkit deploy fly" == problem(["deploy", "fly"])
    assert "epkit deploy list has no --model" == problem(["deploy", "list", "--model", "x"])
    assert problem(["bench", "-n", "1", "|", "jq", "--flies"]) is None
    assert ["--flies", "--retries 5"] == wrong_flags(page, ["--flies", "--retries 5", "-n 10", "kill -9"])
    assert ["core/samples/flies.py", "tests/support/flies.py", "flies.md"] == missing_files(
        page, ["core/samples/flies.py", "tests/support/flies.py", "flies.md", "core/samples/rows.py", "rows.py", "a/b"]
    )
    assert ["flies.md", "loads.md#flies"] == dead_links(
        page, ["flies.md", "loads.md#flies", "loads.md#phases", "#checks-of-the-replies"]
    )


def test_commands_flags_files_and_links_are_found_on_the_pages():
    lines = [line for page in ALL for line in command_lines(page)]
    paths = [path for page in ALL for path in paths_in(page)]

    assert {"bench", "compare", "deploy", "docs", "score"} <= {line.split()[0] for line in lines}
    assert {"core/samples/rows.py", "tests/support/faults.py", "benchmarks/pacing.py"} <= set(paths)
    assert {"tests", "quick", "lint", "types"} <= sessions_in(ROOT / "CONTRIBUTING.md")
    assert 60 < len([link for page in ALL for link in links(page)])
    assert 100 < len([span for page in ALL for span in spans(page) if span.startswith("-")])
    assert "`--slo" in prose(ROOT / "docs" / "bench.md")
