"""The reference pages are generated from the code, or compared with it.

`EPKIT_GOLDEN=write pytest tests/docs` writes the generated parts again.
"""

import json
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from epkit import errors
from epkit.cli.options.common import MORE
from epkit.core.drift import document as drift_document
from epkit.core.pipeline import comparison
from epkit.core.pipeline import document as pipeline_document
from epkit.core.report import document as report_document
from epkit.core.samples import saved
from epkit.core.samples.rows import FAILURES, SAMPLE
from epkit.core.shapes.forms import FORMS, TEXTS
from epkit.core.shapes.table import SHAPES
from epkit.core.train import document as train_document
from support import api_page
from support.goldens import check_file
from support.pages import read
from support.places import ROOT
from support.typer_app import Option, Verb, verbs

REFERENCE = ROOT / "docs" / "reference"
TARGETS = ROOT / "docs" / "targets.md"
EVERYWHERE = {"--help", "--install-completion", "--show-completion"}
INTRODUCTION = """\
# Commands

<!-- Generated: EPKIT_GOLDEN=write pytest tests/docs -->

What `epkit COMMAND --help` says, for every command. `-h` and `--help` show it in the terminal. `epkit
--install-completion` installs completion for the current shell, `epkit --show-completion` prints it.
"""


def rows_of(page: str, heading: str) -> list[list[str]]:
    """Return the cells of the first table under a heading, without the heading of the table."""
    under = page.partition(f"\n## {heading}\n")[2]
    table = under[under.index("\n|") + 1 :].partition("\n\n")[0]
    return [
        [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", row.strip("|"))]
        for row in table.splitlines()[2:]
    ]


def cell(text: str) -> str:
    return text.replace("|", "\\|")


def paragraphs(text: str) -> Iterator[str]:
    """Yield a command's own text as Markdown: examples as a block, everything else as prose."""
    for part in re.split(r"\n\s*\n|\x08\n", text):
        title, _, examples = part.strip().partition(":\n")
        if re.fullmatch("Examples?", title):
            yield f"```text\n{textwrap.dedent(examples).rstrip()}\n```"
        elif part.strip():
            yield " ".join(part.split()).replace("<", "\\<")


def table(options: list[Option]) -> str:
    lines = [f"| `{cell(option.shown)}` | {cell(option.help).replace('<', chr(92) + '<')} |" for option in options]
    return "\n".join(["| option | meaning |", "|---|---|", *lines])


def described(verb: Verb) -> str:
    """Write the chapter of a command."""
    title = f"{'#' * (2 + verb.name.count(' '))} {f'epkit {verb.name}'.strip()}"
    sections: dict[str, list[Option]] = {}
    for option in verb.options:
        if not EVERYWHERE & {*option.flags}:
            sections.setdefault(option.section, []).append(option)
    ordered = sorted(sections, key=lambda name: name == MORE)
    parts = [
        f"**{name}**\n\n{table(sections[name])}" if len(sections) > 1 else table(sections[name]) for name in ordered
    ]
    usage = f"```text\n{verb.usage}\n```"
    return "\n\n".join([title, usage, *paragraphs(verb.help), *parts, *paragraphs(verb.epilog)])


def test_the_commands_are_as_their_help_has_them():
    chapters = [described(verb) for verb in verbs().values()]

    check_file(REFERENCE / "cli.md", "\n\n".join([INTRODUCTION.rstrip(), *chapters]) + "\n")


def test_the_python_api_is_as_its_docstrings_have_it():
    check_file(REFERENCE / "python.md", api_page.page())


def test_a_function_is_described_with_its_arguments_and_errors():
    def ask(name: str, *, times: int = 1, how: str = "soon") -> bool:
        """Ask somebody.

        Args:
            name: `<name>` of one | two.
            times, how: for <all>,
                on two lines.

        Raises:
            ValueError: nobody is there.
        """
        raise ValueError(name, times, how)

    wanted = """\
## ask

```python
ask(name: str, *, times: int = 1, how: str = "soon") -> bool
```

Ask somebody.

| argument | meaning |
|---|---|
| `name` | `<name>` of one \\| two. |
| `times`, `how` | for \\<all>, on two lines. |

| raises | meaning |
|---|---|
| `ValueError` | nobody is there. |"""

    assert wanted == api_page.function("## ask", "ask", ask)


def test_commands_at_every_depth_are_found():
    assert {"bench", "score", "deploy create", "logs show"} <= set(verbs())
    assert {"-n", "--requests", "-X", "--no-keepalive"} <= verbs()["bench"].flags
    assert "| `--format text\\|ab\\|json\\|markdown` |" in described(verbs()["bench"])


FLAGS = (
    *("--proxy", "--proxy-auth", "--cacert", "--insecure", "--client-cert", "--no-sni", "--tls-version", "--ciphers"),
    *("--connect-to", "--bind"),
)


def test_the_table_of_tls_and_proxy_flags_is_that_of_the_commands():
    reaching = [verb for verb in verbs().values() if {"--target", *FLAGS} & verb.flags and not verb.groups]
    named = {flag: next(o.shown for o in verbs()["bench"].options if flag in o.flags) for flag in FLAGS}
    head = ["", *(verb.name for verb in reaching)]
    rows = [[f"`{cell(named[flag])}`", *("yes" if flag in verb.flags else "–" for verb in reaching)] for flag in FLAGS]
    made = "\n".join(f"| {' | '.join(row)} |" for row in [head, ["---"] * len(head), *rows])
    before, begin, rest = re.split(r"(<!-- flags: begin[^>]*-->\n)", read(TARGETS))
    _, end, after = rest.partition("<!-- flags: end -->")

    check_file(TARGETS, f"{before}{begin}\n{made}\n\n{end}{after}")


def kind(node: dict[str, Any]) -> str:
    """Return a type of the schema in the words of the page."""
    match node:
        case {"$ref": ref}:
            name = ref.rpartition("/")[2]
            return f"[{name}](#{name.lower()})"
        case {"const": value}:
            return f"`{json.dumps(value)}`"
        case {"enum": values}:
            return " or ".join(f"`{value}`" for value in values)
        case {"anyOf": several}:
            return " or ".join(map(kind, several))
        case {"type": "array", "items": items}:
            return f"array of {kind(items)}"
        case {"type": "object", "properties": properties}:
            return f"object: {', '.join(f'`{name}`' for name in properties)}"
        case {"type": "object", "additionalProperties": values}:
            return f"object of {kind(values)}"
    return str(node.get("type", "anything"))


DOCUMENTS = {
    "report.md": ("Report", report_document.schema()),
    "train.md": ("TrainReport", train_document.schema()),
    "drift.md": ("DriftReport", drift_document.schema()),
    "pipeline.md": ("PipelineRun", pipeline_document.schema()),
    "pipeline-comparison.md": ("RunComparison", comparison.schema()),
}
"""The pages of JSON documents: the name of the document, and its schema."""


@pytest.mark.parametrize(
    ("page", "name"), [(page, name) for page, (root, schema) in DOCUMENTS.items() for name in [root, *schema["$defs"]]]
)
def test_every_key_of_a_document_is_explained(page: str, name: str):
    root, schema = DOCUMENTS[page]
    part = schema if name == root else schema["$defs"][name]
    found = rows_of(read(REFERENCE / page), name)

    if "enum" in part:
        assert [f"`{value}`" for value in part["enum"]] == [value for value, _ in found]
        assert all(meaning for _, meaning in found)
        return
    assert [(f"`{key}`", kind(node)) for key, node in part["properties"].items()] == [
        (key, what) for key, what, _ in found
    ]
    assert all(meaning for *_, meaning in found)


@pytest.mark.parametrize("page", DOCUMENTS)
def test_the_page_of_a_document_explains_nothing_else(page: str):
    root, schema = DOCUMENTS[page]
    headings = re.findall(r"^## (.+)$", read(REFERENCE / page), re.MULTILINE)

    assert sorted([root, *schema["$defs"]]) == sorted(headings)


def test_the_records_and_columns_of_a_saved_run_are_explained():
    page = read(REFERENCE / "saved-run.md")
    tags = [saved.RUN, saved.ROWS, saved.STAT, saved.HIST, saved.DONE, saved.BEST]

    assert " ".join(f"{byte:02X}" for byte in saved.MAGIC) in page
    assert f"`{saved.FORMAT}`" in page
    assert f"{SAMPLE.itemsize} bytes" in page
    assert [f"`{tag.decode()}`" for tag in tags] == [tag for tag, _ in rows_of(page, "Records")]
    assert [[f"`{name}`", f"`{kind}`"] for name, kind in saved.columns()] == [
        row[:2] for row in rows_of(page, "Columns of ROWS")
    ]
    assert [[str(int(failure)), f"`{failure.name.lower()}`"] for failure in FAILURES] == [
        row[:2] for row in rows_of(page, "Failures")
    ]
    assert np.dtype([(name, kind) for name, kind in saved.columns()]) == SAMPLE


def test_every_exit_code_is_explained():
    page = read(REFERENCE / "exit-codes.md")
    listed = {int(code) for code in re.findall(r"^\| ([\d, ]+) \|", page, re.MULTILINE) for code in code.split(",")}
    # Not those that other modules and tests derive: what runs before determines which of these are loaded.
    kinds = [kind for kind in errors.EpkitError.__subclasses__() if kind.__module__ == errors.__name__]
    raised = {error.exit_code for error in (errors.EpkitError, *kinds)}

    assert raised | {0, 5, 130, 143} == listed
    assert not [name for error in kinds if f"`{(name := error.__name__)}`" not in page]


def test_the_examples_are_yaml():
    import yaml

    found = {path.name: yaml.safe_load(path.read_bytes()) for path in Path(ROOT / "docs" / "examples").glob("*.yaml")}

    assert found["dask-cluster.yaml"]["kind"] == "DaskCluster"
    assert "epkit bench" in found["azureml-job.yaml"]["command"]


def test_the_page_of_score_names_every_shape_and_every_form():
    page = (ROOT / "docs" / "score.md").read_text()

    assert [] == [shape.name for shape in SHAPES if f"`@{shape.name}`" not in page]
    assert [] == [form for form in FORMS if form not in TEXTS and f"`{form}`" not in page]
