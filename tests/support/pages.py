"""The pages of the manual in parts: blocks of code, commands with their output, inline code, links, headings."""

import re
from dataclasses import dataclass
from pathlib import Path

from support.places import ROOT

PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))
"""The pages for users."""
ALL = (*PAGES, *(ROOT / name for name in ("ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md")))
"""Those pages and the pages for people who change epkit."""

_FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_SPAN = re.compile(r"(?<!`)`([^`]+)`(?!`)")
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


def name_of(page: Path) -> str:
    """Return the name of a page: its path in the repository."""
    return page.relative_to(ROOT).as_posix()


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A fenced block: its language, and its text."""

    language: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A command of a console block, the lines of its documented output, and its exit code."""

    line: str
    printed: tuple[str, ...]
    code: int


def read(page: Path) -> str:
    """Read a page."""
    return page.read_text(encoding="utf-8")


def blocks(page: Path, language: str | None = None) -> list[Block]:
    """Return the fenced blocks of a page, in one language or in any."""
    found = [Block(language=kind, text=text) for kind, text in _FENCED.findall(read(page))]
    return [block for block in found if language in (None, block.language)]


def commands(block: Block) -> list[Command]:
    """Return the commands of a console block: lines that begin with `$`, and `$ echo $?` for the exit code."""
    found: list[Command] = []
    for part in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]:
        line, *printed = part.splitlines()
        if line == "echo $?":
            last = found.pop()
            found.append(Command(line=last.line, printed=last.printed, code=int(printed[0])))
        else:
            found.append(Command(line=line.partition("  #")[0].strip(), printed=tuple(printed), code=0))
    return found


def prose(page: Path) -> str:
    """Return a page without its fenced blocks."""
    return _FENCED.sub("", read(page))


def spans(page: Path) -> list[str]:
    """Return the inline code of a page, each on one line."""
    paragraphs = re.split(r"\n\s*\n", prose(page))
    return [" ".join(span.split()) for text in paragraphs for span in _SPAN.findall(text)]


def links(page: Path) -> list[str]:
    """Return the targets of links and pictures of a page, inside the repository."""
    return [to for to in _LINK.findall(_SPAN.sub("", prose(page))) if not re.match(r"\w+:", to)]


def anchors(page: Path) -> set[str]:
    """Return the anchors that a code host makes from the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
