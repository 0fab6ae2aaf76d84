"""Serves the docs page of a target or a file, and passes its requests on to the target, with the key added."""

import importlib.util
import json
import signal
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, BinaryIO, Final

from epkit.core.contract import documents
from epkit.core.contract.contract import parse
from epkit.core.docs.doors import Doors
from epkit.core.docs.page_contract import Routes
from epkit.core.docs.relay import Relayed, UnshownError, relay
from epkit.core.http.addresses import is_loopback
from epkit.core.http.masking import mask_text, mask_values
from epkit.core.http.url import is_url
from epkit.core.samples.rows import Failure
from epkit.endpoint.advice import advise
from epkit.endpoint.finding import find_config
from epkit.errors import EndpointError, UsageError
from epkit.files import contracts
from epkit.flows.context import Context
from epkit.flows.target import contract as target_contract
from epkit.flows.target.client import Client, open_client
from epkit.flows.target.request_options import TargetOptions
from epkit.flows.target.target import Target, UnreachableError
from epkit.reading import CONTRACT, read_whole

NEEDED: Final = ("starlette", "uvicorn", "flask_swagger_ui")
_FILES: Final = (".json", ".yaml", ".yml")
_JSON: Final = "application/json"


@dataclass(frozen=True, slots=True, kw_only=True)
class DocsOptions:
    """The options of `epkit docs`.

    Args:
        shown: the argument: a URL, a name in `epkit.toml`, the file of a contract, or `-`.
        reach: the options that name the target (`--target`) and say how to reach it.
        port: 0 for any free port.
    """

    shown: str | None = None
    reach: TargetOptions = field(default_factory=TargetOptions)
    host: str = "127.0.0.1"
    port: int = 8000


@dataclass(frozen=True, slots=True, kw_only=True)
class _Subject:
    """The contract that the page shows.

    Args:
        client: the client of the target; None if there is no target.
    """

    title: str
    document: Mapping[str, Any] = field(repr=False)
    client: Client | None
    note: str


def docs(
    options: DocsOptions, context: Context, stdin: BinaryIO, *, announce: Callable[[str, bool], None]
) -> signal.Signals:
    """Serve until Ctrl-C or SIGTERM.

    Args:
        announce: called with the page's address once it can be opened, and whether a request can be tried there.

    Returns:
        The signal that ended it.

    Raises:
        UsageError: the extra is not installed, the port is taken, or the target or the file does not exist.
        EndpointError: the contract cannot be fetched.
    """
    if any(importlib.util.find_spec(name) is None for name in NEEDED):
        raise UsageError('epkit docs needs the extra docs: pip install "epkit[docs]"')
    from epkit.web import app, ports, server

    if not 0 <= options.port < 65536:
        raise UsageError(f"--port {options.port}: a port is a number from 0 to 65535")
    with ports.listen(options.host, options.port) as listener, _subject(options, context, stdin) as subject:
        doors = _doors(options.host, listener.getsockname()[1])
        if not is_loopback(options.host):
            context.note(
                f"--host {options.host}: anyone who can reach this machine can open the page"
                + (" and score with your key" if subject.client else "")
            )
        routes = None if subject.client is None else Routes(subject.document, subject.client.target.uri)
        shown = mask_values(subject.document, context.secrets)  # a server may quote the key in its contract
        title = mask_text(subject.title, context.secrets)
        page = app.Page(title=title, document=shown, routes=routes, key_note=subject.note)
        application = app.make_app(page, doors, _forwarder(subject.client))
        announce(_address(options.host, doors.port), subject.client is not None)
        return server.serve(application, listener)


@contextmanager
def _subject(options: DocsOptions, context: Context, stdin: BinaryIO) -> Iterator[_Subject]:
    """Find the contract to show: the file that the argument names, otherwise the contract of the target."""
    file, named, schema = _sort_out(options, context)
    if file is not None and named is None:
        document = documents.decode(read_whole(stdin, CONTRACT, name="stdin"), name="stdin") if file == "-" else None
        name = "stdin" if file == "-" else file
        if document is None:
            document, _ = contracts.read(context.cwd / file, name=file)
        _look_at(document, name, context)
        note = "no target is named, so nothing can be tried out: start epkit docs with --target URL for that"
        context.note(f"{name}: {note}")
        yield _Subject(title=name, document=document, client=None, note=note[:1].upper() + note[1:])
        return
    with open_client(replace(options.reach, target=named), context, "what the page asks") as client:
        target = client.target
        if file == "-":
            document, name = documents.decode(read_whole(stdin, CONTRACT, name="stdin"), name="stdin"), "stdin"
        else:
            document, name = _contract(file or schema, client)
        _look_at(document, name, context, at=target.uri.path)
        yield _Subject(title=_title(target), document=document, client=client, note=_key_note(target))


