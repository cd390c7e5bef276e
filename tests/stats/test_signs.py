import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seedwise.stats.signs import SignTest, sign_of, witness

tests = st.builds(
    lambda sign, strength: SignTest(sign=np.int8(sign), strength=strength),
    st.sampled_from([-1, 0, 1]),
    st.floats(0, 100),
)


def turned(test):
    return None if test is None else SignTest(sign=-test.sign, strength=test.strength)


@given(tests, tests, st.none() | tests)
def test_swapping_the_setups_turns_the_sign(accuracy, soft, guard):
    forth = witness(accuracy, soft, guard)
    back = witness(turned(accuracy), turned(soft), turned(guard))
    assert back.sign == -forth.sign
    assert (back.soft, back.strength) == (forth.soft, forth.strength)


@given(tests, tests, st.none() | tests)
def test_a_sign_is_accuracy_s_and_no_stronger_than_what_counts(accuracy, soft, guard):
    found = witness(accuracy, soft, guard)
    assert found.sign in (0, accuracy.sign)
    counted = [each for each in (soft, guard) if each is not None] if found.soft else [accuracy]
    assert found.strength == min(each.strength for each in counted)
    if found.sign:
        assert all(each.sign == found.sign for each in counted)


@given(tests, tests)
def test_a_guard_that_says_the_same_changes_nothing(accuracy, soft):
    alone, guarded = witness(accuracy, soft, None), witness(accuracy, soft, soft)
    assert (alone.soft, alone.sign) == (guarded.soft, guarded.sign)
    assert alone.strength == guarded.strength


@pytest.mark.parametrize("predictions", [3, 2500, 5000, 20_000])
def test_one_prediction_in_a_run_is_a_sign_in_spite_of_rounding(predictions):
    """0.7 + 1/n - 0.7 is not 1/n in floating point."""
    moved = np.mean([0.7 + 1 / predictions - 0.7] * 7)
    assert sign_of(moved, 1 / predictions) == 1
    assert sign_of(-moved, 1 / predictions) == -1
    assert sign_of(0.99 * moved, 1 / predictions) == 0
