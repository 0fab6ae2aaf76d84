"""Turns the configuration of a pipeline into the options of its steps. All are checked before a step runs."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from epkit.core.pipeline.config import PipelineConfig
from epkit.core.train import gates
from epkit.core.train.gates import GateExpression
from epkit.errors import UsageError
from epkit.flows.pipeline.candidates import candidates_of
from epkit.flows.train.options import TrainOptions, TrainOrder, order_of


def train_options(config: PipelineConfig, root: Path, table: str, out: str = "model") -> TrainOptions:
    """Return the options of `epkit train`. They contain no gates, because another step judges them.

    Args:
        root: the directory of `epkit.toml`.
        table: path of the table.

    Raises:
        UsageError: a candidate does not exist.
    """
    given: dict[str, Any] = {key: tuple(v) if isinstance(v, list) else v for key, v in config.train.items()}
    for flag, field in (("id", "ids"), ("export", "exports")):
        if flag in given:
            given[field] = given.pop(flag)
    makes = candidates_of(config, root).makes
    return TrainOptions(file=table, label=config.label, out=out, custom=makes, overwrite=True, **given)


def train_order(config: PipelineConfig, root: Path) -> TrainOrder:
    """Return the plan of the training.

    Raises:
        UsageError: a value of `train` is wrong; one line that names the flag of `epkit train`.
    """
    with _placed(f"{config.place}.train"):
        return order_of(train_options(config, root, ""))


def gates_of(config: PipelineConfig) -> tuple[GateExpression, ...]:
    """Return the gates.

    Raises:
        UsageError: a gate cannot be parsed, or names no metric.
    """
    with _placed(config.place):
        return tuple(gates.parse(text) for text in config.gate)


@contextlib.contextmanager
def _placed(where: str) -> Iterator[None]:
    """Add the place in `epkit.toml` to an error about an option of `epkit train`."""
    try:
        yield
    except UsageError as error:
        raise UsageError(f"{where}: {error}") from None
