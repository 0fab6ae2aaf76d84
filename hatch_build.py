"""The hook of the build: compiles the wire engine's optional module, or says why it does not.

The module makes epkit faster, and nothing needs it. So an installation succeeds without a C compiler, and then has
Python alone. The variable `EPKIT_COMPILE` changes this: 0 compiles nothing, 1 makes a failure an error.
"""

import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

VARIABLE: Final = "EPKIT_COMPILE"
MODULE: Final = "epkit/engines/wire/lane"
FLAGS: Final = ("-O2", "-g0", "-shared")  # -g0: debug information would be most of the file


class NotCompiledError(Exception):
    """The module cannot be compiled; the message is one line, and `output` is what the failed program printed."""

    def __init__(self, reason: str, output: str = "") -> None:
        super().__init__(reason)
        self.output = output


class LaneBuildHook(BuildHookInterface[Any]):
    """Adds the compiled module to a wheel, or to `src/` for an editable installation."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile the module before the files of the wheel are collected."""
        choice = os.environ.get(VARIABLE, "")
        if choice not in ("", "0", "1"):
            self.app.abort(f"{VARIABLE}={choice}: must be 0 or 1")
        suffix = sysconfig.get_config_var("EXT_SUFFIX")
        in_source = Path(self.root, "src", f"{MODULE}{suffix}")
        if version == "editable":
            # An older module would stay in use if this build fails. A new file is made, because a process may have
            # mapped the old one.
            in_source.unlink(missing_ok=True)
        self._directory = TemporaryDirectory(prefix="epkit-build-")
        try:
            built = compile_module(Path(self.root), Path(self._directory.name))
        except NotCompiledError as error:
            if choice == "1":
                self.app.abort(f"{error.output}\n{VARIABLE}=1: {error}".lstrip())
            self.app.display_warning(f"built without the compiled module: {error}")
            return
        if version == "editable":
            shutil.move(built, in_source)
            return
        build_data["force_include"][str(built)] = f"{MODULE}{suffix}"
        build_data["pure_python"], build_data["infer_tag"] = False, True

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:  # noqa: ARG002
        """Delete the temporary files."""
        self._directory.cleanup()


def compile_module(root: Path, into: Path) -> Path:
    """Translate the module to C, and compile it.

    The compiler is `CC`, otherwise the one that compiled Python. `CFLAGS` and `LDFLAGS` are added to Python's flags.

    Args:
        root: the directory of the project; nothing is written into it.
        into: directory for the files.

    Returns:
        The path of the compiled module.

    Raises:
        NotCompiledError: `EPKIT_COMPILE` is 0, this is another system or another Python, Python's headers or a program
            are missing, or a program failed.
    """
    if os.environ.get(VARIABLE) == "0":
        raise NotCompiledError(f"{VARIABLE}=0")
    if sys.platform != "linux" or sys.implementation.name != "cpython":
        raise NotCompiledError("it needs CPython on Linux")
    headers = sysconfig.get_path("include")
    if not Path(headers, "Python.h").is_file():
        raise NotCompiledError(f"no Python.h in {headers}")
    translated, built = into / "lane.c", into / "lane.so"
    # A relative path, because Cython writes it into the module, for tracebacks.
    _run([sys.executable, "-m", "cython", f"src/{MODULE}.pyx", "-o", str(translated)], root)
    flags = [word for name in ("CFLAGS", "CCSHARED") for word in shlex.split(sysconfig.get_config_var(name) or "")]
    given = [word for name in ("CFLAGS", "LDFLAGS") for word in shlex.split(os.environ.get(name, ""))]
    _run([*_compiler(), *flags, *FLAGS, f"-I{headers}", str(translated), "-o", str(built), *given], root)
    if not built.is_file():
        raise NotCompiledError("the compiler wrote no file")
    return built


def _compiler() -> list[str]:
    """Return the command of the C compiler; `cc`, if the one that compiled Python is not on this machine."""
    if given := os.environ.get("CC"):
        return shlex.split(given)
    usual = shlex.split(sysconfig.get_config_var("CC") or "cc")
    return usual if shutil.which(usual[0]) else ["cc"]


def _run(command: list[str], root: Path) -> None:
    """Run a program in the directory of the project.

    Raises:
        NotCompiledError: it is missing, or it failed.
    """
    try:
        done = subprocess.run(command, cwd=root, capture_output=True, text=True, errors="replace", check=False)
    except OSError as error:
        raise NotCompiledError(f"{command[0]}: {error.strerror}") from None
    if done.returncode == 0:
        return
    lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
    why = next((line for line in lines if "error" in line.lower()), lines[-1] if lines else "it printed no reason")
    raise NotCompiledError(f"{Path(command[0]).name} failed: {why}", done.stderr)
