import math
import re
from pathlib import Path

import numpy as np
import pytest

from helpers.studies import TARGETS as TRUE
from helpers.studies import Studies, runs_of
from seedwise import Study, stats
from seedwise.comparison import run_table
from seedwise.comparison.study_runs import StudyRuns
from seedwise.errors import ConfigError, UnknownName
from seedwise.stats import catalog, scores
from seedwise.stats.catalog import CATALOG, BuiltInMetric

RNG = np.random.default_rng(0)
TARGETS = np.arange(40) % 4
LOGITS = RNG.normal(size=(3, 2, 40, 4)).astype(np.float16)
AGGREGATES = [name for name, kind in CATALOG.items() if kind.asked]
SETTINGS = {"class_accuracy": "class_accuracy:label=1", "class_f1": "class_f1:of=1"}
TEXTS = [SETTINGS.get(name, name) for name in CATALOG]


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


@pytest.mark.parametrize(
    "text", [text for text in TEXTS if text.partition(":")[0] not in AGGREGATES]
)
def test_a_named_metric_is_the_function_and_the_mean_of_its_image_scores(text):
    metric = BuiltInMetric.parse(text)
    if metric.name in stats.METRICS:
        wanted = stats.METRICS[metric.name](LOGITS, TARGETS)
    else:
        wanted = stats.class_accuracy(LOGITS, TARGETS)[:, 1]
    np.testing.assert_allclose(metric.values(LOGITS, TARGETS), wanted, rtol=1e-6)
    by_image = metric.image_scores(LOGITS, TARGETS).mean(axis=1, dtype=np.float64)
    np.testing.assert_allclose(by_image, wanted, rtol=1e-6)


@pytest.mark.parametrize("text", [text for text in TEXTS if text != "calibration_error"])
def test_chance_is_what_equal_logits_get(text):
    metric = BuiltInMetric.parse(text)
    equal = np.zeros((1, 1, 40, 4))
    assert metric.values(equal, TARGETS)[0] == pytest.approx(metric.chance(4), abs=1e-6)


def test_less_is_better_of_losses_only():
    lower = {name for name, kind in CATALOG.items() if not kind.higher_is_better}
    assert lower == {"brier", "calibrated_cross_entropy", "calibration_error", "cross_entropy"}
    assert BuiltInMetric.parse("cross_entropy").chance(10) == math.log(10)


def test_a_metric_is_added_by_a_score_and_an_entry(monkeypatch, tmp_path):
    """The walk of docs/contributing.md: from the catalogue a metric reaches all that tells it."""

    @scores._by_block
    def margin(columns, targets):
        own = np.take_along_axis(columns, targets[None, None, :], axis=0)[0]
        return own - columns.mean(axis=0)

    kind = catalog._Entry(
        says="how far the target's logit is above the mean",
        score=lambda settings: margin,
        chance=lambda classes, settings: 0.0,
        percent=False,
    )
    monkeypatch.setattr(catalog, "CATALOG", {**catalog.CATALOG, "target_margin": kind})
    for module in ("comparison.metrics", "comparison.scores", "words.numbers"):
        monkeypatch.setattr(f"seedwise.{module}.CATALOG", catalog.CATALOG)
    with Studies(tmp_path).make({"a": runs_of(1.0), "b": runs_of(1.6)}) as store:
        study = Study(store.path)
    found = study.compare("a", "b", metric="target_margin")
    assert str(found).startswith("b is better than a: target margin")
    page = study.report(tmp_path / "r.html", metric="target_margin")
    assert "target margin" in page.read_text()
    with StudyRuns.open(store.path) as runs:
        table = run_table(runs)
    place = table.columns.index("target_margin")
    wanted = (
        runs_of(1.0)[0].astype(float)[:, np.arange(300), TRUE]
        - runs_of(1.0)[0].astype(float).mean(axis=-1)
    ).mean()
    assert table.rows[0][place] == pytest.approx(wanted, rel=1e-5)


def test_the_table_of_metrics_in_the_docs_is_the_catalogue():
    text = (Path(__file__).parents[2] / "docs/statistics.md").read_text()
    rows = dict(re.findall(r"^\| `(\w+)` \| (.*?) \| .*\|$", text, re.M))
    assert {name: kind.says for name, kind in catalog.CATALOG.items()}.items() <= rows.items()
