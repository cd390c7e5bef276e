"""Logits class by class: turned and widened once, whatever is scored with them."""

import numpy as np
import pytest

from seedwise.stats.blocks import Blocks, class_by_class
from seedwise.stats.catalog import BuiltInMetric, plain_metrics

RNG = np.random.default_rng(5)
LOGITS = (2 * RNG.standard_normal((9, 2, 60, 5))).astype(np.float16)
TARGETS = RNG.integers(0, 5, 60)


@pytest.mark.parametrize("name", [*plain_metrics(), "accuracy:views=averaged", "macro_auc"])
@pytest.mark.parametrize("runs", [2, 9])  # in this thread, and shared among several
def test_scores_are_the_same_bits_however_logits_lie_in_memory(name, runs):
    metric = BuiltInMetric.parse(name)
    found = metric.image_scores(class_by_class(LOGITS[:runs]), TARGETS)
    assert np.array_equal(found, metric.image_scores(LOGITS[:runs], TARGETS))


def test_runs_that_lie_class_by_class_are_not_copied():
    turned = class_by_class(LOGITS)
    assert np.array_equal(turned, LOGITS)
    ((columns, _),) = Blocks(turned[3], TARGETS, "separate")
    assert np.shares_memory(columns, turned)


def test_runs_shared_among_threads_stay_in_their_order(monkeypatch):
    monkeypatch.setattr("seedwise.stats.blocks.cores", lambda: 4)
    values = BuiltInMetric.parse("accuracy").values(LOGITS, TARGETS)
    alone = [BuiltInMetric.parse("accuracy").values(run, TARGETS) for run in LOGITS]
    assert values.tolist() == alone
    assert len(set(alone)) > 4
