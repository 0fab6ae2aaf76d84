"""What Azure's SDKs raise, reduced to code and message: their own texts hold whole replies, headers and advice."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from epkit.core.masking import clean

LOGIN: Final = "no login at Azure: az login, or set AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET of a service principal"
ADVICE: Final[Mapping[int, str]] = {
    401: "the login is not accepted: az login again, with the right tenant",
    403: "this login may not do that: ask for the role AzureML Data Scientist on the workspace",
    409: "something else is being done to it: wait until that is over",
    429: "too many requests: wait a minute",
}
LONGEST: Final = 600

_AADSTS = re.compile(r"AADSTS\d+: [^\r\n]+")
_CODE_V1 = re.compile(r"(?:Response )?(?:Status )?[Cc]ode:? (\d{3})\b")
_CONTENT_V1 = re.compile(r"(?:Response )?Content:? ?b?(['\"])(?P<json>\{.*\})\1", re.DOTALL)
_UNREACHABLE = (
    "ServiceRequestError", "ServiceResponseError", "ServiceRequestTimeoutError", "ServiceResponseTimeoutError",
    "ConnectionError", "ConnectTimeout", "ReadTimeout", "ProxyError", "SSLError", "MaxRetryError",
    "ChunkedEncodingError",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """What an SDK's exception says.

    Args:
        status: HTTP status, None where there was no reply.
        code: the service's own word (`ResourceNotFound`), "" where it has none.
        kind: `login` where there is none, `unreachable` where nobody answered, else `refused`.
    """

    status: int | None
    code: str
    message: str
    kind: str = "refused"

    @property
    def line(self) -> str:
        """Code, message and what to do, in one line."""
        if self.kind == "login":
            return f"{self.message}; {LOGIN}" if self.message else LOGIN
        if self.kind == "unreachable":
            return f"Azure cannot be reached: {self.message}"
        words = ": ".join(part for part in (self.code, self.message) if part) or f"status {self.status}"
        advice = ADVICE.get(self.status or 0)
        return words + (f" ({advice})" if advice else "")


def reduce(error: BaseException) -> Refusal:
    """Find out what an SDK's exception says.

    Args:
        error: of azure-core, azure-identity, azure-ai-ml, azureml-core or requests; known by its shape, so that none
            of them has to be imported.
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


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def _login(error: BaseException) -> Refusal | None:
    """Read azure-identity's exceptions; a ClientAuthenticationError with a reply of ARM is none of them."""
    if type(error).__name__ not in ("CredentialUnavailableError", "ClientAuthenticationError"):
        return None
    response = getattr(error, "response", None)
    text = str(error)
    told = _AADSTS.search(text)
    if told is None and response is not None and "login" not in str(getattr(response.request, "url", "")):
        return None
    message = clean(told[0], LONGEST) if told else ""
    return Refusal(status=None, code="", message=message, kind="login")


def _from_reply(error: BaseException) -> Refusal | None:
    """Read azure-core's HttpResponseError: status, and code and message of the body."""
    status = getattr(error, "status_code", None)
    if not isinstance(status, int):
        return None
    told = getattr(error, "error", None)
    code, message = getattr(told, "code", None), getattr(told, "message", None)
    if not code:
        body = _body(getattr(error, "response", None))
        code, message = body.get("code"), body.get("message")
    message = message or _first_line(error)
    return Refusal(status=status, code=str(code or ""), message=clean(_without_code(str(message)), LONGEST))


def _body(response: Any) -> Mapping[str, Any]:
    try:
        text = response.text() if callable(response.text) else response.text
        document = json.loads(text)
        found = document.get("error", document)
    except (AttributeError, TypeError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _without_code(message: str) -> str:
    """Leave out what azure-core puts around the message: `(Code) Message`, and the lines that say both again."""
    return re.sub(r"^\(\w+\)\s*", "", message).partition("\nCode: ")[0]


def _from_v1(error: BaseException) -> Refusal | None:
    """Read azureml-core's exceptions, whose text has `Response Code: …`, `Headers: {…}`, `Content: b'{…}'`."""
    text = getattr(error, "message", None)
    text = text if isinstance(text, str) else str(error)
    status = _CODE_V1.search(text)
    content = _CONTENT_V1.search(text)
    if status is None and content is None:
        return None
    document: Any = {}
    if content is not None:
        try:
            # The text is the repr of bytes.
            raw = content["json"].encode("latin-1", "replace").decode("unicode_escape")
            document = json.loads(raw.encode("latin-1", "replace").decode("utf-8", "replace"))
        except ValueError:
            document = {}
    document = document if isinstance(document, dict) else {}
    inner = document.get("error")
    document = inner if isinstance(inner, dict) else document
    number = int(status[1]) if status else document.get("statusCode")
    message = document.get("message") or _first_line(error)
    return Refusal(
        status=number if isinstance(number, int) else None,
        code=str(document.get("code") or ""),
        message=clean(str(message), LONGEST),
    )


def _first_line(error: BaseException) -> str:
    text = getattr(error, "message", None)
    lines = [line for line in str(text if isinstance(text, str) and text else error).splitlines() if line.strip()]
    return clean(lines[0] if lines else type(error).__name__, LONGEST)
