"""Finds published pipelines in `epkit.toml`."""

from epkit.core.near import suggestion
from epkit.core.shortening import cut
from epkit.endpoint.config import FILENAME, TargetSpec
from epkit.endpoint.finding import find_config
from epkit.errors import UsageError
from epkit.flows.context import Context


def find_published(name: str, context: Context) -> tuple[TargetSpec, tuple[str, ...]]:
    """Find a published pipeline.

    Returns:
        Its entry, and the hosts that may get a token of Azure's; no hosts if the file is outside of the project.

    Raises:
        UsageError: there is none with this name, or a file outside of the project names its key.
    """
    config = find_config(context.cwd, context.environ)
    spec = None if config is None else config.publication(name)
    if config is None or spec is None:
        near = "" if config is None else suggestion(name, config.published)
        there = config is not None and name in config.pipelines
        todo = f"epkit pipeline publish {name} publishes it" if there else "give a name that is there, or a URL"
        raise UsageError(f'no published pipeline in {FILENAME} has the name "{cut(name, 60)}"{near}: {todo}')
    spec.check_keys()
    return spec, () if config.outside else config.aad_hosts
