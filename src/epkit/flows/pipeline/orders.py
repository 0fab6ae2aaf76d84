"""From the configuration of a pipeline to what its steps are asked for; everything is checked before a step runs."""

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
    """Return what `epkit train` is asked for; gates are not in it, for another step judges by them.

    Args:
        root: the directory of `epkit.toml`.
        table: where the table is.

    Raises:
        UsageError: a candidate is not there.
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
        UsageError: a value of `train` makes no sense; one line, which names the flag of `epkit train`.
    """
    with _placed(f"{config.place}.train"):
        return order_of(train_options(config, root, ""))


def gates_of(config: PipelineConfig) -> tuple[GateExpression, ...]:
    """Return the gates.

    Raises:
        UsageError: one cannot be read, or names no metric.
    """
    with _placed(config.place):
        return tuple(gates.parse(text) for text in config.gate)


@contextlib.contextmanager
def _placed(where: str) -> Iterator[None]:
    """Say where in `epkit.toml` an option is that `epkit train` refuses."""
    try:
        yield
    except UsageError as error:
        raise UsageError(f"{where}: {error}") from None
