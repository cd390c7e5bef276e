import json
import math
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from helpers.real_runs import of_setup
from seedwise.errors import ConfigError
from seedwise.stats.capped import capped_bounds
from seedwise.stats.operating import STUDIES, PairNoise, operating_characteristic
from seedwise.stats.sequential import SequentialRule, outcomes

ROOT = Path(__file__).parents[2]
RECORD = json.loads((ROOT / "benchmarks/records/2026-11-24-stopping/figures.json").read_text())
RECORDED = 20_000
RULE = SequentialRule(difference=0.005, max_pairs=20)
NEVER_FUTILE = 1 - 1e-9
ACCURACY = PairNoise(sd=(0.004,))
THREE = PairNoise(
    sd=(0.0032, 0.0013, 0.0012), correlation=(0.8, 0.7, 0.9), ratio=(1.0, 0.73, 0.73)
)


def at(noise, *differences, rule=RULE, seed=1):
    return operating_characteristic(rule, noise, differences, rng=np.random.default_rng(seed))


def same_rate(share, studies, other, others):
    """Whether two shares are of one rate; bound at one in a million."""
    table = [[round(s * n), round((1 - s) * n)] for s, n in ((share, studies), (other, others))]
    return stats.fisher_exact(table).pvalue > 1e-6


@pytest.mark.parametrize("difference", [0.005, 0.003])
def test_agrees_with_the_record_of_the_rule(difference):
    """20,000 studies of another script; there bias 0 is no difference by the noise of `THREE`."""
    recorded = RECORD["misled"][f"bias 0.0, cap 40, difference {difference}"]
    (found,) = at(THREE, 0.0, rule=SequentialRule(difference=difference, max_pairs=40))
    for verdict in ("better", "worse", "equivalent", "undecided"):
        assert same_rate(getattr(found, verdict), STUDIES, recorded[verdict], RECORDED), verdict
    error = found.pairs_error * math.sqrt(1 + STUDIES / RECORDED)
    assert abs(found.pairs - recorded["pairs"]) < 5 * error


@pytest.mark.parametrize(
    ("setup", "factor", "cap", "margin", "verdict"),
    [
        ("B", 1, 40, 0.005, "worse"),
        ("C", 1, 40, 0.005, "better"),
        ("C", 0.26, 60, 0.002, "better"),
    ],
)
def test_real_pairs_are_near_enough_to_normal_ones(setup, factor, cap, margin, verdict):
    """The record draws from the 16 pairs themselves; a tenth of its pairs, 3 of 100 studies."""
    title = f"{setup} x {factor}, capped {cap}, difference {margin}"
    recorded = RECORD["beside fixed rules"][title]["ours"]
    d = np.stack(
        [
            of_setup(metric, setup) - of_setup(metric, "A")
            for metric in ("accuracy", "matched_accuracy", "ranked_accuracy")
        ]
    )
    mean = d.mean(axis=1)
    noise = PairNoise(
        sd=tuple(d.std(axis=1)),
        correlation=tuple(np.corrcoef(d)[np.triu_indices(3, 1)]),
        ratio=tuple(mean / mean[0]),
        resolution=1 / 5000,
    )
    (found,) = at(noise, factor * mean[0], rule=SequentialRule(difference=margin, max_pairs=cap))
    assert found.pairs == pytest.approx(recorded["pairs"][0], rel=0.1)
    assert getattr(found, verdict) == pytest.approx(recorded[verdict][0], abs=0.03)


@pytest.mark.parametrize("difference", [0.0, 0.003, 0.006])
def test_agrees_with_a_loop_over_studies(difference):
    """Two tests after each pair, written down once more; no stop for futility."""
    rule = SequentialRule(difference=RULE.difference, max_pairs=20, power=NEVER_FUTILE)
    (found,) = at(ACCURACY, difference, rule=rule)
    rng, studies = np.random.default_rng(2), 1_000
    sign, margin = capped_bounds(20, 0.05), capped_bounds(20, 0.1)
    ends, pairs = [], []
    for _ in range(studies):
        d, end, n = rng.normal(difference, 0.004, 20), "undecided", 2
        while end == "undecided" and n < 20:
            n += 1
            mean, error = d[:n].mean(), d[:n].std(ddof=1) / n**0.5
            if abs(mean) + margin[n - 1] * error < RULE.difference:
                end = "equivalent"
            elif abs(mean) > sign[n - 1] * error:
                end = "better" if mean > 0 else "worse"
        ends.append(end)
        pairs.append(n)
    for verdict in ("better", "worse", "equivalent", "undecided"):
        share = ends.count(verdict) / studies
        assert same_rate(getattr(found, verdict), STUDIES, share, studies), verdict
    error = math.hypot(found.pairs_error, np.std(pairs) / studies**0.5)
    assert abs(found.pairs - np.mean(pairs)) < 5 * error


