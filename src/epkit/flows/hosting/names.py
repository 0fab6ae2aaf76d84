"""The names of this machine's endpoints, for completion in a shell."""

from collections.abc import Mapping

from epkit.backends.local.state import Homes


def local_names(environ: Mapping[str, str]) -> tuple[str, ...]:
    """Return the names of the endpoints, running or not.

    Args:
        environ: the environment; only XDG_STATE_HOME and HOME are read.

    Raises:
        BackendError: there is no home directory.
    """
    return tuple(home.path.name for home in Homes(environ))
