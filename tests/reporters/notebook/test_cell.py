"""The display of a result in a notebook's cell: a complete, safe piece of HTML, and a text of limited length."""

import re
from html.parser import HTMLParser

import pytest

import epkit
import epkit.pipeline
from epkit.api import Reports
from epkit.core.contract.contract import parse
from epkit.core.replies.predictions import Failed
from epkit.core.report import compare as compared
from epkit.core.score.scored import FailedRowExample, ScoreResult
from epkit.core.stats.histogram import Histogram
from epkit.core.train.document import to_document
from epkit.core.validate.violations import Verdict, Violation
from epkit.pipeline import PipelineRuns
from epkit.reporters.notebook.cell import LINES, shortened
from epkit.scoring import FailedRow, Predictions
from support import pipeline_runs, reports, train_reports
from support.canary import CANARY
from support.drawn_pages import balanced
from support.places import ROOT

EVIL = "</p></div><script>alert(1)</script><img src=x onerror=alert(1)>"


def attributes(html):
    """Return the names of all attributes."""
    found = set()

    class Reader(HTMLParser):
        def handle_starttag(self, tag, attrs):
            found.update(name for name, _ in attrs)

    Reader().feed(html)
    return found


def arm(name, run):
    return compared.Arm(name=name, reports=(run,) * 3)


def verdict(text):
    found = Violation(pointer=f"/data/0/{text}", rule="type", message=text, severity="error", hint=text, row=0, rows=1)
    return Verdict(violations=(found,), errors=1, kinds=3)


def predictions(text, stopped_by=None):
    why = Failed(reason="application", status=200, detail=text)
    summary = ScoreResult(
        target=text, rows=21, before=0, failed_rows=1, reasons={"application": 1},
        examples=(FailedRowExample(row=3, why=why, count=1),), requests=2, retries=1, service=Histogram(), seconds=0.5,
        complete=False, stopped_by=stopped_by,
    )  # fmt: skip
    lost = FailedRow(row=3, reason="application", status=200, detail=text)
    return Predictions([text, 1.5, {"a": [text]}, None, *range(17)], [lost], summary)


def contract(text):
    column = {"type": "object", "required": [text], "properties": {text: {"type": "integer"}, "x": {}}}
    body = {
        "type": "object",
        "properties": {"data": {"type": "array", "items": column}},
        "example": {"data": [{text: 1}]},
    }
    parameter = {"in": "body", "schema": body}
    document = {"swagger": "2.0", "paths": {f"/score{text}": {"post": {"parameters": [parameter]}}}}
    return epkit.Contract(parse(document))


KINDS = {
    "report": lambda text: reports.mixed(),
    "comparison": lambda text: compared.compare(arm(text, reports.all_ok()), arm("new", reports.all_ok())),
    "training": train_reports.hostile,
    "pipeline run": pipeline_runs.hostile,
    "verdict": verdict,
    "predictions": predictions,
    "contract": contract,
    "reports": lambda text: Reports([reports.all_ok(), reports.mixed()]),
    "pipeline runs": lambda text: PipelineRuns([pipeline_runs.hostile(text)], name=text, champion=4),
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_result_shows_itself(kind: str):
    shown = KINDS[kind](EVIL)._repr_mimebundle_()
    html, text = shown["text/html"], shown["text/plain"]

    assert ["text/html", "text/plain"] == list(shown)
    assert html.startswith('<div class="epkit"><style>')
    assert balanced(html)
    assert [] == re.findall(r"<script|<img|<link|@import|url\(", html)
    assert [] == [name for name in attributes(html) if name.startswith(("on", "src", "href"))]
    assert len(html) < 100_000
    assert text.strip()
    assert len(text.splitlines()) <= LINES


@pytest.mark.parametrize("kind", KINDS)
def test_no_key_is_shown_that_a_result_holds(kind: str, monkeypatch):
    from epkit import notebook
    from epkit.core.http.secret import Secret

    monkeypatch.setattr(notebook, "_SECRETS", [Secret(CANARY)])
    shown = "".join(KINDS[kind](f"it is {CANARY}")._repr_mimebundle_().values())

    assert CANARY not in shown
    assert ("it is ***" in shown) == (kind not in ("report", "reports"))


def test_kinds_are_left_out_and_not_made():
    report = reports.all_ok()

    assert ["text/plain"] == list(report._repr_mimebundle_(include={"text/plain"}))
    assert ["text/html"] == list(report._repr_mimebundle_(exclude={"text/plain"}))


def test_a_report_reads_as_on_the_command_line_and_shows_its_charts():
    shown = reports.sweep()._repr_mimebundle_()

    assert epkit.render(reports.sweep()).startswith(shown["text/plain"][:500])
    assert "Latency by throughput" in shown["text/html"]
    # The details are there, and folded.
    assert shown["text/html"].index("<details>") < shown["text/html"].index("Everything else")


def test_predictions_of_an_interrupted_job_say_so():
    found = predictions("yes", stopped_by=2)
    shown = found._repr_mimebundle_()

    assert found.partial
    assert not predictions("yes").partial
    assert '<p class="bad">interrupted after 21 rows, 1 failed</p>' in shown["text/html"]
    assert "and 11 more" in shown["text/html"]
    assert "interrupted: these are not all rows\n21 rows, 1 failed, 0.5 s" in shown["text/plain"]


def test_a_verdict_says_where_what_and_what_to_do():
    found = epkit.Contract.load(ROOT / "swagger" / "bank.swagger2.json").validate(b'{"data": [{"age": "x"}]}')
    shown = found._repr_mimebundle_()

    assert '<p class="bad">invalid: ' in shown["text/html"]
    assert "<td>/data/0/age (1:" in shown["text/html"]
    assert shown["text/plain"].startswith("payload:1:")


def test_a_contract_names_its_columns():
    shown = epkit.Contract.load(ROOT / "swagger" / "bank.swagger2.json")._repr_mimebundle_()

    assert "<h1>POST /score</h1>" in shown["text/html"]
    assert "rows as records at data" in shown["text/plain"]
    assert re.search(r"^  age +integer \(int64\), required$", shown["text/plain"], re.MULTILINE)


def test_a_list_that_shows_itself_is_written_by_its_own_text():
    class Printer:
        def __init__(self):
            self.said = []

        def text(self, words):
            self.said.append(words)

    printer = Printer()
    predictions("yes")._repr_pretty_(printer, False)

    assert printer.said[0].startswith("row  prediction\n  0  yes\n")


def test_a_long_text_is_cut_and_says_so():
    cut = shortened("\n".join(map(str, range(1000))))

    assert LINES == len(cut.splitlines())
    assert cut.endswith("78\n… and 921 more lines")
    assert "a\nb" == shortened("a\nb\n")


def test_a_training_is_read_again_and_shown(tmp_path):
    from epkit.core.json.writing import dumps

    report = train_reports.bank()
    (tmp_path / "model").mkdir()
    (tmp_path / "model.run").mkdir()
    (tmp_path / "model.run" / "train.json").write_bytes(dumps(to_document(report)))

    for path in ("model", "model.run", "model.run/train.json"):
        assert report == epkit.load_training(str(tmp_path / path)).report
    with pytest.raises(epkit.UsageError, match="nowhere: No such file or directory: name the directory"):
        epkit.load_training("nowhere")
    (tmp_path / "model.run" / "train.json").write_text('{"format": "epkit.report/1"}')
    with pytest.raises(epkit.UsageError, match=r"train\.json is not the report of a training: "):
        epkit.load_training(str(tmp_path / "model"))
