"""Writes the results of a training: the model's directory, the reports next to it, and the predictions of all rows."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from epkit.core.json.writing import dumps
from epkit.core.train import card as cards
from epkit.core.train.card import CustomModel
from epkit.core.train.curves import name_of
from epkit.core.train.document import to_document
from epkit.core.train.metrics import Metrics
from epkit.core.train.plan import TrainPlan
from epkit.core.train.report import Artefact, Best, DataInfo, TrainReport
from epkit.errors import UsageError
from epkit.files import model_directory, outputs
from epkit.files.frames import keep_frame
from epkit.flows.train.choosing import Chosen
from epkit.flows.train.examples import TrainingMaterial
from epkit.flows.train.judging import Judgement
from epkit.flows.train.options import REPORT
from epkit.learners import custom, foreign
from epkit.learners.base import LearnerError
from epkit.learners.lightgbm import Boosted
from epkit.learners.versions import versions
from epkit.served import script
from epkit.served.model import combine

if TYPE_CHECKING:
    import polars as pl

PAGE, PREDICTIONS = "train.html", "predictions.parquet"

CHECKED: Final = 1000
"""Rows for which an exported model must give the same answers as the model."""


def model_files(
    material: TrainingMaterial,
    chosen: Chosen,
    judgement: Judgement,
    best: Best,
    data: DataInfo,
    plan: TrainPlan,
    exports: Sequence[str],
) -> dict[str, bytes]:
    """Return the files of the model's directory by name. The same training gives the same bytes.

    Raises:
        UsageError: the model cannot be exported in a requested format, or its estimator cannot be pickled.
    """
    used = versions()
    own: CustomModel | None = None
    try:
        if chosen.choice.kind == "custom":
            own, files = _pickled(chosen)
        else:
            arrays = combine([(weight, fitted.arrays()) for weight, _, fitted in chosen.members])
            files = {"model.npz": model_directory.npz_bytes(arrays)}
        for form in exports:
            files |= _exported(form, chosen, material)
    except LearnerError as error:
        raise UsageError(f"the model cannot be written: {error}") from None
    files["score.py"] = script.script(custom=own is not None).encode()
    files["conda.yml"] = script.conda(used, custom=own is not None).encode()
    card = cards.card(
        learned=material.learned,
        data=data,
        plan=plan,
        best=best,
        threshold=chosen.threshold,
        test=judgement.test,
        cohorts=judgement.cohorts,
        versions=used,
        files=list(files),
        custom=own,
    )
    return {**files, "card.json": cards.card_bytes(card)}


def _exported(form: str, chosen: Chosen, material: TrainingMaterial) -> dict[str, bytes]:
    """Return the model in another library's format: `model.txt`, or for a vote one file for each member, `model-7.txt`.

    Raises:
        UsageError: a package is missing, or a member does not consist of trees.
        LearnerError: the file would give other answers.
    """
    checked = material.search.examples.matrix[:CHECKED]
    found = {}
    for _, run, fitted in chosen.members:
        if not isinstance(fitted, Boosted):
            family = run.candidate.family
            raise UsageError(
                f"--export {form}: run {run.candidate.run} of the model is {family}, which is not trees: leave out "
                f"--export {form}, and the runs so far are used again"
            )
        booster = fitted.as_booster(checked)
        stem = "model" if len(chosen.members) == 1 else f"model-{run.candidate.run}"
        if form == "onnx":
            found[f"{stem}.onnx"] = foreign.onnx_bytes(booster, checked)
        else:
            found[f"{stem}.txt"] = foreign.lightgbm_text(booster)
    return found


def _pickled(chosen: Chosen) -> tuple[CustomModel, dict[str, bytes]]:
    """Return the card's entry for a user's own estimator, and its two files.

    Raises:
        LearnerError: it cannot be pickled.
    """
    (_, run, fitted) = chosen.members[0]
    made = custom.source(str(run.candidate.parameters["make"]))
    files = {"model.pkl": custom.pickled(fitted), made.path.name: made.text}
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    return CustomModel(module=made.path.name, make=made.make, sha256=digests), files


def write_model(directory: Path, files: Mapping[str, bytes], shown: str, *, overwrite: bool) -> Artefact:
    """Write the model's directory, completely or not at all.

    Raises:
        UsageError: the disk is full, or the directory holds something else.
    """
    sha256, size = model_directory.write(directory, files, overwrite=overwrite)
    return Artefact(path=shown, sha256=sha256, bytes=size)


def write_reports(directory: Path, report: TrainReport, page: str) -> None:
    """Write `train.json` and `train.html`.

    Raises:
        UsageError: the disk is full.
    """
    outputs.write(str(directory / REPORT), dumps(to_document(report)).decode() + "\n", "-o")
    outputs.write(str(directory / PAGE), page, "-o")


def write_predictions(
    directory: Path, material: TrainingMaterial, chosen: Chosen, judgement: Judgement, ids: Sequence[str]
) -> None:
    """Write each row's prediction by a model that was not trained on it, with the row's ids.

    The columns are: `row` (from 1, as in the table), the ids, the label, `prediction`, `judged` (`test`, or the fold),
    and for a classification the probability of each class.

    Raises:
        UsageError: the disk is full.
    """
    import polars as pl

    search, table = material.search, material.table.frame
    judged = search.places[chosen.judged]
    parts = [(judged, chosen.rows, [f"fold {fold + 1}" for fold in search.fold[chosen.judged]])]
    if judgement.test_rows is not None:
        parts.append((material.test, judgement.test_rows, ["test"] * len(material.test)))
    frames = []
    for places, metrics, names in parts:
        rows = material.learned.rows[places]
        kept = [table.get_column(name)[rows] for name in (*ids, search.examples.label.name)]
        columns = [pl.Series("row", rows + 1), *kept, *_answered(metrics), pl.Series("judged", names)]
        frames.append(pl.DataFrame(dict(_apart(columns))))
    keep_frame(pl.concat(frames).sort("row"), directory / PREDICTIONS)


def _answered(rows: Metrics) -> list["pl.Series"]:
    import polars as pl

    label = rows.label
    if label.task == "regression":
        return [pl.Series("prediction", rows.margins[:, 0])]
    found = [label.class_of(k) for k in range(len(label.classes))]
    answers = pl.Series("prediction", [found[k] for k in rows.answers.tolist()])
    chances = [pl.Series(f"probability of {name_of(each)}", rows.probabilities[:, k]) for k, each in enumerate(found)]
    return [answers, *chances]


def _apart(columns: Sequence["pl.Series"]) -> Iterator[tuple[str, "pl.Series"]]:
    """Give each column a unique name."""
    taken: set[str] = set()
    for column in columns:
        name = column.name
        while name in taken:
            name += "_"
        taken.add(name)
        yield name, column
