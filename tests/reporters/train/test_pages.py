"""The page of a training: complete, self-contained, safe, and readable for a browser."""

import re
from dataclasses import replace

import pytest

from epkit.core.train.report import Figure
from epkit.reporters.train import html
from support import train_reports
from support.drawn_pages import BROWSER, balanced, drawn, fetched


@pytest.mark.parametrize("name", train_reports.ALL)
def test_a_page_of_any_report_is_whole_and_alone(name):
    text = html.render(train_reports.ALL[name]())

    assert balanced(text)
    assert [] == fetched(text)
    assert [] == re.findall(r"<(?:svg|path|rect|line|circle|text)[^>]*\b(?:nan|inf|None)\b", text)
    assert "default-src 'none'" in text
    assert len(text) < 120_000


@pytest.mark.parametrize("text", train_reports.HOSTILE)
def test_what_a_table_says_is_text(text):
    made = html.render(train_reports.hostile(text))

    made.encode()  # half a surrogate pair cannot be encoded
    assert balanced(made)
    assert [] == fetched(made)
    assert "x" * 301 not in re.sub("To deploy it: .*?</p>", "", made)  # a command cannot be cut
    assert not set("\x1b\u202e\u202c\ud800") & set(made)


def test_a_page_holds_every_chart_and_table():
    text = html.render(train_reports.bank())

    assert [
        "Gates", "Leaderboard: AUC", "ROC, 6,590 test rows", "Precision and recall, 6,590 test rows",
        "Calibration, 6,590 test rows", "Importance of columns: share of all contributions",
        "Permutation importance: AUC lost when a column is shuffled", "Importance of engineered features",
        "Effect of duration", "Effect of month", "Effect of euribor3m", "Cohorts, the worst first: accuracy at threshold",
        "Figures", "Confusion at the threshold 0.500, 6,590 test rows", "Against model-2026-10", "The model",
        "Where it is wrong", "Cohorts", "Importance of columns", "Leaderboard", "Columns", "Files", "Everything else",
    ] == re.findall("<h2>(.*?)</h2>", text)  # fmt: skip
    assert 11 == text.count('role="img" aria-label=')


def test_the_worst_news_comes_last_and_in_red():
    text = html.render(train_reports.bank())

    assert [
        ("ok", "AUC 0.950 on 6,590 test rows, 95 % interval 0.944 to 0.956"),
        (
            "bad",
            (
                "MISSED: cohort(job).accuracy&gt;=0.85 (job = student: accuracy is 0.8227 of 141 rows, not &gt;= 0.85; "
                "95 % interval 0.763 to 0.883)"
            ),
        ),
        (
            "bad",
            "AUC&gt;=base-0.002 cannot be judged: 120 rows that neither model was trained on, and 200 are needed",
        ),
    ] == re.findall('<p class="(ok|bad)">(.*?)</p>', text)


def test_a_leak_is_said_with_what_it_is_worth():
    assert (
        "<p>duration: AUC alone 0.820; without it 0.802 (0.796 to 0.808): is it known when a prediction is "
        "requested? If not: --drop duration</p>"
    ) in html.render(train_reports.bank())


def test_the_leaderboard_says_which_runs_cannot_be_told_from_the_best():
    text = html.render(train_reports.bank())
    board = text[text.index("<h2>Leaderboard<") :].partition("</section>")[0]

    assert ["best", *["not distinguishable"] * 7] == re.findall("<td>(best|not distinguishable)</td>", board)
    assert "83 dart" in board.partition("</tr><tr>")[0]
    assert "66 more runs: train.json has all" in board


def test_a_run_that_failed_says_why_and_is_behind_all_others():
    few = replace(train_reports.bank(), runs=(train_reports.failed(1), *train_reports.search(5)[1:]))
    board = html.render(few).partition("<h2>Leaderboard<")[2].partition("</section>")[0]

    assert board.index("<td>failed</td>") > board.index("2 linear")
    assert '<td class="n">LightGBM: the leaf has no rows</td>' in board


def test_what_knows_nothing_does_not_flatten_the_leaderboard():
    chart = html.render(train_reports.digits()).partition("<h2>Leaderboard: AUC")[2].partition("</svg>")[0]

    assert "2 linear" in chart
    assert "1 naive" not in chart


def test_the_error_tree_adds_its_leaves_up():
    tree = html.render(train_reports.bank()).partition('<ul class="tree">')[2].partition("</section>")[0]

    assert 11 == tree.count("<li>")
    rows = 412 + 2804
    assert f">{(412 * 0.171 + 2804 * 0.0039) / rows:.4f}</b> duration &lt;= 205 ({rows:,})" in tree


def test_the_more_of_a_class_is_answered_so_the_darker_is_the_cell():
    text = html.render(train_reports.bank())

    assert [("c4", "49", "5,712"), ("c3", "1", "136"), ("c3", "27", "408"), ("c4", "23", "334")] == re.findall(
        r'<td style="background:color-mix\(in srgb,var\(--(c\d)\) (\d+)%,transparent\)">([\d,]+)</td>', text
    )


def test_a_cohort_is_red_only_if_its_whole_interval_is_worse():
    chart = html.render(train_reports.bank()).partition("<h2>Cohorts, the worst first")[2].partition("</svg>")[0]
    colours = dict(re.findall(r'y="\d+">(?:<title>[^<]*</title>)?([^<]*)</text><line class="s (c\d)"', chart))

    assert ("c3", "c1", "c4") == (
        colours["month = mar (88)"],
        colours["month = mar and job =… (31)"],
        colours["all rows"],
    )


def test_of_errors_more_is_worse():
    report = train_reports.rents()
    chart = html.render(report).partition("<h2>Cohorts, the worst first")[2].partition("</svg>")[0]

    assert chart.index("Paris") < chart.index("Lyon")
    assert 'class="s c3"' in chart[chart.index("Paris") : chart.index("Lyon")]


def test_ten_classes_have_ten_strokes():
    roc = html.render(train_reports.digits()).partition("<h2>ROC")[2].partition("</svg>")[0]
    strokes = set(re.findall(r'<path class="l (c\d)( h)?" d', roc))

    assert 10 == len(strokes)


def test_a_category_has_a_row_a_value_and_a_number_a_line():
    text = html.render(train_reports.bank())
    month = text.partition("<h2>Effect of month")[2].partition("</svg>")[0]
    duration = text.partition("<h2>Effect of duration")[2].partition("</svg>")[0]

    assert "dec (29)" in month
    assert (0, 4) == (month.count("<path"), duration.count("<path"))
    assert "duration, log scale" in duration


def test_a_metric_that_cannot_be_had_leaves_the_page_whole():
    report = train_reports.bank()
    bare = replace(report.out_of_fold, metrics={"log_loss": Figure(value=0.3)}, roc={}, calibration=None)

    assert balanced(html.render(replace(report, test=None, out_of_fold=bare)))


@pytest.mark.skipif(BROWSER is None, reason="there is no Chromium")
@pytest.mark.parametrize("width", [400, 1200])
def test_a_browser_draws_the_page(tmp_path, width):
    assert drawn(tmp_path, html.render(train_reports.bank()), width) > 20_000


def test_what_a_run_was_given_makes_no_row_high_and_shuffles_have_their_deviation():
    page = html.render(train_reports.bank())
    board = page.partition("<h2>Leaderboard<")[2].partition("</section>")[0]
    columns = page.partition("<h2>Importance of columns</h2>")[2].partition("</section>")[0]

    assert '<th class="n">parameters</th>' in board
    assert 'class="p"' not in board
    assert "<th>sd over shuffles</th>" in columns
    assert "95 % interval" not in columns
