"""The flags of every command that has a target, declared once: how to find, trust and reach the target."""

import inspect
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, TypeVar

from epkit.cli.options import common as o

if TYPE_CHECKING:
    from epkit.flows.target.request_options import TargetOptions

R = TypeVar("R")

FINDING: Final[dict[str, Any]] = {
    "header": o.Header,
    "target_flag": o.TargetName,
    "key_file": o.KeyFile,
    "schema": o.Schema,
}
"""Flags that name the target, its key and its contract; all default to None."""

REACHING: Final[dict[str, Any]] = {
    "timeout_s": o.Patience,
    "proxy": o.Proxy,
    "proxy_basic": o.ProxyAuth,
    "cacert": o.CaCert,
    "insecure": o.Insecure,
    "client_cert": o.ClientCert,
    "tls_version": o.TlsVersion,
    "ciphers": o.Ciphers,
}
"""Flags that say how to reach the target; all default to None, except `insecure`."""


def with_reach(flags: Mapping[str, Any]) -> Callable[[Callable[..., R]], Callable[..., R]]:
    """Add flags to a command; it receives them as one value, its parameter `reach` of type `TargetOptions`.

    Args:
        flags: flags of `FINDING` and `REACHING`, and `deployment`; names and types of parameters.
    """

    def decorate(command: Callable[..., R]) -> Callable[..., R]:
        def run(**given: Any) -> R:
            reach = _target_options({name: given.pop(name) for name in flags})
            return command(reach=reach, **given)

        own = inspect.signature(command)
        shared = [
            inspect.Parameter(
                name, inspect.Parameter.KEYWORD_ONLY, annotation=kind, default=False if name == "insecure" else None
            )
            for name, kind in flags.items()
        ]
        kept = [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in own.parameters.values()]
        kept = [each for each in kept if each.name != "reach"]
        run.__name__, run.__doc__ = command.__name__, command.__doc__
        run.__signature__ = own.replace(parameters=[*kept, *shared])  # type: ignore[attr-defined]
        run.__annotations__ = {each.name: each.annotation for each in (*kept, *shared)}
        return run

    return decorate


def _target_options(given: Mapping[str, Any]) -> "TargetOptions":
    """Make options from the given flags; a flag that the command does not have counts as not given.

    Raises:
        UsageError: a header cannot be sent.
    """
    from epkit.core.http.destination import Tls
    from epkit.endpoint.headers import parse_header
    from epkit.flows.target.request_options import RequestOptions, TargetOptions

    return TargetOptions(
        target=given.get("target_flag"),
        key_file=given.get("key_file"),
        timeout_s=given.get("timeout_s"),
        tls=Tls(
            verify=not given["insecure"],
            cacert=given["cacert"],
            client_cert=given["client_cert"],
            version=given["tls_version"],
            ciphers=given["ciphers"],
        ),
        request=RequestOptions(
            headers=tuple(parse_header(text) for text in given.get("header") or ()),
            deployment=given.get("deployment"),
            schema=given.get("schema"),
            predictions_at=given.get("predictions_at"),
            proxy=given["proxy"],
            proxy_basic=given["proxy_basic"],
        ),
    )
