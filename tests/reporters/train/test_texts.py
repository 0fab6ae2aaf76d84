"""The text of a training, the table for a pull request, and the test cases for a build server."""

import xml.etree.ElementTree as ET
from dataclasses import replace

import pytest

from epkit.core.train.report import Figure, Leak
from epkit.reporters.train import html, junit, markdown, text, words
from support import train_reports
from support.goldens import check

RENDERERS = {"txt": text.render, "md": markdown.render, "xml": junit.render}


@pytest.mark.parametrize("kind", RENDERERS)
@pytest.mark.parametrize("name", train_reports.ALL)
def test_golden(name, kind):
    check(f"train-{name}.{kind}", RENDERERS[kind](train_reports.ALL[name]()))


@pytest.mark.parametrize("name", train_reports.ALL)
def test_the_text_is_seen_at_once(name):
    lines = text.render(train_reports.ALL[name]()).splitlines()

    assert len(lines) <= 40
    assert max(map(len, lines)) <= 80


def test_many_warnings_gates_and_classes_do_not_make_the_text_long():
    report = train_reports.bank()
    many = replace(
        report,
        warnings=tuple(f"warning {i}" for i in range(50)),
        leaks=report.leaks * 30,
        gates=report.gates * 30,
        data=replace(report.data, classes={f"class {i}": i for i in range(1000)}),
    )

    assert len(text.render(many).splitlines()) <= 55
    assert "and 47 more warnings: train.json has all" in text.render(many)


@pytest.mark.parametrize("hostile", train_reports.HOSTILE)
@pytest.mark.parametrize("kind", RENDERERS)
def test_what_a_table_says_cannot_act_on_a_terminal_or_a_file(kind, hostile):
    made = RENDERERS[kind](train_reports.hostile(hostile))

    made.encode()
    assert not set("\x1b\u202e\u202c\ud800") & set(made)


@pytest.mark.parametrize("hostile", train_reports.HOSTILE)
def test_the_junit_document_is_xml_with_a_case_a_gate(hostile):
    suite = ET.fromstring(junit.render(train_reports.hostile(hostile)))

    assert ["failure"] == [child.tag for case in suite.iter("testcase") for child in case]


def test_a_gate_that_could_not_be_judged_is_an_error_and_one_that_was_missed_a_failure():
    suite = ET.fromstring(junit.render(train_reports.bank()))

    assert [[], ["failure"], ["error"], []] == [[child.tag for child in case] for case in suite.iter("testcase")]
    assert ("4", "1", "1") == tuple(suite.get(key) for key in ("tests", "failures", "errors"))


def test_a_table_cannot_write_markdown_or_html():
    page = markdown.render(train_reports.hostile("`x` <img> [a](b) @all | c"))

    assert r"| \`x\` \<img\> \[a\](b) \@all \| c = " in page
    assert r"`'x' <img> [a](b) @all \| c`" in page
    tables = [line for line in page.splitlines() if line.startswith("|")]
    assert {4, 5} == {line.replace(r"\|", "").count("|") for line in tables}


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (0.95, "0.950"), (1.0, "1.000"), (0.0, "0.000"), (0.0421, "0.0421"), (0.00061, "0.00061"), (-0.0024, "-0.0024"),
        (412.318, "412.32"), (9.7, "9.700"), (12345.6, "12,346"), (-0.5, "-0.500"),
    ],
)  # fmt: skip
def test_figures_are_fractions_and_as_long_as_they_need(value, written):
    assert written == words.number(value)


def test_a_figure_without_an_interval_has_none():
    assert "0.500" == words.with_interval(Figure(value=0.5))
    assert "0.500 (0.400 to 0.600)" == words.with_interval(Figure(value=0.5, ci95=(0.4, 0.6)))


