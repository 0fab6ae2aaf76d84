"""Runs of pipelines as text, Markdown, JUnit XML and pages."""

import re
import xml.etree.ElementTree as ET

import pytest

from epkit.core.pipeline.comparison import compare
from epkit.core.pipeline.steps import StepResult
from epkit.reporters.pipeline import html, junit, markdown, text, words
from support import train_reports
from support.drawn_pages import balanced
from support.goldens import check
from support.pipeline_runs import hostile, pipeline_run

RENDERERS = {"txt": text.render, "md": markdown.render, "xml": junit.render}
RUNS = {"ok": pipeline_run(), "missed": pipeline_run(missed=True)}


@pytest.mark.parametrize("kind", RENDERERS)
@pytest.mark.parametrize("name", RUNS)
def test_golden(name, kind):
    check(f"pipeline-{name}.{kind}", RENDERERS[kind](RUNS[name]))


def test_a_step_is_a_line():
    lines = [words.step(step) for step in pipeline_run().steps]

    assert "data     ok        0.3 s  32,950 rows, 21 columns" == lines[0]
    assert "train    reused           best of 30: vote of 3, AUC 0.950 ± 0.001" == lines[1]
    assert "x" * 299 + "…" == words.step(StepResult(step="data", state="ok", line="x" * 999))[26:]


def test_runs_in_a_list_have_their_figures_and_the_last_is_first():
    lines = text.render_list("bank", [pipeline_run(3, missed=True), pipeline_run(4)], 4).splitlines()

    assert ["run", "4", "3"] == [line.split()[0] for line in lines]
    assert "AUC 0.950" in lines[1]
    assert "9.1 ms" in lines[1]
    assert lines[1].endswith("champion")
    assert "stopped" in lines[2]
    assert "bank: there are no runs yet\n" == text.render_list("bank", [], None)


def test_two_runs_are_compared_by_what_differs():
    other = pipeline_run(5, parameters={"data": "bank.csv", "label": "y", "train": {"runs": 4}})
    lines = text.render_compare(compare(pipeline_run(4), other)).splitlines()

    assert ["run", "4", "run", "5"] == lines[0].split()
    assert ["train.runs", "30", "4"] == lines[1].split()
    assert not any(line.startswith(("label", "rows", "model")) for line in lines)


def test_junit_has_a_case_a_step_and_a_gate():
    suite = ET.fromstring(junit.render(pipeline_run(missed=True)))
    cases = {case.get("name"): [child.tag for child in case] for case in suite.iter("testcase")}

    assert {"data": [], "train": [], "gate": ["failure"], "AUC>=0.945": ["failure"]} == cases
    assert ("4", "2", "0") == (suite.get("tests"), suite.get("failures"), suite.get("errors"))
    assert '<skipped message="bank serves it already"/>' in junit.render(pipeline_run())


def test_a_page_has_the_sequence_the_gates_and_links_that_are_relative():
    made = html.render(pipeline_run(), "../runs/4/")

    assert balanced(made)
    assert ["../runs/4/../../cache/c/model.run/train.html"] == re.findall(r'href="([^"]*)"', made)
    assert 8 == made.count("<rect "), "a box a step, those that were not reached too"
    assert [] == re.findall(r"(?:src)=|url\(|@import|<script|<link", made)
    assert "AUC&gt;=0.945" in made


def test_the_history_draws_metric_and_p99():
    runs = [pipeline_run(number, missed=number == 2) for number in range(1, 5)]
    made = html.render_history("bank", runs, 4)

    assert balanced(made)
    assert "AUC over runs" in made
    assert "p99 over runs" in made
    assert "champion" in made
    assert balanced(html.render_history("bank", [], None))


@pytest.mark.parametrize("given", train_reports.HOSTILE)
def test_what_a_file_or_a_user_says_cannot_act(given):
    run = hostile(given)
    page = html.render(run)
    made = [*(render(run) for render in RENDERERS.values()), page, html.render_history(given, [run], None)]
    made += [text.render_list("bank", [run], None), text.render_compare(compare(run, run))]

    for each in made:
        each.encode()
        assert not set("\x1b\u202e\u202c\ud800") & set(each)
    assert "<script" not in page
    assert balanced(page)
    ET.fromstring(junit.render(run))
