"""Reads `epkit.toml`: endpoints and pipelines by name. Unknown keys are refused, because a typo would go unnoticed."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Literal, NoReturn

from epkit.core.http.masking import clean, is_sensitive
from epkit.core.http.url import Url, is_url, parse
from epkit.core.near import suggestion
from epkit.core.quantities import read_seconds
from epkit.endpoint.headers import header_problem
from epkit.errors import UsageError

if TYPE_CHECKING:
    from epkit.core.pipeline.config import PipelineConfig

FILENAME: Final = "epkit.toml"
DEFAULT_TIMEOUT_S: Final = 60.0
"""Default timeout of a request: that of Azure ML v1."""
MAX_TIMEOUT_S: Final = 86_400
MAX_BYTES: Final = 256 * 1024
"""Greatest size of an `epkit.toml`, enough for some thousand endpoints."""
MAX_KEY_PARTS: Final = 32
"""Greatest number of parts in a dotted key: the time of `tomllib` grows with the square of it. No valid key has more
than four parts."""

Auth = Literal["key", "aad", "aml_token", "none"]
AUTHS: Final[tuple[Auth, ...]] = ("key", "aad", "aml_token", "none")

_KEYS = (
    "uri", "swagger", "auth", "key_env", "key_file", "deployment", "timeout", "headers",
    "predictions_at", "backend", "service", "workspace",
)  # fmt: skip
_PUBLISHED_KEYS = ("url", "backend", "auth", "key_env", "key_file", "timeout", "service", "workspace")
_PUBLISHED_AUTHS: Final[tuple[Auth, ...]] = ("key", "aad")
_HOST = re.compile(r"(?!-)[a-z0-9-]{1,63}(\.(?!-)[a-z0-9-]{1,63})+")
"""A host in `aad_hosts`: in lower case, without a port."""
DEEPEST: Final = 4
"""Greatest number of parts in the path of a reported mistake: `endpoints.NAME.headers.HEADER`."""

_TOKENS = re.compile(
    r"""
    \"{3} (?: [^"\\]++ | \\. | "(?!"") )*+ (?: "{3,5} | \Z )   # each string in one piece, an open one to its end
    | \'{3} (?: [^']++ | '(?!\'\') )*+ (?: '{3,5} | \Z )
    | " (?: [^"\\\n]++ | \\. )*+ "?
    | ' [^'\n]*+ '?
    | \# [^\n]*+
    | [][{}=,.\n]
    """,
    re.VERBOSE | re.DOTALL,
)
"""The tokens that determine where a statement of TOML ends. The pattern never backtracks, so its time is linear."""
_PUNCTUATION = frozenset("[]{}=,\n")

_LITERAL = "a key must not be written here, because files get committed; use key_env or key_file"


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetSpec:
    """The target of a command: a table `[endpoints.NAME]` or `[published.NAME]`, or only a URL.

    Args:
        uri: where rows are sent, or runs of a published pipeline are requested; None for the embedded endpoint, which
            has no URI before it runs.
        name: its name in `epkit.toml`, None for a URL.
        place: `FILE: endpoints.NAME` for messages, None for a URL.
        swagger: where the contract is; None: next to the uri (`contract_url`).
        key_env: name of the environment variable with the key.
        key_file: path of the file with the key.
        timeout_s: timeout of one request, > 0.
        headers: headers in the table, in its order; never credentials.
        predictions_at: a JSON pointer to the predictions in a reply; None: epkit finds them.
        backend, service, workspace: the host, its name for the endpoint, and the workspace; `epkit deploy` writes them.
        found_in: the file that names the target, if the user may not know this file (`Config.found`): a note names it.
        outside: whether that file is outside the project (`Config.outside`).
    """

    uri: Url | None
    name: str | None = None
    place: str | None = None
    swagger: Path | Url | None = None
    auth: Auth = "key"
    key_env: str | None = None
    key_file: Path | None = None
    deployment: str | None = None
    timeout_s: float = DEFAULT_TIMEOUT_S
    headers: tuple[tuple[str, str], ...] = ()
    predictions_at: str | None = None
    backend: str | None = None
    service: str | None = None
    workspace: str | None = None
    found_in: Path | None = None
    outside: bool = False

    @property
    def embedded(self) -> bool:
        """Whether it is the endpoint that epkit starts itself."""
        return self.uri is None

    @property
    def shown(self) -> str:
        """The target in notes and reports: its name, otherwise its URL without credentials."""
        return self.name or ("the embedded endpoint" if self.uri is None else self.uri.shown)

    def check_keys(self) -> None:
        """Refuse a key if the file that names it is outside the project: it could name any key of the user.

        Raises:
            UsageError: there is such a key; the message says what to do.
        """
        given = "key_env" if self.key_env is not None else "key_file" if self.key_file is not None else None
        if self.outside and self.found_in is not None and given is not None:
            raise UsageError(
                f"{self.place}.{given}: refused, because the file is outside this project, in {self.found_in.parent}: "
                f"if you trust it, name it (EPKIT_CONFIG={self.found_in}) or run epkit there"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """An `epkit.toml`.

    Args:
        default: name of the endpoint that is the target if the user names none.
        endpoints: by name, in the file's order.
        pipelines: by name, in the file's order.
        published: pipelines whose runs are requested at a URL, by name, in the file's order.
        aad_hosts: hosts in lower case that may get an AAD token, in addition to those of Azure.
        found: whether EPKIT_CONFIG does not name the file, and it is not in the working directory or the repository's
            root.
        outside: whether the file is above the project: above the repository, or, outside a repository, above the
            working directory.
    """

    path: Path
    default: str | None
    endpoints: Mapping[str, TargetSpec]
    pipelines: "Mapping[str, PipelineConfig]" = field(default_factory=dict)
    published: Mapping[str, TargetSpec] = field(default_factory=dict)
    aad_hosts: tuple[str, ...] = ()
    found: bool = False
    outside: bool = False

    def endpoint(self, name: str) -> TargetSpec | None:
        """Return the endpoint with a name, with the file where it was found; None if there is none."""
        return self._found(self.endpoints.get(name))

    def publication(self, name: str) -> TargetSpec | None:
        """Return the published pipeline with a name, with the file where it was found; None if there is none."""
        return self._found(self.published.get(name))

    def _found(self, spec: TargetSpec | None) -> TargetSpec | None:
        return replace(spec, found_in=self.path, outside=self.outside) if spec is not None and self.found else spec

    def pipeline(self, name: str) -> "PipelineConfig":
        """Return the pipeline with a name.

        Raises:
            UsageError: there is none, or the file is outside the project: a pipeline runs code and deploys.
        """
        if name not in self.pipelines:
            known = f"one of {', '.join(self.pipelines)}" if self.pipelines else "there are none"
            raise UsageError(
                f'{self.path}: no pipeline has the name "{clean(name, 60)}"; {known}{suggestion(name, self.pipelines)}'
            )
        found = self.pipelines[name]
        if self.outside:
            raise UsageError(
                f"{found.place}: refused, because the file is outside this project, in {self.path.parent}: "
                f"if you trust it, name it (EPKIT_CONFIG={self.path}) or run epkit there"
            )
        return found


def parse_config(content: bytes, path: Path) -> Config:
    """Check the content of an `epkit.toml`.

    Args:
        path: path of the file; relative paths in it are relative to its directory.

    Raises:
        UsageError: it is too long, or has a mistake: the message is one line with the file, the line and the key.
    """
    if len(content) > MAX_BYTES:
        raise UsageError(f"{path}: longer than {MAX_BYTES:,} bytes: this is no {FILENAME}") from None
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise UsageError(f"{path}:{line}: not UTF-8: save the file as UTF-8") from None
    text = text.replace("\r\n", "\n")
    _check_keys(path, text)
    import tomllib  # late: without a file, nothing is parsed

    try:
        document = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise UsageError(_syntax(path, text, str(error))) from None
    return _Reader(path, text).config(document)


class _Reader:
    """Converts the parsed document to values, and finds the places of mistakes in the text."""

    def __init__(self, path: Path, text: str) -> None:
        self.path = path
        self.text = text

    def config(self, document: dict[str, Any]) -> Config:
        self.known(document, (), ("default", "endpoints", "pipelines", "published", "aad_hosts"))
        tables = self.typed(document, ("endpoints",), dict, "a table: [endpoints.NAME]") or {}
        endpoints = {name: self.entry(tables, ("endpoints", name)) for name in tables}
        default = self.word(document, ("default",))
        if default is not None and default not in endpoints:
            known = f"one of {', '.join(endpoints)}" if endpoints else "there are none in this file"
            why = f'no endpoint has the name "{clean(default)}"; {known}{suggestion(default, endpoints)}'
            self.refuse(("default",), why)
        parts = self.typed(document, ("pipelines",), dict, "a table: [pipelines.NAME]") or {}
        published = self.typed(document, ("published",), dict, "a table: [published.NAME]") or {}
        return Config(
            path=self.path,
            default=default,
            endpoints=MappingProxyType(endpoints),
            pipelines=MappingProxyType({name: self.pipeline(parts, name) for name in parts}),
            published=MappingProxyType({name: self.publication(published, name) for name in published}),
            aad_hosts=self.hosts(document, ("aad_hosts",)),
        )

    def pipeline(self, tables: dict[str, Any], name: str) -> "PipelineConfig":
        from epkit.core.pipeline.config import read_pipeline  # late, here and below: few files have a pipeline

        at = ("pipelines", name)
        self.pipeline_name(at)
        return read_pipeline(
            name,
            self.typed(tables, at, dict, "a table") or {},
            f"{self.path}: {_dotted(at)}",
            lambda inner, why: self.refuse((*at, *inner), why),
        )

    def pipeline_name(self, at: tuple[str, ...]) -> None:
        from epkit.core.pipeline.config import NAME

        if not re.fullmatch(NAME, at[-1]):
            self.refuse(at, "the name of a pipeline must be 1 to 63 letters, digits, - and _")

    def publication(self, tables: dict[str, Any], name: str) -> TargetSpec:
        from epkit.core.hosting.deployments import BACKENDS

        at = ("published", name)
        self.pipeline_name(at)
        table = self.typed(tables, at, dict, "a table") or {}
        self.known(table, at, _PUBLISHED_KEYS)
        if "url" not in table:
            self.refuse(at, 'url is missing: url = "http://127.0.0.1:PORT/jobs"')
        backend = self.word(table, (*at, "backend"))
        if backend is not None and backend not in BACKENDS:
            self.refuse((*at, "backend"), f"must be one of {', '.join(BACKENDS)}{suggestion(backend, BACKENDS)}")
        return TargetSpec(
            name=name,
            place=f"{self.path}: {_dotted(at)}",
            uri=self.url(table["url"], (*at, "url")),
            **self.access(table, at, _PUBLISHED_AUTHS),
            timeout_s=self.timeout(table, (*at, "timeout")),
            backend=backend,
            service=self.word(table, (*at, "service")),
            workspace=self.word(table, (*at, "workspace")),
        )

    def hosts(self, document: dict[str, Any], at: tuple[str, ...]) -> tuple[str, ...]:
        given = self.typed(document, at, list, 'an array of hosts: aad_hosts = ["ml.example.com"]') or []
        for host in given:
            if not isinstance(host, str) or not _HOST.fullmatch(host.lower()):
                self.refuse(at, 'are names of hosts, without scheme, port and path: aad_hosts = ["ml.example.com"]')
        return tuple(host.lower() for host in given)

    def entry(self, tables: dict[str, Any], at: tuple[str, ...]) -> TargetSpec:
        table = self.typed(tables, at, dict, "a table") or {}
        self.known(table, at, _KEYS)
        if "uri" not in table:
            self.refuse(at, 'uri is missing: uri = "https://HOST/score"')
        access = self.access(table, at, AUTHS)
        swagger = self.word(table, (*at, "swagger"))
        return TargetSpec(
            name=at[-1],
            place=f"{self.path}: {_dotted(at)}",
            uri=self.url(table["uri"], (*at, "uri")),
            swagger=None if swagger is None else self.document(swagger, (*at, "swagger")),
            **access,
            deployment=self.header((*at, "deployment"), "azureml-model-deployment", table.get("deployment")),
            timeout_s=self.timeout(table, (*at, "timeout")),
            headers=self.headers(table, (*at, "headers")),
            predictions_at=self.pointer(table, (*at, "predictions_at")),
            backend=self.word(table, (*at, "backend")),
            service=self.word(table, (*at, "service")),
            workspace=self.word(table, (*at, "workspace")),
        )

    def access(self, table: dict[str, Any], at: tuple[str, ...], auths: tuple[Auth, ...]) -> dict[str, Any]:
        """Return the values for access to an entry, by the fields of `TargetSpec`."""
        auth = self.word(table, (*at, "auth")) or "key"
        if auth not in auths:
            # The message does not repeat the word: it may be the key.
            self.refuse((*at, "auth"), f"must be one of {', '.join(auths)}{suggestion(auth, auths)}")
        key_env, key_file = self.word(table, (*at, "key_env")), self.word(table, (*at, "key_file"))
        if key_env is not None and key_file is not None:
            self.refuse((*at, "key_file"), "key_env and key_file are both given: keep one")
        if auth != "key" and (key_env or key_file):
            given = "key_env" if key_env else "key_file"
            self.refuse((*at, given), f'auth = "{auth}" uses no key: drop {given}, or say auth = "key"')
        if key_env is not None and not re.fullmatch("[A-Za-z_][A-Za-z0-9_]*", key_env):
            self.refuse(
                (*at, "key_env"),
                f"not the name of an environment variable; if it is the key itself, {_LITERAL}",
            )
        file = None if key_file is None else self.file(key_file, (*at, "key_file"))
        return {"auth": auth, "key_env": key_env, "key_file": file}

    def known(self, table: dict[str, Any], at: tuple[str, ...], keys: tuple[str, ...]) -> None:
        for key in table:
            if key not in keys:
                literal = is_sensitive(key) and not key.startswith("key_")
                why = _LITERAL if literal else f"unknown key{suggestion(key, keys)}"
                self.refuse((*at, key), why)

    def typed(self, table: dict[str, Any], at: tuple[str, ...], kind: type, name: str) -> Any:
        value = table.get(at[-1])
        if value is not None and not isinstance(value, kind):
            self.refuse(at, f"must be {name}, not {_kind(value)}")
        return value

    def word(self, table: dict[str, Any], at: tuple[str, ...]) -> str | None:
        value: str | None = self.typed(table, at, str, "a string")
        if value is not None and not value.strip():
            self.refuse(at, "must not be empty")
        return value

    def pointer(self, table: dict[str, Any], at: tuple[str, ...]) -> str | None:
        value: str | None = self.typed(table, at, str, "a string")
        if value and not value.startswith("/"):
            self.refuse(at, "must be a JSON pointer, which begins with /, such as /result")
        return value

    def url(self, value: object, at: tuple[str, ...]) -> Url:
        if not isinstance(value, str):
            self.refuse(at, f"must be a string, not {_kind(value)}")
        try:
            url = parse(value)
        except UsageError as error:
            self.refuse(at, str(error))
        if url.userinfo is not None:
            self.refuse(
                at, "a password must not be written here, because files get committed; give the URL in EPKIT_TARGET"
            )
        return url

    def document(self, text: str, at: tuple[str, ...]) -> Path | Url:
        return self.url(text, at) if is_url(text) else self.file(text, at)

    def file(self, text: str, at: tuple[str, ...]) -> Path:
        if "\0" in text:
            self.refuse(at, "must not contain a null character")
        try:
            return self.path.parent / Path(text).expanduser()
        except RuntimeError:
            self.refuse(at, f"there is no home directory for {clean(text.partition('/')[0])}")

    def timeout(self, table: dict[str, Any], at: tuple[str, ...]) -> float:
        value = table.get(at[-1], DEFAULT_TIMEOUT_S)
        if isinstance(value, str):
            try:
                value = read_seconds(value)
            except ValueError as error:
                self.refuse(at, str(error))
        if isinstance(value, bool) or not isinstance(value, int | float):
            self.refuse(at, f"must be a number of seconds, or a time such as 30s, not {_kind(value)}")
        if not 0 < value <= MAX_TIMEOUT_S:
            # Python refuses to write numbers of thousands of digits, which TOML can contain in base 16.
            shown = value if isinstance(value, float) or value.bit_length() < 64 else "a number of many digits"
            self.refuse(at, f"must be above 0 and at most {MAX_TIMEOUT_S} seconds, not {shown}")
        return float(value)

    def headers(self, table: dict[str, Any], at: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
        given = self.typed(table, at, dict, 'a table: headers = { "x-team" = "risk" }') or {}
        return tuple((name, self.header((*at, name), name, value) or "") for name, value in given.items())

    def header(self, at: tuple[str, ...], name: str, value: object) -> str | None:
        if value is None:
            return None
        if not isinstance(value, str):
            self.refuse(at, f"must be a string, not {_kind(value)}")
        if is_sensitive(name) or re.match(r"\s*(bearer|basic)\s", value, re.IGNORECASE):
            self.refuse(at, _LITERAL)
        problem = header_problem(name, value)
        if problem:
            self.refuse(at, problem)
        return value

    def refuse(self, at: tuple[str, ...], why: str) -> NoReturn:
        # `from None`: a cause could show text that the message hides.
        raise UsageError(f"{self.where(at)}: {_dotted(at)}: {why}") from None

    def where(self, at: tuple[str, ...]) -> str:
        lines = (line for line, place in _places(self.text) if place[: len(at)] == at)
        return f"{self.path}:{next(lines)}"


def _check_keys(path: Path, text: str) -> None:
    """Refuse dotted keys with too many parts before the text is parsed."""
    dots, line = 0, 1
    for token in _TOKENS.finditer(text):
        mark = token.group()
        if mark == ".":
            dots += 1
            if dots >= MAX_KEY_PARTS:
                raise UsageError(f"{path}:{line}: a key of more than {MAX_KEY_PARTS} parts: drop it") from None
        elif mark in _PUNCTUATION:
            dots = 0
        line += mark.count("\n")


def _places(text: str) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Yield the line and the path of every key and table header of a valid TOML text.

    The standard library's parser reports no positions, so each statement is parsed again separately.
    """
    import tomllib

    table: tuple[str, ...] = ()
    for line, statement in _statements(text):
        if statement.isspace():
            continue
        paths = list(_paths(tomllib.loads(statement), DEEPEST))
        if statement.lstrip().startswith("["):
            table = paths[0]
            yield line, table
        else:
            yield from ((line, table + path) for path in paths)


