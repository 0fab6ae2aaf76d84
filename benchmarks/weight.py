"""Measures how much disk space epkit takes, alone and with each extra: `python benchmarks/weight.py` (needs uv).

    python benchmarks/weight.py [--python 3.11] [EXTRA …]

Each is installed into a virtual environment of its own. The size is that of the installed files, before byte code is
written. "More" is the difference from epkit alone. The packages are the largest of that difference.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from importlib.metadata import Distribution, distributions
from pathlib import Path

import table

ROOT = Path(__file__).resolve().parent.parent
NAMED = 4
"""Number of packages that are named for each extra."""


def main() -> int:
    """Measure and print."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("extras", nargs="*", metavar="EXTRA", help="extras to install, default all of pyproject.toml")
    this = f"{sys.version_info[0]}.{sys.version_info[1]}"
    parser.add_argument("--python", default=this, metavar="VERSION", help="Python to install for, default this")
    options = parser.parse_args()
    if shutil.which("uv") is None:
        print("uv is not installed: pip install uv", file=sys.stderr)
        return 1
    base = weigh(None, options.python)
    rows = [("–", _largest(base), _mb(sum(base.values())), "")]
    for extra in options.extras or project["optional-dependencies"]:
        found = weigh(extra, options.python)
        more = {name: size - base.get(name, 0) for name, size in found.items()}
        rows.append((f"`{extra}`", _largest(more), _mb(sum(found.values())), _mb(sum(more.values()))))
    print(table.markdown(("extra", "largest packages, MB", "MB", "more"), rows, left=2))
    return 0


def weigh(extra: str | None, python: str) -> dict[str, int]:
    """Install epkit, and return the bytes of each installed package by its name."""
    wanted = str(ROOT) if extra is None else f"{ROOT}[{extra}]"
    with tempfile.TemporaryDirectory() as directory:
        place = Path(directory, "venv")
        for command in (
            ["venv", "-p", python, place],
            ["pip", "install", "--no-compile-bytecode", "-p", place, wanted],
        ):
            subprocess.run(["uv", "--quiet", *command], check=True)
        (site,) = place.glob("lib/python*/site-packages")
        return {found.metadata["Name"]: sum(_sizes(found)) for found in distributions(path=[str(site)])}


def _sizes(package: Distribution) -> Iterator[int]:
    for file in package.files or ():
        path = Path(str(file.locate()))
        if path.is_file():
            yield path.stat().st_size


def _mb(size: int) -> str:
    return f"{size / 1e6:.0f}"


def _largest(sizes: dict[str, int]) -> str:
    """Name the largest packages."""
    found = sorted(sizes.items(), key=lambda item: item[1], reverse=True)[:NAMED]
    return ", ".join(f"{name} {_mb(size)}" for name, size in found if size >= 500_000)


if __name__ == "__main__":
    sys.exit(main())
