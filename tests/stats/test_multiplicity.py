import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from statsmodels.stats.multitest import multipletests

from seedwise.errors import UnknownName
from seedwise.stats.multiplicity import adjusted

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