def _statements(text: str) -> Iterator[tuple[int, str]]:
    """Yield every statement of a valid TOML text with its first line; blank lines and comments count as statements."""
    start, depth = 0, 0
    first = line = 1
    for token in _TOKENS.finditer(text):
        mark = token.group()
        line += mark.count("\n")
        if mark in ("[", "{"):
            depth += 1
        elif mark in ("]", "}"):
            depth -= 1
        elif mark == "\n" and depth == 0:
            yield first, text[start : token.end()]
            start, first = token.end(), line
    if start < len(text):
        yield first, text[start:]


def _paths(value: object, depth: int) -> Iterator[tuple[str, ...]]:
    """Yield the paths of the keys in a parsed statement, down to a depth."""
    inner = value[0] if isinstance(value, list) and value else value
    if depth and isinstance(inner, dict) and inner:
        for key, below in inner.items():
            yield from ((key, *path) for path in _paths(below, depth - 1))
    else:
        yield ()


def _dotted(at: tuple[str, ...]) -> str:
    return ".".join(key if re.fullmatch("[A-Za-z0-9_-]+", key) else f'"{clean(key)}"' for key in at)


def _kind(value: object) -> str:
    names = {bool: "a boolean", str: "a string", list: "an array", dict: "a table"}
    return names.get(type(value), "a number" if isinstance(value, int | float) else "a date or time")


def _syntax(path: Path, text: str, message: str) -> str:
    words, _, place = message.partition(" (at ")
    position = re.fullmatch(r"line (\d+), column (\d+)\)", place)
    where = f"{position[1]}:{position[2]}" if position else f"{text.rstrip().count(chr(10)) + 1}"
    return f"{path}:{where}: not TOML: {clean(words[:1].lower() + words[1:])}"