def test_a_column_that_is_the_label_is_said_to_be():
    leak = Leak(column="y copy", alone=0.99996, without=None, disguise=True)

    assert "y copy: AUC alone 1.000: it repeats the label; --drop 'y copy'" == words.leak(leak, train_reports.bank())


def test_a_name_that_cannot_be_shown_is_not_in_a_command():
    leak = Leak(column="a\nb", alone=0.9, without=None, disguise=True)

    assert words.leak(leak, train_reports.bank()).endswith("; leave it out with --drop")


def test_f1_is_proposed_only_where_it_was_tried_and_not_chosen():
    report = train_reports.bank()
    chosen = replace(report.threshold, rule="f1", value=0.31)

    assert "--threshold f1 would take 0.310, F1 0.652 in place of 0.571" in words.threshold(report)
    assert "0.310 (f1): from this probability of yes on" == words.threshold(replace(report, threshold=chosen))
    assert words.threshold(replace(report, threshold=None)) is None


def test_a_directory_with_spaces_is_quoted_in_the_next_command():
    report = train_reports.bank()
    spaced = replace(report, artefact=replace(report.artefact, path="my model"))

    assert "epkit deploy create NAME --model 'my model' --entry score.py" == words.next_command(spaced)


def test_why_an_estimator_of_the_user_failed_is_said_and_of_the_others_the_first():
    own = replace(train_reports.failed(9, "bad fit"), family="custom", parameters={"make": "mine.py:make"})
    others = (train_reports.failed(7), train_reports.failed(8, "no memory"))
    report = replace(train_reports.bank(), runs=(*train_reports.search(5), *others, own))

    assert ["--custom mine.py:make: bad fit", "run 7, gbdt: LightGBM: the leaf has no rows"] == words.failures(report)
    assert "Failed:       --custom mine.py:make: bad fit\n" in text.render(report)
    assert "- failed: --custom mine.py:make: bad fit\n" in markdown.render(report)
    assert "failed: --custom mine.py:make: bad fit<" in html.render(report)


def test_the_leaderboard_begins_with_the_best_and_ends_with_what_failed():
    ranked = words.ranked(train_reports.search())

    assert ranked[0].behind is None
    assert [41] == [run.run for run in ranked[-1:]]
    assert sorted(ranked[:-1], key=lambda run: -run.metrics["AUC"].value) == ranked[:-1]
    assert 6 == words.indistinguishable(ranked)


def test_a_gate_without_a_reason_says_what_was_observed():
    missed, unjudged = (replace(gate, reason=None) for gate in train_reports.GATES[1:])

    assert "MISSED: cohort(job).accuracy>=0.85 (observed 0.823; 95 % interval 0.763 to 0.883)" == words.gate(missed)
    assert "AUC>=base-0.002 cannot be judged" == words.gate(unjudged)


def test_a_choice_that_adds_nothing_has_no_optimism():
    best = replace(train_reports.bank().best, optimism=0.0, validation={"AUC": Figure(value=0.9)})

    said = words.optimism(replace(train_reports.bank(), best=best))
    assert "none: choosing among the runs adds nothing to the 0.900 out of fold" == said


def test_a_cohort_that_is_no_worse_than_all_rows_and_a_tree_of_one_leaf_are_no_news():
    report = train_reports.bank()
    metric = words.cohort_metric(report)
    whole = words.headline(report).metrics[metric]
    best = replace(report.cohorts[0], metrics={metric: replace(whole, value=whole.value + 0.01)})
    leaf = replace(report.errors[0], path=())
    printed = text.render(replace(report, cohorts=(best,), errors=(leaf,)))

    assert "Worst cohort" in text.render(report)
    assert "Most wrong" in text.render(report)
    assert "Worst cohort" not in printed
    assert "Most wrong" not in printed


def test_the_vote_is_no_run_that_was_tried():
    report = replace(train_reports.bank(), partial=True)

    assert "interrupted after 85 runs" in text.render(report)
    assert "85 runs in 214.5 s" in markdown.render(report)
