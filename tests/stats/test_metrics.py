"""Metrics against plain definitions, one prediction at a time in float64."""

from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax
from sklearn.metrics import brier_score_loss, log_loss, top_k_accuracy_score

from helpers.real_runs import of_setup
from seedwise import stats
from seedwise.errors import DataError, UnknownName
from seedwise.stats import METRICS, scores


def some_runs(runs=9, images=60, classes=5, seed=0, dtype=np.float16):
    rng = np.random.default_rng(seed)
    targets = rng.integers(0, classes, images)
    logits = rng.normal(size=(runs, 2, images, classes))
    logits[:, :, np.arange(images), targets] += 1
    return logits.astype(dtype), targets


def flat(logits, targets):
    """One run's predictions in float64, its views one after another."""
    rows = logits.reshape(-1, logits.shape[-1]).astype(np.float64)
    return rows, np.tile(targets, len(rows) // len(targets))


def plain_smoothed(rows, targets, beta=3.0):
    return softmax(beta * rows, axis=1)[np.arange(len(rows)), targets].mean()


def plain_matched(rows, targets, level=0.8):
    low, high = 1e-3, 1e3
    for _ in range(200):
        middle = np.sqrt(low * high)
        sharp = softmax(middle * rows, axis=1).max(axis=1).mean() > level
        low, high = (low, middle) if sharp else (middle, high)
    return plain_smoothed(rows, targets, beta=middle)


def plain_ranked(rows, targets, level=0.8):
    power = 0.5 / (1 - level) - 1
    ordered = np.sort(rows, axis=1)
    margins = ordered[:, -1] - ordered[:, -2]
    total = 0.0
    for row, target, margin in zip(rows, targets, margins, strict=True):
        u = ((margins < margin).sum() + (margins <= margin).sum()) / 2 / len(margins)
        weight = 1 - 0.5 * (1 - u) ** power
        place = (row > row[target]).sum()
        total += {0: weight, 1: 1 - weight}.get(place, 0.0)
    return total / len(rows)


def plain_calibrated(rows, targets):
    images = len(targets) // 2
    seen, half = {}, np.empty(images, int)
    for image, target in enumerate(targets[:images]):
        half[image] = seen.setdefault(target, 0) % 2
        seen[target] += 1
    half = np.tile(half, 2)
    losses = np.empty(len(rows))
    for h in (0, 1):
        other = half != h

        def loss(log_beta, use):
            found = log_softmax(np.exp(log_beta) * rows[use], axis=1)
            return -found[np.arange(use.sum()), targets[use]]

        best = minimize_scalar(lambda x, use=other: loss(x, use).mean(), bounds=(-5, 5))
        losses[half == h] = loss(best.x, half == h)
    return losses.mean()


PLAIN = {
    "accuracy": lambda rows, targets: (rows.argmax(axis=1) == targets).mean(),
    "brier": lambda rows, targets: brier_score_loss(
        targets, softmax(rows, axis=1), labels=range(rows.shape[1]), scale_by_half=False
    ),
    "calibrated_cross_entropy": plain_calibrated,
    "cross_entropy": lambda rows, targets: log_loss(
        targets, softmax(rows, axis=1), labels=range(rows.shape[1])
    ),
    "matched_accuracy": plain_matched,
    "ranked_accuracy": plain_ranked,
    "smoothed_accuracy": plain_smoothed,
    "top_accuracy": lambda rows, targets: top_k_accuracy_score(targets, rows, k=2),
}


def metric(name):
    return partial(stats.top_accuracy, k=2) if name == "top_accuracy" else METRICS[name]


def distinct_runs(**shape):
    """Runs in which no two logits of a prediction are equal, so that plain definitions agree."""
    logits, targets = some_runs(**shape)
    order = logits.argsort(axis=-1, kind="stable").argsort(axis=-1, kind="stable")
    return (np.round(logits, 2) + order * np.float16(0.02)).astype(np.float16), targets


@pytest.mark.parametrize("name", METRICS)
def test_each_metric_is_its_plain_definition(name):
    logits, targets = distinct_runs()
    found = metric(name)(logits, targets)
    wanted = [PLAIN[name](*flat(run, targets)) for run in logits]
    np.testing.assert_allclose(found, wanted, atol=3e-6)


@pytest.mark.parametrize("name", METRICS)
def test_many_runs_give_what_each_gives_alone(name):
    logits, targets = some_runs(runs=20)
    together = metric(name)(logits, targets)
    assert together.tolist() == [metric(name)(run, targets) for run in logits]


@pytest.mark.parametrize("name", METRICS)
def test_views_are_averaged_or_left_out_on_request(name):
    logits, targets = some_runs(runs=3)
    mean = logits.astype(np.float32).mean(axis=1, keepdims=True)
    found = metric(name)(logits, targets, views="averaged")
    np.testing.assert_allclose(found, metric(name)(mean, targets), rtol=1e-6)
    first = metric(name)(logits, targets, views="original")
    np.testing.assert_array_equal(first, metric(name)(logits[:, :1], targets))


def test_smoothed_accuracy_ends_at_accuracy():
    logits, targets = distinct_runs()
    sharp = stats.smoothed_accuracy(logits, targets, beta=1e5)
    np.testing.assert_allclose(sharp, stats.accuracy(logits, targets), atol=1e-7)


@given(st.floats(0.05, 20))
def test_one_factor_on_all_logits_moves_neither_matched_nor_ranked_accuracy(factor):
    wide, targets = some_runs(runs=2, dtype=np.float64)  # float16 has equal margins
    for found in (stats.matched_accuracy, stats.ranked_accuracy, stats.calibrated_cross_entropy):
        scaled = found(wide * factor, targets)
        np.testing.assert_allclose(scaled, found(wide, targets), atol=2e-5)


@given(st.floats(-0.4, 2))
def test_a_factor_that_grows_with_the_margin_moves_matched_but_not_ranked_accuracy(growth):
    wide, targets = some_runs(runs=2, dtype=np.float64)
    ordered = np.sort(wide, axis=-1)
    margin = (ordered[..., -1] - ordered[..., -2])[..., None]
    scaled = wide * (1 + growth * np.tanh(margin))
    np.testing.assert_array_equal(stats.accuracy(scaled, targets), stats.accuracy(wide, targets))
    ranked = stats.ranked_accuracy(scaled, targets)
    np.testing.assert_allclose(ranked, stats.ranked_accuracy(wide, targets), atol=1e-6)
    if abs(growth) > 0.3:
        moved = stats.matched_accuracy(scaled, targets) - stats.matched_accuracy(wide, targets)
        assert np.abs(moved).max() > 1e-4


def test_no_image_has_a_say_in_its_own_temperature():
    """A wrong label on one image changes the loss of its own half by that image only."""
    logits, targets = some_runs(runs=1, images=40)
    changed = targets.copy()
    image = int(np.flatnonzero(targets == targets[0])[0])  # the first of its class: half 0
    order = np.argsort(targets, kind="stable")
    half = np.empty(40, int)
    half[order] = (np.arange(40) - np.searchsorted(targets[order], targets[order])) % 2
    changed_logits = logits.copy()
    changed_logits[:, :, image] = -logits[:, :, image]
    before = scores.image_scores(scores.calibrated_nll, logits, targets, "separate")[0]
    after = scores.image_scores(scores.calibrated_nll, changed_logits, changed, "separate")[0]
    same_half = (half == half[image]) & (np.arange(40) != image)
    np.testing.assert_array_equal(before[same_half], after[same_half])
    assert not np.allclose(before[half != half[image]], after[half != half[image]])


def test_ties_count_as_shares():
    logits = np.array([[1.0, 1.0, 0.0], [2.0, 2.0, 2.0], [0.0, 1.0, 1.0]])
    targets = np.array([0, 2, 0])
    assert stats.accuracy(logits, targets) == pytest.approx((1 / 2 + 1 / 3 + 0) / 3)
    assert stats.ranked_accuracy(logits, targets) == pytest.approx((1 / 2 + 1 / 3 + 0) / 3)
    assert stats.top_accuracy(logits, targets, k=2) == pytest.approx((1 + 2 / 3 + 0) / 3)


def test_more_places_than_classes_hold_every_target():
    logits, targets = some_runs()
    assert stats.top_accuracy(logits, targets, k=9).tolist() == [1.0] * len(logits)


def test_accuracy_of_each_class_averages_to_accuracy():
    logits, targets = some_runs(classes=4)
    by_class = stats.class_accuracy(logits, targets)
    counts = np.bincount(targets, minlength=4)
    np.testing.assert_allclose(by_class @ counts / 60, stats.accuracy(logits, targets))
    alone = stats.class_accuracy(logits[0], targets)
    np.testing.assert_array_equal(alone, by_class[0])


def test_a_class_without_examples_has_no_accuracy():
    logits, targets = some_runs(classes=4)
    assert np.isnan(stats.class_accuracy(logits, np.minimum(targets, 2))[:, 3]).all()


def test_an_infinite_logit_is_refused():
    logits, targets = some_runs()
    logits[3, 1, 5, 2] = np.inf
    with pytest.raises(DataError, match="a logit is not finite"):
        stats.accuracy(logits, targets)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda x, t: stats.accuracy(x, t[:-1]), DataError, "do not belong to 59 targets"),
        (lambda x, t: stats.accuracy(x, t, views="both"), UnknownName, "unknown views 'both'"),
        (lambda x, t: stats.smoothed_accuracy(x, t, 0), DataError, "beta must be above 0, got 0"),
        (lambda x, t: stats.matched_accuracy(x, t, 0.2), DataError, "1/classes = 0.2 and 1"),
        (lambda x, t: stats.ranked_accuracy(x, t, 0.5), DataError, "between 0.5 and 1, got 0.5"),
        (lambda x, t: stats.top_accuracy(x, t, 0), DataError, "k must be 1 or more, got 0"),
    ],
)
def test_what_cannot_be_computed_is_said(call, error, message):
    with pytest.raises(error, match=message):
        call(*some_runs())


@pytest.mark.parametrize("name", ["matched_accuracy", "ranked_accuracy"])
def test_soft_accuracies_tell_real_setups_apart_more_clearly_than_accuracy(name):
    """Paired t over 16 seeds: B (another activation) is worse, C (learning rate) better."""
    assert _paired_t(name, "B") < -5 < _paired_t("accuracy", "B") < 0
    assert _paired_t(name, "C") > 18 > _paired_t("accuracy", "C") > 0


def _paired_t(metric, setup):
    difference = of_setup(metric, setup) - of_setup(metric, "A")
    return difference.mean() / difference.std(ddof=1) * np.sqrt(len(difference))
