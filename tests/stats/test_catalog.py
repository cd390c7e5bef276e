import math

import numpy as np
import pytest

from seedwise import stats
from seedwise.errors import ConfigError, UnknownName
from seedwise.stats.catalog import CATALOG, BuiltInMetric

RNG = np.random.default_rng(0)
TARGETS = np.arange(40) % 4
LOGITS = RNG.normal(size=(3, 2, 40, 4)).astype(np.float16)
TEXTS = [name if name != "class_accuracy" else "class_accuracy:label=1" for name in CATALOG]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("accuracy", "accuracy"),
        ("accuracy:views=separate", "accuracy"),
        ("smoothed_accuracy:beta=3.0", "smoothed_accuracy"),
        ("smoothed_accuracy:views=averaged,beta=10", "smoothed_accuracy:beta=10,views=averaged"),
        ("top_accuracy:k=3", "top_accuracy:k=3"),
        ("class_accuracy:label=0", "class_accuracy:label=0"),
    ],
)
def test_one_metric_has_one_name(text, said):
    assert str(BuiltInMetric.parse(text)) == said
    assert str(BuiltInMetric.parse(said)) == said


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("acuracy", UnknownName, "did you mean 'accuracy'"),
        (
            "smoothed_accuracy:bta=3",
            UnknownName,
            "unknown setting of smoothed_accuracy 'bta'",
        ),
        ("smoothed_accuracy:beta=-1", ConfigError, "beta must be a number above 0, got '-1'"),
        ("smoothed_accuracy:beta=nan", ConfigError, "beta must be a number above 0, got 'nan'"),
        ("smoothed_accuracy:beta", ConfigError, "beta must be a number above 0, got ''"),
        ("top_accuracy:k=2.5", ConfigError, "k must be a whole number, 1 or more, got '2.5'"),
        ("accuracy:views=both", ConfigError, "one of separate, averaged, original, got 'both'"),
        ("class_accuracy", ConfigError, "class_accuracy needs a label, e.g. "),
    ],
)
def test_a_wrong_name_or_setting_is_said(text, error, message):
    with pytest.raises(error, match=message):
        BuiltInMetric.parse(text)


def test_a_label_that_no_example_has_is_said():
    with pytest.raises(ConfigError, match="there are labels 0 to 3"):
        BuiltInMetric.parse("class_accuracy:label=7").values(LOGITS, TARGETS)


@pytest.mark.parametrize("text", TEXTS)
def test_a_named_metric_is_the_function_and_the_mean_of_its_image_scores(text):
    metric = BuiltInMetric.parse(text)
    if metric.name in stats.METRICS:
        wanted = stats.METRICS[metric.name](LOGITS, TARGETS)
    else:
        wanted = stats.class_accuracy(LOGITS, TARGETS)[:, 1]
    np.testing.assert_allclose(metric.values(LOGITS, TARGETS), wanted, rtol=1e-6)
    by_image = metric.image_scores(LOGITS, TARGETS).mean(axis=1, dtype=np.float64)
    np.testing.assert_allclose(by_image, wanted, rtol=1e-6)


@pytest.mark.parametrize("text", TEXTS)
def test_chance_is_what_equal_logits_get(text):
    metric = BuiltInMetric.parse(text)
    equal = np.zeros((1, 1, 40, 4))
    assert metric.values(equal, TARGETS)[0] == pytest.approx(metric.chance(4), abs=1e-6)


def test_less_is_better_of_losses_only():
    lower = {name for name, kind in CATALOG.items() if not kind.higher_is_better}
    assert lower == {"brier", "calibrated_cross_entropy", "cross_entropy"}
    assert BuiltInMetric.parse("cross_entropy").chance(10) == math.log(10)
