"""Reduces errors of Azure's SDKs to code and message: the original texts contain whole replies, headers and advice."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from epkit.core.http.masking import clean, mask_urls

LOGIN: Final = (
    "no login at Azure: az login, or set AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET of a service "
    "principal"
)
ADVICE: Final[Mapping[int, str]] = {
    401: "the login is not accepted: az login again, with the right tenant",
    403: "this login may not do that: ask for the role AzureML Data Scientist on the workspace",
    409: "something else is being done to it: wait until that is over",
    429: "too many requests: wait a minute",
}
GONE: Final = 410
LONGEST: Final = 600

_AADSTS = re.compile(r"AADSTS\d+: [^\r\n]+")
_VERSION = re.compile(r"[?&]api-version=([0-9A-Za-z.-]{1,40})(?:&|$)")
_CODE_V1 = re.compile(r"(?:Response )?(?:Status )?[Cc]ode:? (\d{3})\b")
_OPERATION_V1 = re.compile(r"\nError:\n()(?=\{)")
_CONTENT_V1 = re.compile(r"Content:? ?b?(['\"])(?=\{)")
_UNREACHABLE = (
    *("ServiceRequestError", "ServiceResponseError", "ServiceRequestTimeoutError", "ServiceResponseTimeoutError"),
    *("ConnectionError", "ConnectTimeout", "ReadTimeout", "ProxyError", "SSLError", "MaxRetryError"),
    *(
        "ChunkedEncodingError",
        "ConnectError",
        "ReadError",
        "WriteError",
        "RemoteProtocolError",
        "PoolTimeout",
        "WriteTimeout",
    ),
)
"""Names of the errors that requests, azure-core and httpx raise if no server answers."""

VERSION_REFUSED: Final = frozenset({
    "InvalidApiVersionParameter", "InvalidResourceApiVersion", "NoRegisteredProviderFound", "UnsupportedApiVersion",
    "ApiVersionNotSupported", "ApiVersionRetired", "InvalidApiVersion",
})  # fmt: skip
"""Codes that mean: the service no longer supports this version of the API. Source: ARM's common errors."""

PASSING: Final = frozenset({408, 429, 500, 502, 503, 504})
"""Statuses of temporary failures: the same request may succeed a little later."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """The content of an SDK's exception.

    Args:
        status: HTTP status, None if there was no reply.
        code: the service's own code (`ResourceNotFound`), "" if it has none.
        kind: `login` if the user is not logged in, `unreachable` if no server answered, otherwise `refused`.
        version: version of the API that the SDK used, None if it is not known.
    """

    status: int | None
    code: str
    message: str
    kind: str = "refused"
    version: str | None = None

    @property
    def passes(self) -> bool:
        """Tell whether the same request may succeed a little later."""
        return self.kind == "unreachable" or self.status in PASSING

    @property
    def line(self) -> str:
        """Code, message and advice, in one line."""
        if self.kind == "login":
            return f"{self.message}; {LOGIN}" if self.message else LOGIN
        if self.kind == "unreachable":
            return f"Azure cannot be reached: {self.message}"
        words = ": ".join(part for part in (self.code, self.message) if part) or f"status {self.status}"
        advice = ADVICE.get(self.status or 0)
        if self.version is not None and (self.code in VERSION_REFUSED or self.status == GONE):
            advice = f"azure-ai-ml asks by version {self.version} of the API: a newer one may ask by another"
        return words + (f" ({advice})" if advice else "")


def reduce(error: BaseException) -> Refusal:
    """Read an SDK's exception.

    Args:
        error: an exception of azure-core, azure-identity, azure-ai-ml, azureml-core or requests. It is recognised by
            its attributes, so none of these libraries is imported.
    """
    chain = list(_chain(error))
    for each in chain:
        found = _login(each) or _from_reply(each)
        if found is not None:
            return found
    for each in chain:
        found = _from_v1(each)
        if found is not None:
            return found
    for each in chain:
        if type(each).__name__ in _UNREACHABLE:
            return Refusal(status=None, code="", message=_first_line(each), kind="unreachable")
    return Refusal(status=None, code=type(error).__name__, message=_first_line(error))


def said(message: str) -> str:
    """Make one short line of a service's message, without the credentials in its URLs."""
    return clean(mask_urls(message), LONGEST)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def _login(error: BaseException) -> Refusal | None:
    """Read azure-identity's exceptions; a ClientAuthenticationError with a reply of ARM is not one of them."""
    if type(error).__name__ not in ("CredentialUnavailableError", "ClientAuthenticationError"):
        return None
    response = getattr(error, "response", None)
    text = str(error)
    inner = _AADSTS.search(text)
    if inner is None and response is not None and "login" not in str(getattr(response.request, "url", "")):
        return None
    message = clean(inner[0], LONGEST) if inner else ""
    return Refusal(status=None, code="", message=message, kind="login")


