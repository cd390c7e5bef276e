import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from statsmodels.stats.multitest import multipletests

from seedwise.errors import UnknownName
from seedwise.stats.multiplicity import adjusted, next_level

p_values = arrays(np.float64, st.integers(1, 12), elements=st.floats(0, 1))
methods = pytest.mark.parametrize(("name", "theirs"), [("holm", "holm"), ("bh", "fdr_bh")])


@methods
@settings(max_examples=25)  # statsmodels takes 50 ms for each
@given(p_values)
def test_adjusted_p_values_agree_with_statsmodels(name, theirs, p_values):
    wanted = multipletests(p_values, method=theirs)[1]
    np.testing.assert_allclose(adjusted(p_values, name), wanted, rtol=1e-12, atol=1e-300)


@methods
@given(p_values, st.randoms())
def test_the_order_of_the_tests_does_not_matter(name, theirs, p_values, random):
    order = list(range(len(p_values)))
    random.shuffle(order)
    np.testing.assert_array_equal(adjusted(p_values, name)[order], adjusted(p_values[order], name))


def test_an_unknown_correction_is_said():
    with pytest.raises(UnknownName, match="unknown correction 'bonferoni'"):
        adjusted(np.array([0.5]), "bonferoni")


@methods
@settings(max_examples=25)
@given(p_values)
def test_the_next_level_is_where_one_more_test_would_be_significant(name, theirs, p_values):
    alpha = 0.05
    found = multipletests(p_values, alpha, method=theirs)[1]
    level, waiting = next_level(found, name, alpha=alpha), np.flatnonzero(found >= alpha)
    for test in waiting[:1]:
        for p_value, wanted in ((level * 0.99, True), (min(1.0, level * 1.01), False)):
            others = np.delete(p_values, test)
            if not wanted and (name == "bh" or others.min(initial=1) <= p_value):
                continue  # others that come near would help it
            changed = np.insert(others, test, p_value)
            assert (adjusted(changed, name)[test] < alpha) == wanted
