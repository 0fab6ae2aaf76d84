"""The error of a target that could not be reached."""

from epkit.errors import EndpointError


class UnreachableError(EndpointError):
    """There is no connection to the target: a load would say the same."""
