"""Writes a first `epkit.toml`, and warns about files with keys that git would commit."""

import json
import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, Final

from epkit.core.http import url as urls
from epkit.core.http.masking import clean
from epkit.core.http.url import Url
from epkit.endpoint.config import FILENAME
from epkit.endpoint.finding import unread_note
from epkit.endpoint.keys import looks_like_key
from epkit.endpoint.starter import NAME, Starter, WorkspaceConfig, name_of, render, without_credentials
from epkit.errors import UsageError
from epkit.files import outputs, repository
from epkit.flows.context import Context
from epkit.paths import foreign_owner
from epkit.reading import WORKSPACE, read_whole

AZURE: Final = ("config.json", ".azureml/config.json", "aml_config/config.json")
"""Where Azure's SDKs look for the workspace: in a directory and in each directory above it."""


_KEY_FILES: Final = re.compile(r"(.*\.key|(.*[-_.])?(api|primary|secondary)?[-_]?keys?(\.txt)?)", re.IGNORECASE)
_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class InitOptions:
    """The options of `epkit init`.

    Args:
        sources: a URL, an Azure `config.json`, or one of each.
        sample: the file for a generated table, which is written instead of `epkit.toml`.
    """

    sources: tuple[str, ...] = ()
    name: str | None = None
    key_file: str | None = None
    key_env: str | None = None
    sample: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """The file that was written.

    Args:
        name: the endpoint's name; None if the user has to add its URI.
    """

    path: str
    name: str | None


def write_sample(options: InitOptions, context: Context) -> str:
    """Write a table to train on, which `core.train.sample` generates.

    Returns:
        The file's name.

    Raises:
        UsageError: the file exists, its name does not end in `.csv`, or another option is given as well.
    """
    from epkit.core.train.sample import sample_table  # late: it imports numpy

    assert options.sample is not None
    others = {"--name": options.name, "--key-file": options.key_file, "--key-env": options.key_env}
    other = next((flag for flag, value in others.items() if value), None) or next(iter(options.sources), None)
    if other is not None:
        raise UsageError(f"--sample {options.sample}: writes a table and no {FILENAME}: leave {other} out")
    if not options.sample.lower().endswith(".csv"):
        raise UsageError(f"--sample {options.sample}: the table is CSV: call the file NAME.csv")
    path = context.cwd / options.sample
    if path.exists() or path.is_symlink():
        raise UsageError(f"{options.sample} exists already and is not overwritten: name another file")
    outputs.create(path, sample_table(), options.sample)
    return options.sample


def init(options: InitOptions, context: Context, stdin: BinaryIO) -> Begun:
    """Write `epkit.toml` in the working directory.

    Raises:
        UsageError: the file exists; a source makes no sense; an option that names a key looks like the key itself.
    """
    _check(options)
    path = context.cwd / FILENAME
    if path.exists() or path.is_symlink():
        raise UsageError(f"{FILENAME} exists already and is not overwritten: edit it, or move it away")
    uri, workspace = _read(options.sources, context, stdin)
    if workspace is None:
        workspace = _nearby(context)
    left_out: tuple[str, ...] = ()
    if uri is not None:
        uri, left_out = without_credentials(uri)
    name = options.name or ("endpoint" if uri is None else name_of(uri))
    starter = Starter(name=name, uri=uri, workspace=workspace, key_env=options.key_env, key_file=options.key_file)
    above = next((folder / FILENAME for folder in context.cwd.parents if (folder / FILENAME).is_file()), None)
    outputs.create(path, render(starter), FILENAME)
    if left_out:
        context.note(
            f"{FILENAME}: of the URL {' and '.join(left_out)} is left out, because files get committed: put the key "
            f"into a file of mode 0600 and name it as key_file, or give the whole URL in EPKIT_TARGET"
        )
    if (unread := unread_note(path, context.cwd, context.environ)) is not None:
        context.note(unread)
    elif above is not None:
        context.note(f"{FILENAME}: from here on it is read instead of {above}")
    for line in _advice(options.key_file, context.cwd):
        context.note(line)
    return Begun(path=FILENAME, name=None if uri is None else name)