@pytest.mark.parametrize("noise", [ACCURACY, THREE.scaled(2)])
def test_looking_on_at_the_undecided_only_changes_nothing(noise):
    found = at(noise, 0.002)[0]
    drawn = noise.draw(STUDIES, 20, np.random.default_rng(1))
    whole = outcomes(RULE, noise.pairs(0.002, drawn))
    assert found.pairs == whole.pairs.mean()
    assert found.pairs_error == pytest.approx(stats.sem(whole.pairs))
    shares = [(whole.verdicts == code).mean() for code in range(4)]
    assert [found.undecided, found.better, found.worse, found.equivalent] == shares


@pytest.mark.parametrize("noise", [ACCURACY, THREE])
def test_a_larger_difference_is_named_more_often(noise):
    found = at(noise, 0.0, 0.002, 0.004, 0.006, 0.008, 0.016)
    assert np.all(np.diff([each.better for each in found]) >= 0)
    assert np.all(np.diff([each.worse for each in found]) <= 0)
    assert np.all(np.diff([each.equivalent for each in found]) <= 0)
    assert found[-1].better > 0.99 > 0.1 > found[0].better
    assert found[-1].pairs < found[3].pairs


def test_more_noise_takes_more_pairs():
    assert np.all(np.diff([at(THREE.scaled(k), 0.005)[0].pairs for k in (0.5, 1, 2, 4)]) > 0)


def test_a_difference_to_the_other_side_is_worse_as_often():
    up, down = at(THREE.scaled(2), 0.002, -0.002)
    for there, here in (("better", "worse"), ("worse", "better"), ("equivalent", "equivalent")):
        assert same_rate(getattr(up, there), STUDIES, getattr(down, here), STUDIES)


def test_a_rule_of_unrelated_runs_is_simulated_with_their_sums():
    rule = SequentialRule(difference=0.005, max_pairs=20, paired=False)
    known = PairNoise(sd=(0.004,), added=(0.004,))
    (paired,), (unpaired,) = at(ACCURACY, 0.006), at(known, 0.006, rule=rule)
    assert unpaired.pairs < 0.9 * paired.pairs
    (wide,) = at(PairNoise(sd=(0.004,), added=(0.012,)), 0.006, rule=rule)  # runs of r = 0.8
    assert wide.pairs > paired.pairs
    assert known.scaled(2).added == (0.008,)


def test_metrics_vary_together_as_stated():
    drawn = THREE.draw(2_000, 10, np.random.default_rng(0)).reshape(3, -1)
    assert drawn.std(axis=1) == pytest.approx(THREE.sd, rel=0.03)
    assert np.corrcoef(drawn)[np.triu_indices(3, 1)] == pytest.approx(THREE.correlation, abs=0.02)
    moved = THREE.pairs(0.01, drawn[:, None])
    assert moved.ranked - drawn[2] == pytest.approx(0.0073)


def test_metrics_may_be_the_same_but_for_scale():
    """Three pairs of a pilot leave no more than two directions."""
    noise = PairNoise(sd=(0.003, 0.002, 0.001), correlation=(1.0, 1.0, 1.0), ratio=(1.0, 0.7, 0.7))
    a, b, c = noise.draw(2, 5, np.random.default_rng(0))
    assert a / 3 == pytest.approx(b / 2)
    assert b / 2 == pytest.approx(c)


def test_other_draws_give_the_same_within_the_stated_error():
    (one,), (other,) = (at(ACCURACY, 0.003, seed=seed) for seed in (1, 2))
    assert one != other
    assert one == at(ACCURACY, 0.003, seed=1)[0]
    assert abs(one.pairs - other.pairs) < 5 * math.hypot(one.pairs_error, other.pairs_error)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: PairNoise(sd=(0.1,), added=(0.1, 0.1)),
            r"give A \+ B of as many metrics as differences, 1; got 2",
        ),
        (lambda: PairNoise(sd=(0.0,)), "a standard deviation of differences must be above 0"),
        (lambda: PairNoise(sd=(math.nan,)), "above 0, got nan"),
        (lambda: PairNoise(sd=(0.1, 0.1)), "or three standard deviations, .* got 2, 0 and 1"),
        (
            lambda: PairNoise(sd=(1, 1, 1), correlation=(0.9, 0.9, -0.9), ratio=(1, 1, 1)),
            "no three metrics correlate like this",
        ),
        (lambda: PairNoise(sd=(0.1,), ratio=(2.0,)), "accuracy's is 1, got"),
        (lambda: at(ACCURACY, 0, rule=SequentialRule(difference=0.005)), "give max_pairs"),
    ],
)
def test_figures_out_of_range_are_said(call, message):
    with pytest.raises(ConfigError, match=message):
        call()
