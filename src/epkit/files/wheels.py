"""Makes a wheel of the installed epkit: other machines must run this version, not one of an index."""

import base64
import hashlib
import re
import zipfile
from collections.abc import Iterator, Mapping
from importlib import metadata
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from typing import Final

import epkit
from epkit.errors import UsageError, unreadable, unwritable

TAG: Final = "py3-none-any"
DATE: Final = (1980, 1, 1, 0, 0, 0)
"""Time of each file in the wheel, so that the same epkit gives the same bytes."""

MODE: Final = 0o100644 << 16
LEFT_OUT: Final = frozenset({"__pycache__"})
COMPILED: Final = tuple(EXTENSION_SUFFIXES)
"""Suffixes of the compiled module, which is left out: it is for this machine's Python, and epkit works without it."""

TAKEN: Final = ("METADATA", "entry_points.txt")
"""Files of the installer's directory that go into the wheel; the place of installation is not included."""


def write_wheel(directory: Path) -> Path:
    """Write the wheel of the installed epkit, whether it was installed from a wheel or from its sources.

    Source: the specification of binary distributions (packaging.python.org), format 1.0.

    Args:
        directory: directory for the wheel.

    Returns:
        The path of the wheel.

    Raises:
        UsageError: epkit is not installed, or a file cannot be read or written.
    """
    found = distribution()
    name = f"epkit-{re.sub(r'[^A-Za-z0-9.]+', '_', found.version)}"
    path = directory / f"{name}-{TAG}.whl"
    files = dict(_package())
    info = f"{name}.dist-info"
    for each in TAKEN:
        files[f"{info}/{each}"] = (found.read_text(each) or "").encode()
    files[f"{info}/WHEEL"] = f"Wheel-Version: 1.0\nGenerator: epkit\nRoot-Is-Purelib: true\nTag: {TAG}\n".encode()
    files[f"{info}/RECORD"] = _record(files, f"{info}/RECORD")
    try:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as wheel:
            for each, content in files.items():
                entry = zipfile.ZipInfo(each, DATE)
                entry.external_attr = MODE
                entry.compress_type = zipfile.ZIP_DEFLATED
                wheel.writestr(entry, content)
    except OSError as error:
        raise unwritable(str(path), error) from None
    return path


def pinned(extra: str) -> tuple[str, ...]:
    """Return the requirements of epkit and one of its extras, each in the installed version: `numpy==2.3.4`, in order.

    Raises:
        UsageError: epkit, or a package of the extra, is not installed.
    """
    found = []
    for requirement in distribution().requires or ():
        named = re.fullmatch(r"([A-Za-z0-9._-]+)(\[[^\]]*\])?[^;]*(?:;(.*))?", requirement)
        if named is None:
            continue
        marker = named[3] or ""
        of_extra = re.search(r"extra\s*==\s*['\"]([^'\"]+)['\"]", marker)
        if of_extra is not None and of_extra[1] != extra:
            continue
        try:
            version = metadata.version(named[1])
        except metadata.PackageNotFoundError:
            if marker and of_extra is None:  # for another system
                continue
            raise UsageError(f"{named[1]} is not installed: pip install 'epkit[{extra}]'") from None
        suffix = f"; {condition}" if (condition := _condition(marker)) else ""
        found.append(f"{named[1]}{named[2] or ''}=={version}{suffix}")
    return tuple(found)


def distribution() -> metadata.Distribution:
    """Return the installer's metadata of epkit.

    Raises:
        UsageError: epkit is not installed.
    """
    try:
        return metadata.distribution("epkit")
    except metadata.PackageNotFoundError:
        raise UsageError("epkit was not installed, and has no wheel: pip install it first") from None


def _condition(marker: str) -> str:
    """Return a marker without the extra in it."""
    parts = (part.strip() for part in marker.split(" and "))
    return " and ".join(part for part in parts if part and not part.startswith("extra"))


def _package() -> Iterator[tuple[str, bytes]]:
    """Yield the files of the package, sorted by their names in the wheel."""
    root = Path(epkit.__file__).parent
    for path in sorted(root.rglob("*")):
        if path.is_file() and not LEFT_OUT.intersection(path.parts) and not path.name.endswith(COMPILED):
            try:
                yield f"{root.name}/{path.relative_to(root).as_posix()}", path.read_bytes()
            except OSError as error:
                raise unreadable(str(path), error, "a file of epkit") from None


def _record(files: Mapping[str, bytes], own: str) -> bytes:
    """Return the list of files with their hashes, in the format that installers check."""
    lines = []
    for name, content in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
        lines.append(f"{name},sha256={digest},{len(content)}")
    return "\n".join([*lines, f"{own},,", ""]).encode()