def _check(options: InitOptions) -> None:
    if options.name is not None and not NAME.fullmatch(options.name):
        raise UsageError("--name: a name has letters, digits, - and _, at most 64")
    if options.key_file is not None and options.key_env is not None:
        raise UsageError("--key-file and --key-env both say where the key is: keep one")
    if options.key_file is not None and looks_like_key(options.key_file) and not Path(options.key_file).exists():
        raise UsageError("--key-file: this looks like the key itself; name the file that holds it")
    if options.key_env is not None and (not _VARIABLE.fullmatch(options.key_env) or looks_like_key(options.key_env)):
        raise UsageError("--key-env: not the name of an environment variable; the key itself has no place in a file")


def _read(sources: Sequence[str], context: Context, stdin: BinaryIO) -> tuple[Url | None, WorkspaceConfig | None]:
    """Read the sources that the user named: at most one URL and one workspace."""
    uris = [urls.parse(source) for source in sources if urls.is_url(source)]
    files = [source for source in sources if not urls.is_url(source)]
    if len(uris) > 1 or len(files) > 1:
        raise UsageError("one URL and one Azure config.json at most; add further endpoints in the file")
    return (uris[0] if uris else None), (_workspace(files[0], context, stdin) if files else None)


def _workspace(file: str, context: Context, stdin: BinaryIO) -> WorkspaceConfig:
    name = "stdin" if file == "-" else file
    try:
        data = read_whole(stdin if file == "-" else context.cwd / file, WORKSPACE, name=name)
    except FileNotFoundError:
        raise UsageError(
            f"{urls.shown(name)}: neither a URL nor a file: a URL begins with http:// or https://"
        ) from None
    except OSError as error:
        raise UsageError(f"{name}: cannot be read: {error.strerror}") from None
    try:
        document = json.loads(data.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        raise UsageError(f"{name}: not JSON, so not Azure's config.json") from None
    found = document.get("workspace_name") if isinstance(document, dict) else None
    if not isinstance(found, str) or not clean(found):
        raise UsageError(f'{name}: not Azure\'s config.json: it has no "workspace_name"')
    group = document.get("resource_group")
    return WorkspaceConfig(name=clean(found), resource_group=group if isinstance(group, str) else "", source=name)


def _nearby(context: Context) -> WorkspaceConfig | None:
    """Find the workspace as Azure's SDKs find it.

    A `config.json` that is not Azure's, or that belongs to another user, is ignored.
    """
    for folder in (context.cwd, *context.cwd.parents):
        for candidate in AZURE:
            path = folder / candidate
            if path.is_file() and foreign_owner(path, context.environ) is None:
                shown = candidate if folder == context.cwd else str(path)
                try:
                    found = _workspace(shown, context, BytesIO())
                except UsageError:
                    continue
                context.note(f"{shown}: Azure's workspace {found.name} is filled in")
                return found
    return None


def _advice(key_file: str | None, cwd: Path) -> Iterator[str]:
    """Yield advice about files with keys that git would commit."""
    named = [] if key_file is None else [(cwd / Path(key_file).expanduser())]
    nearby = [path for path in sorted(cwd.iterdir()) if path.is_file() and _KEY_FILES.fullmatch(path.name)]
    if named and not named[0].exists():
        yield f"{key_file}: does not exist yet: write the key into it, and chmod 600"
    for path in dict.fromkeys([*named, *nearby]):
        shown = str(path.relative_to(cwd)) if path.is_relative_to(cwd) else str(path)
        state = repository.exposure(path)
        root = repository.root_of(path.parent)
        if root is None or state in ("outside", "ignored"):
            continue
        entry = f"/{path.relative_to(root)}"
        ignore = f"echo {shlex.quote(entry)} >> {shlex.quote(str(root / '.gitignore'))}"
        if state == "committed":
            yield (
                f"{shown}: this key is committed: git rm --cached {shlex.quote(str(path))}; {ignore}; "
                "then make a new key, because the history keeps this one"
            )
        else:
            yield f"{shown}: git would commit this key: {ignore}"
