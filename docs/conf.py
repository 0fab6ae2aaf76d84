"""Makes the site of the manual with Sphinx: `nox -s docs` writes it into `build/site`.

The pages are Markdown in the form that code hosts show. Parts that such Markdown cannot express are added when a page
is read: the navigation is the list of `docs/index.md`, the notebook becomes a page, a Mermaid diagram becomes two
pictures.
"""

import json
import re
import tomllib
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from mermaidx import render
from sphinx.application import Sphinx

ROOT = Path(__file__).parent.parent
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
VERSION = re.search(r'^__version__ = "(.+)"$', (ROOT / "src/epkit/__init__.py").read_text(encoding="utf-8"), re.M)
HOME = "docs/index"
"""The page that lists all pages."""
EDIT = {"github.com": "{repository}/edit/main/{{filename}}", "gitlab.com": "{repository}/-/edit/main/{{filename}}"}
"""The URL at which a code host edits a file, by its host name."""
WIDE = {"flowchart": {"wrappingWidth": 1000}}
UNCUT = "foreignObject { overflow: visible } foreignObject div { white-space: nowrap !important }"
"""Lines of a diagram break only where its text says so, and are complete even with a wider font."""


def edit_link(urls: dict[str, str]) -> str:
    """Return the address for editing a page, with `{filename}` in it; empty if the repository is unknown.

    Args:
        urls: `project.urls` of pyproject.toml.
    """
    repository = next((url for name, url in urls.items() if name.lower() in ("repository", "source")), "").rstrip("/")
    return EDIT.get(urlsplit(repository).hostname or "", "").format(repository=repository.removesuffix(".git"))


# The source is the whole repository: pages link to each other inside and outside docs/, as on a code host.
project = "epkit"
release = version = VERSION[1] if VERSION else ""
root_doc = HOME
include_patterns = ["docs/**.md", "docs/course.ipynb", "*.md"]
# A code host shows the first one; the others have many files and no page.
exclude_patterns = ["README.md", ".*", "build", "dist", "src", "tests", "benchmarks", "payloads", "swagger", "**/.venv"]
source_suffix = {".md": "markdown", ".ipynb": "markdown"}
extensions = ["myst_parser"]
myst_heading_anchors = 6
highlight_language = "text"
suppress_warnings = ["misc.highlighting_failure"]  # JSON that is shortened with … is not valid

html_theme = "furo"
html_favicon = "favicon.svg"
html_title = f"epkit {version}"
html_show_sphinx = False
html_copy_source = False
html_show_copyright = False
html_theme_options: dict[str, Any] = {}
if link := edit_link(PYPROJECT["project"].get("urls", {})):
    html_theme_options["source_edit_link"] = link


def navigation(index: str) -> str:
    """Make the trees of the navigation: a group for each heading of the index, with the pages in its table."""
    groups = []
    for part in re.split(r"^## ", index, flags=re.MULTILINE)[1:]:
        title, _, text = part.partition("\n")
        found = re.findall(r"^\| \[(.+?)\]\((.+?)\)", text, flags=re.MULTILINE)
        pages = [f"{name} </{(ROOT / 'docs' / to).resolve().relative_to(ROOT)}>" for name, to in found]
        groups.append("\n".join(["```{toctree}", ":hidden:", f":caption: {title}", "", *pages, "```"]))
    return "\n\n".join(groups)


def notebook(source: str) -> str:
    """Convert a notebook to a page: its text, and its cells as code."""
    parts = []
    for cell in json.loads(source)["cells"]:
        text = "".join(cell["source"])
        language = "text" if re.search("^[!%]", text, re.MULTILINE) else "python"
        parts.append(text if cell["cell_type"] == "markdown" else f"```{language}\n{text}\n```")
    title, *others = parts
    return "\n\n".join([title, "{download}`The notebook itself <course.ipynb>`", *others])


def diagram(found: re.Match[str]) -> str:
    """Draw a diagram for a light and for a dark page, so that the page needs no script for it."""
    drawn = []
    for shade, theme in (("light", "neutral"), ("dark", "dark")):
        picture = (
            render(found[1], theme=theme, config=WIDE, css=UNCUT)
            .svg()
            .replace("my-svg", f"diagram-{found.start()}-{shade}")
        )
        drawn.append(f'<div class="only-{shade}">{picture}</div>')
    return "```{raw} html\n" + "\n".join(drawn) + "\n```"


def read(app: Sphinx, page: str, source: list[str]) -> None:  # noqa: ARG001 - as Sphinx calls it
    """Add the parts that a page's Markdown cannot express."""
    if page == "docs/course":
        source[0] = notebook(source[0])
    source[0] = re.sub(r"^```mermaid\n(.*?)^```$", diagram, source[0], flags=re.MULTILINE | re.DOTALL)
    if page == HOME:
        source[0] += f"\n\n{navigation(source[0])}\n"


def open_at_home(app: Sphinx, failed: Exception | None) -> None:
    """Redirect from the root of the site to its first page."""
    if failed is None and app.builder.format == "html":
        to = f'<meta charset="utf-8"><title>epkit</title><meta http-equiv="refresh" content="0; url={HOME}.html">'
        (Path(app.outdir) / "index.html").write_text(f"<!doctype html>{to}\n", encoding="utf-8")


def setup(app: Sphinx) -> None:
    """Register the functions above with Sphinx."""
    app.connect("source-read", read)
    app.connect("build-finished", open_at_home)
