"""A training reports its phase from the table to the reports, not only during its runs."""

import io
from itertools import groupby

import polars as pl
import pytest

from epkit.core.train.sample import sample_table
from epkit.flows.context import Context
from epkit.flows.train.options import TrainOptions
from epkit.flows.train.train import train

pytest.importorskip("lightgbm", reason="needs the extra train")

AFTER = [
    "choosing and fitting the model", "judging the model", "looking for columns that know too much",
    "fitting the model without long call", "explaining the model", "writing the model",
]  # fmt: skip


def test_each_phase_is_shown_once_with_what_the_search_found(tmp_path):
    frame = pl.read_csv(sample_table(rows=600).encode())
    frame.rename({"duration": "long\x1b[1m  call"}).write_csv(tmp_path / "bank.csv")
    options = TrainOptions(file=str(tmp_path / "bank.csv"), label="y", runs=3, folds=2, workers=1, overwrite=True)
    context = Context(note=print, cwd=tmp_path)
    for searched in (True, False):  # the second time all runs are in the journal
        seen = []
        train(options, context, io.BytesIO(), show=seen.append)

        assert ["reading the table", None, *AFTER] == [phase for phase, _ in groupby(seen, lambda each: each.phase)]
        assert len(AFTER) + 1 == sum(each.phase is not None for each in seen)
        assert searched == any(each.running for each in seen)
        after = [each for each in seen if each.phase in AFTER]
        assert {(3, 3, None, ())} == {(each.done, each.total, each.left_s, each.running) for each in after}
        assert all(each.best is not None for each in after)
