import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest
from scipy.stats import t as student

from seedwise.stats.signs import ALONE, WITH_SOFT, SignTest, sign_of, witness


def built(sign, p):
    return SignTest(sign=np.int8(sign), strength=lambda level: -p / level)


signs, p_values = st.sampled_from([-1, 0, 1]), st.floats(0, 1)
tests = st.builds(built, signs, p_values)


def turned(test):
    return None if test is None else SignTest(sign=-test.sign, strength=test.strength)


@given(tests, tests, st.none() | tests)
def test_swapping_the_setups_turns_the_sign(accuracy, soft, guard):
    forth = witness(accuracy, soft, guard)
    back = witness(turned(accuracy), turned(soft), turned(guard))
    assert back.sign == -forth.sign
    assert (back.soft, back.strength) == (forth.soft, forth.strength)


@given(tests, tests, st.none() | tests)
def test_a_sign_is_accuracy_s_and_accuracy_has_to_show_it(accuracy, soft, guard):
    found = witness(accuracy, soft, guard)
    assert found.sign == accuracy.sign
    assert found.strength <= accuracy.strength(WITH_SOFT)
    assert found.strength >= accuracy.strength(ALONE)
    if found.soft:
        counted = [each for each in (soft, guard) if each is not None]
        assert all(each.sign == found.sign for each in counted)
        assert found.strength <= min(each.strength(1) for each in counted)


@given(tests, tests)
def test_a_guard_that_says_the_same_changes_nothing(accuracy, soft):
    alone, guarded = witness(accuracy, soft, None), witness(accuracy, soft, soft)
    assert (alone.soft, alone.sign) == (guarded.soft, guarded.sign)
    assert alone.strength == guarded.strength


@pytest.mark.parametrize("shift", [0.0, 0.5, 2.0, 50.0])
@pytest.mark.parametrize("n", [3, 5, 10, 20])
def test_soft_metrics_that_move_alone_make_a_winner_at_most_as_often_as_said(n, shift):
    """Matched and ranked accuracy move by so many standard deviations, accuracy by nothing."""
    rng = np.random.default_rng(n)
    shared, own = rng.normal(size=(3, 4000, n)), rng.normal(size=(3, 4000, n))
    noise = 0.85 * shared[:1] + 0.5 * own
    noise[1:] += shift
    found = witness(*map(of_pairs, noise))
    alarms = int((found.strength > -0.05).sum())
    assert binomtest(alarms, 4000, 0.05, alternative="greater").pvalue > 1e-3


def of_pairs(differences):
    n = differences.shape[-1]
    t = differences.mean(-1) / differences.std(-1, ddof=1) * np.sqrt(n)
    p = 2 * student.sf(np.abs(t), n - 1)
    return SignTest(sign=sign_of(t), strength=lambda level: -p / level)


@pytest.mark.parametrize("predictions", [3, 2500, 5000, 20_000])
def test_one_prediction_in_a_run_is_a_sign_in_spite_of_rounding(predictions):
    """0.7 + 1/n - 0.7 is not 1/n in floating point."""
    moved = np.mean([0.7 + 1 / predictions - 0.7] * 7)
    assert sign_of(moved, 1 / predictions) == 1
    assert sign_of(-moved, 1 / predictions) == -1
    assert sign_of(0.99 * moved, 1 / predictions) == 0