def _from_reply(error: BaseException) -> Refusal | None:
    """Read azure-core's HttpResponseError: the status, and code and message from the body."""
    status = getattr(error, "status_code", None)
    if not isinstance(status, int):
        return None
    inner = getattr(error, "error", None)
    code, message = getattr(inner, "code", None), getattr(inner, "message", None)
    if not code:
        body = _body(getattr(error, "response", None))
        code, message = body.get("code"), body.get("message")
    message = message or _first_line(error)
    asked = str(getattr(getattr(getattr(error, "response", None), "request", None), "url", ""))
    version = _VERSION.search(asked)
    return Refusal(
        status=status,
        code=str(code or ""),
        message=said(_without_code(str(message))),
        version=None if version is None else version[1],
    )


def _body(response: Any) -> Mapping[str, Any]:
    text = getattr(response, "text", None)
    text = text() if callable(text) else text
    return _document(text) if isinstance(text, str) else {}


def _without_code(message: str) -> str:
    """Remove azure-core's additions to a message: the code in `(Code) Message`, and the lines that repeat both."""
    return re.sub(r"^\(\w+\)\s*", "", message).partition("\nCode: ")[0]


def _from_v1(error: BaseException) -> Refusal | None:
    """Read azureml-core's exceptions.

    Their text contains `Response Code: …`, `Headers: {…}` and `Content: b'{…}'` of a reply, or `Error:` and the JSON of
    a failed operation.
    """
    text = getattr(error, "message", None)
    text = text if isinstance(text, str) else str(error)
    status, operation = _CODE_V1.search(text), _quoted(text, _OPERATION_V1)
    content = _quoted(text, _CONTENT_V1)
    if operation is not None:
        document = _document(operation)
    elif content is not None:
        # The text is the repr of bytes.
        raw = content.encode("latin-1", "replace").decode("unicode_escape", "replace")
        document = _document(raw.encode("latin-1", "replace").decode("utf-8", "replace"))
    elif status is not None:
        document = {}
    else:
        return None
    number = int(status[1]) if status else document.get("statusCode")
    message = document.get("message") or _first_line(error)
    return Refusal(
        status=number if isinstance(number, int) else None,
        code=str(document.get("code") or ""),
        message=said(str(message)),
    )


def _quoted(text: str, opening: re.Pattern[str]) -> str | None:
    """Return the JSON object after an opening: its last brace is followed by the quotation mark of group 1."""
    ends: dict[str, int] = {}
    for found in opening.finditer(text):
        if found[1] not in ends:
            ends[found[1]] = text.rfind("}" + found[1])
        if ends[found[1]] > found.end():
            return text[found.end() : ends[found[1]] + 1]
    return None


def _document(text: str) -> Mapping[str, Any]:
    try:
        document = json.loads(text)
    except ValueError:
        return {}
    found = document.get("error", document) if isinstance(document, dict) else {}
    return found if isinstance(found, dict) else {}


def _first_line(error: BaseException) -> str:
    text = getattr(error, "message", None)
    lines = [line for line in str(text if isinstance(text, str) and text else error).splitlines() if line.strip()]
    return said(lines[0] if lines else type(error).__name__)