def _sort_out(options: DocsOptions, context: Context) -> tuple[str | None, str | None, str | None]:
    """Separate file, target and schema: the argument may be a target or the file of a contract."""
    shown, named, schema = options.shown, options.reach.target, options.reach.request.schema
    file = shown if shown is not None and _is_file(shown, context) else None
    if file is not None and schema is not None:
        raise UsageError(f"{file}: this names a contract, and so does --schema: keep one")
    if file is None and shown is not None:
        if named is not None:
            raise UsageError("the target is given twice: as an argument and with --target")
        named = shown
    return file, named, schema


def _is_file(text: str, context: Context) -> bool:
    if text == "-":
        return True
    if is_url(text) or not (text.lower().endswith(_FILES) or "/" in text or (context.cwd / text).is_file()):
        return False
    config = find_config(context.cwd, context.environ)
    return config is None or text not in config.endpoints


def _contract(schema: str | None, client: Client) -> tuple[Any, str]:
    try:
        return target_contract.read(schema, client)
    except UnreachableError:
        raise
    except EndpointError as error:
        raise EndpointError(f"{error}: name the contract with --schema FILE|URL, or see epkit check") from None


def _look_at(document: object, name: str, context: Context, *, at: str | None = None) -> None:
    """Refuse a document that is not a contract. A broken contract only gets a note, because the page can show it."""
    if not isinstance(document, Mapping) or not ("swagger" in document or "openapi" in document):
        raise UsageError(f"{name} is neither a Swagger 2.0 nor an OpenAPI 3 document")
    try:
        parse(document, at=at)
    except UsageError as error:
        context.note(f"{name}: {error}; the page still shows the contract")


def _title(target: Target) -> str:
    return f"{target.spec.shown} ({target.uri.shown})" if target.spec.embedded else target.shown


def _key_note(target: Target) -> str:
    if target.key.authorization is None:
        return "Execute sends requests through this server. No key is sent: give --key-file, EPKIT_KEY or epkit.toml."
    return "Execute sends requests through this server, which adds the key: the key never enters the browser."


def _forwarder(client: Client | None) -> Callable[[str, str, bytes, str | None], Any]:
    async def forward(method: str, path: str, body: bytes, accept: str | None) -> Relayed:
        assert client is not None  # without a target, no route calls this
        kind = None if method in ("GET", "HEAD") else _JSON
        try:
            request = client.request(method, path, body, content_type=kind, accept=accept or "*/*")
        except UsageError as error:
            return _error(400, str(error))
        once = await client.send(request)
        if once.failure:
            return _error(504 if once.failure is Failure.TIMEOUT else 502, once.advice(client.target))
        if not 200 <= once.status < 600:
            return _error(502, f"the target answered with status {once.status}")
        try:
            relayed = relay(once.status, once.headers, once.body, client.target.secrets)
        except UnshownError as error:
            return _error(502, str(error))
        if relayed.status < 300:
            return relayed
        sent = any(name.lower() == "authorization" for name, _ in request.headers)
        advice = advise(once.status, once.headers, once.text, key_sent=sent, secrets=client.target.secrets, quote=False)
        advised = ("x-epkit-advice", advice.encode("latin-1", "replace").decode("latin-1"))
        return Relayed(status=relayed.status, headers=(*relayed.headers, advised), body=relayed.body)

    return forward


def _error(status: int, why: str) -> Relayed:
    return Relayed(status=status, headers=(("content-type", _JSON),), body=json.dumps({"error": why}).encode())


def _doors(host: str, port: int) -> Doors:
    wildcard = host in ("0.0.0.0", "::", "")  # noqa: S104 - asked about, not bound
    own = socket.gethostname().lower() if wildcard else _bracketed(host)
    return Doors(port=port, names=frozenset({own}), any_address=wildcard)


def _address(host: str, port: int) -> str:
    reachable = "127.0.0.1" if host in ("0.0.0.0", "") else "[::1]" if host == "::" else _bracketed(host)  # noqa: S104
    return f"http://{reachable}:{port}/"


def _bracketed(host: str) -> str:
    return f"[{host.lower()}]" if ":" in host else host.lower()


def open_browser(url: str, context: Context) -> None:
    """Open a page in the user's browser, if there is one outside this terminal."""
    import webbrowser

    try:
        browser: object = webbrowser.get()
    except webbrowser.Error:
        browser = None
    # A browser in the terminal would compete with this server for the terminal; a browser that the user chose may run.
    in_terminal = isinstance(browser, webbrowser.GenericBrowser) and not isinstance(
        browser, webbrowser.BackgroundBrowser
    )
    if browser is None or (in_terminal and "BROWSER" not in context.environ):
        context.note(f"no browser was found to open: open {url} yourself")
        return
    threading.Thread(target=webbrowser.open, args=(url,), daemon=True).start()
