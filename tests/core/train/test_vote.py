"""The choice among runs, and its gain by chance."""

import numpy as np
import pytest

from epkit.core.train import metrics, vote
from epkit.core.train.nesting import parts
from epkit.core.train.problem import Label
from epkit.errors import UsageError
from support.margins import BINARY, FOLDS, MANY, NUMBER, N, answered, binary, run


def test_runs_that_err_independently_are_put_together() -> None:
    y, margins = binary([2.0, 2.0, 2.0, 20.0])
    chosen = vote.choose([run(k + 1, each) for k, each in enumerate(margins)], y, BINARY, "AUC", FOLDS)

    assert "vote" == chosen.kind
    assert {1, 2, 3} == {member.run for member in chosen.members}
    assert 1.0 == pytest.approx(sum(member.weight for member in chosen.members))
    assert sum(member.weight * margins[member.run - 1] for member in chosen.members) == pytest.approx(
        chosen.margins, abs=1e-5
    )
    assert metrics.value("AUC", y, chosen.nested, BINARY) > max(
        metrics.value("AUC", y, each, BINARY) for each in margins
    )


def test_a_vote_that_is_no_better_is_not_taken() -> None:
    y, margins = binary([0.0, 30.0, 30.0])
    chosen = vote.choose([run(k + 1, each) for k, each in enumerate(margins)], y, BINARY, "log_loss", FOLDS)

    assert ("run", (1,)) == (chosen.kind, tuple(member.run for member in chosen.members))
    assert 0.0 == chosen.optimism


def test_choosing_among_noise_is_optimistic_and_the_nested_figure_is_not() -> None:
    g = np.random.default_rng(0)
    y = g.integers(0, 2, N)
    chosen = vote.choose([run(k + 1, g.normal(size=(N, 1))) for k in range(40)], y, BINARY, "AUC", FOLDS)
    nested = metrics.value("AUC", y, chosen.nested, BINARY)

    assert 0.5 == pytest.approx(nested, abs=0.02)
    assert chosen.optimism is not None
    assert chosen.optimism > 0.02
    assert metrics.value("AUC", y, chosen.margins, BINARY) - nested == pytest.approx(chosen.optimism)


def test_optimism_is_positive_for_losses_too() -> None:
    g = np.random.default_rng(0)
    y = g.normal(size=N)
    chosen = vote.choose([run(k + 1, 0.1 * g.normal(size=(N, 1))) for k in range(40)], y, NUMBER, "rmse", FOLDS)

    assert chosen.optimism is not None
    assert chosen.optimism > 0


def test_no_more_than_five_members() -> None:
    y, margins = binary([4.0] * 12)
    chosen = vote.choose([run(k + 1, each) for k, each in enumerate(margins)], y, BINARY, "AUC", FOLDS)

    assert vote.MOST_MEMBERS == len(chosen.members)


def test_a_custom_run_is_in_no_vote_and_wins_only_by_a_clear_difference() -> None:
    y, margins = binary([2.0, 2.0, 0.0])
    alike = [run(1, margins[0]), run(2, margins[1]), run(3, margins[0] + 1e-3 * margins[2], "custom")]
    clear = [run(1, margins[0]), run(2, margins[1]), run(3, margins[2], "custom")]

    assert 3 not in {member.run for member in vote.choose(alike, y, BINARY, "AUC", FOLDS).members}
    assert "vote" == vote.choose(alike, y, BINARY, "AUC", FOLDS).kind
    assert "custom" == vote.choose(clear, y, BINARY, "AUC", FOLDS).kind
    assert "custom" == vote.choose(clear, y, BINARY, "log_loss", FOLDS).kind


def test_a_custom_run_does_not_win_by_a_metric_that_no_row_defines() -> None:
    _, margins = binary([2.0, 0.0])
    runs = [run(1, margins[0]), run(2, margins[1], "custom")]

    assert "run" == vote.choose(runs, np.ones(N, np.int64), BINARY, "AUC", FOLDS).kind


def test_a_custom_run_alone_is_chosen() -> None:
    y, margins = binary([1.0])

    assert "custom" == vote.choose([run(1, margins[0], "custom")], y, BINARY, "AUC", FOLDS).kind


def test_failed_runs_are_passed_over_and_only_failed_ones_are_refused() -> None:
    y, margins = binary([1.0])
    failed = run(1, None, error="no memory")

    assert (2,) == tuple(
        member.run for member in vote.choose([failed, run(2, margins[0])], y, BINARY, "AUC", FOLDS).members
    )
    with pytest.raises(UsageError, match=r"no run succeeded: run 1 \(gbdt\): no memory"):
        vote.choose([failed], y, BINARY, "AUC", FOLDS)


def test_rows_that_no_fold_predicted_stay_nan_and_do_not_count() -> None:
    y, margins = binary([2.0, 2.0])
    for each in margins:
        each[: N // 2] = np.nan
    chosen = vote.choose([run(1, margins[0]), run(2, margins[1])], y, BINARY, "AUC", np.zeros(N, np.int64))

    assert "vote" == chosen.kind
    assert np.isnan(chosen.nested[: N // 2]).all()
    assert not np.isnan(chosen.nested[N // 2 :]).any()
    assert chosen.optimism is not None


@pytest.mark.parametrize(("label", "metric"), [(MANY, "AUC"), (NUMBER, "rmse")])
def test_other_tasks_vote_too(label: Label, metric: str) -> None:
    g = np.random.default_rng(0)
    truth = g.normal(size=(N, label.outputs)) * 2
    y = answered(truth, label, g)
    runs = [run(k + 1, truth + 2 * g.normal(size=truth.shape)) for k in range(3)]

    assert "vote" == vote.choose(runs, y, label, metric, FOLDS).kind


def test_the_vote_is_a_run_of_the_leaderboard_with_its_nested_margins() -> None:
    y, margins = binary([2.0, 2.0])
    chosen = vote.choose([run(1, margins[0]), run(2, margins[1])], y, BINARY, "AUC", FOLDS)
    shown = vote.as_run(chosen, 3)

    assert (3, "vote", {"1", "2"}) == (shown.candidate.run, shown.candidate.family, set(shown.candidate.parameters))
    assert chosen.nested.astype(np.float32).tolist() == shown.margins.tolist()


def test_parts_judge_every_row_once_and_never_choose_on_it() -> None:
    for folds, groups in ((FOLDS, None), (np.zeros(N), None), (np.zeros(N), np.arange(N) // 7)):
        seen = np.zeros(N, int)
        for others, part in parts(folds, groups):
            assert not (others & part).any()
            assert (others | part).all()
            if groups is not None:
                assert not set(groups[others]) & set(groups[part])
            seen += part

        assert (seen == 1).all()


def test_one_group_has_no_parts() -> None:
    assert [] == list(parts(np.zeros(4), np.zeros(4)))
