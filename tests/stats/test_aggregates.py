"""Metrics that are no means: against scikit-learn, the jackknife, symmetries and simulation."""

import numpy as np
import pytest
from sklearn import metrics

from seedwise.errors import DataError
from seedwise.stats.catalog import BuiltInMetric


def drawn(seed, examples=200, classes=4, sharpness=1.0):
    """Logits of a run that is right more often than not, and the targets, unbalanced."""
    rng = np.random.default_rng(seed)
    targets = rng.choice(classes, examples, p=np.arange(1, classes + 1) / sum(range(classes + 1)))
    logits = rng.normal(size=(examples, classes)) + 1.2 * np.eye(classes)[targets]
    return (sharpness * logits).astype(np.float16)[None], targets


def by_sklearn(name, logits, targets):
    powers = np.exp(logits[0].astype(np.float64))
    chances, predicted = powers / powers.sum(axis=1, keepdims=True), logits[0].argmax(axis=1)
    one_hot = np.eye(logits.shape[-1])[targets]
    match name:
        case "macro_f1":
            return metrics.f1_score(targets, predicted, average="macro")
        case "class_f1:of=2":
            return metrics.f1_score(targets, predicted, labels=[2], average="macro")
        case "balanced_accuracy":
            return metrics.balanced_accuracy_score(targets, predicted)
        case "macro_auc":
            return metrics.roc_auc_score(one_hot, chances, average="macro")
        case "macro_average_precision":
            return metrics.average_precision_score(one_hot, chances, average="macro")
        case "cross_entropy":
            return metrics.log_loss(targets, chances)
    raise AssertionError(name)


NAMES = ["macro_f1", "class_f1:of=2", "balanced_accuracy", "macro_auc", "macro_average_precision"]


@pytest.mark.parametrize("name", [*NAMES, "cross_entropy"])
@pytest.mark.parametrize("seed", range(3))
def test_the_value_is_scikit_learns(name, seed):
    logits, targets = drawn(seed)
    found = BuiltInMetric.parse(name).values(logits, targets)
    assert found == pytest.approx(by_sklearn(name, logits, targets), rel=2e-6)


def test_of_two_classes_macro_auc_is_the_auc():
    logits, targets = drawn(5, classes=2)
    margin = logits[0, :, 1].astype(float) - logits[0, :, 0]
    expected = metrics.roc_auc_score(targets, margin)
    assert BuiltInMetric.parse("macro_auc").values(logits, targets) == pytest.approx(expected)


def test_calibration_error_is_that_of_the_bins():
    logits, targets = drawn(1, sharpness=3.0)
    powers = np.exp(logits[0].astype(np.float64))
    sure = (powers / powers.sum(axis=1, keepdims=True)).max(axis=1)
    right, expected = logits[0].argmax(axis=1) == targets, 0.0
    for low in np.arange(10) / 10:
        mine = (sure > low) & (sure <= low + 0.1)
        if mine.any():
            expected += mine.mean() * abs(right[mine].mean() - sure[mine].mean())
    found = BuiltInMetric.parse("calibration_error:bins=10").values(logits, targets)
    assert found == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_scores_of_examples_have_the_spread_of_the_jackknife(name):
    logits, targets = drawn(2, examples=300)
    metric = BuiltInMetric.parse(name)
    scores = metric.image_scores(logits[None], targets)[0].astype(np.float64)
    assert scores.mean() == pytest.approx(metric.values(logits, targets), rel=1e-6)
    whole = metric.values(logits, targets)
    without = [
        metric.values(np.delete(logits, place, axis=1), np.delete(targets, place))
        for place in range(300)
    ]
    pseudo = 300 * whole - 299 * np.array(without)
    assert np.corrcoef(scores, pseudo)[0, 1] > 0.99
    assert scores.std() == pytest.approx(pseudo.std(), rel=0.06)


@pytest.mark.parametrize("name", NAMES)
def test_the_spread_is_that_of_new_examples(name):
    metric = BuiltInMetric.parse(name)
    runs = [drawn([7, seed], examples=400) for seed in range(250)]
    values = np.array([metric.values(*run) for run in runs])
    errors = [metric.image_scores(a[None], b)[0].std(dtype=float) / 20 for a, b in runs[:50]]
    # The standard deviation of 250 values is known to ±4.5 %.
    assert np.mean(errors) == pytest.approx(values.std(ddof=1), rel=0.15)


@pytest.mark.parametrize("name", [*NAMES, "calibration_error"])
def test_order_is_nothing_and_views_count_each(name):
    logits, targets = drawn(3)
    order = np.random.default_rng(0).permutation(200)
    metric = BuiltInMetric.parse(name)
    value = metric.values(logits, targets)
    assert metric.values(logits[:, order], targets[order]) == pytest.approx(value, rel=1e-5)
    twice = np.concatenate([logits, logits])
    assert metric.values(twice, targets) == pytest.approx(value, rel=1e-5)


@pytest.mark.parametrize("name", ["macro_auc", "macro_f1", "balanced_accuracy"])
def test_one_example(name):
    logits, targets = np.array([[[2.0, 1.0]]], np.float16), np.array([0])
    if name == "macro_auc":
        with pytest.raises(DataError, match="all examples are of one class"):
            BuiltInMetric.parse(name).values(logits, targets)
    else:
        assert BuiltInMetric.parse(name).values(logits, targets) == 1


def test_a_class_that_is_not_there_is_refused():
    logits, targets = drawn(0)
    with pytest.raises(DataError, match="there are classes 0 to 3, got class 4"):
        BuiltInMetric.parse("class_f1:of=4").values(logits, targets)
