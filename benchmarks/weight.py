"""Measures what epkit weighs on the disk, alone and with each extra: `python benchmarks/weight.py` (needs uv).

    python benchmarks/weight.py [--python 3.11] [EXTRA …]

Each is installed into a virtual environment of its own. What is counted is the content of site-packages as it was
downloaded: byte code is not there yet, and caches are elsewhere. "More" is over epkit alone; the packages are the
heaviest of what is more.
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
"""Packages that are named of each extra."""


def main() -> int:
    """Measure and print."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("extras", nargs="*", metavar="EXTRA", help="default: all that pyproject.toml has")
    parser.add_argument("--python", default=f"{sys.version_info[0]}.{sys.version_info[1]}", help="default: this one")
    options = parser.parse_args()
    if shutil.which("uv") is None:
        print("there is no uv: pip install uv", file=sys.stderr)
        return 1
    base = weigh(None, options.python)
    rows = [("–", _mb(sum(base.values())), "", _heaviest(base))]
    for extra in options.extras or project["optional-dependencies"]:
        found = weigh(extra, options.python)
        more = {name: size - base.get(name, 0) for name, size in found.items()}
        rows.append((f"`{extra}`", _mb(sum(found.values())), _mb(sum(more.values())), _heaviest(more)))
    print(table.markdown(("extra", "MB", "more", "most of it, MB"), rows, left=1))
    return 0


def weigh(extra: str | None, python: str) -> dict[str, int]:
    """Install epkit, and return the bytes of each package by its name."""
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


def _heaviest(sizes: dict[str, int]) -> str:
    """Name the heaviest packages."""
    found = sorted(sizes.items(), key=lambda item: item[1], reverse=True)[:NAMED]
    return ", ".join(f"{name} {_mb(size)}" for name, size in found if size >= 500_000)


if __name__ == "__main__":
    sys.exit(main())
