from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.reference import golden
from seedwise.errors import UnknownName
from seedwise.optim import flat_cos


@pytest.mark.parametrize("key", [key for key in golden("schedules.npz") if key.endswith("__lr")])
def test_every_rate_is_that_of_a_real_fit(key):
    form, sizes = key.removesuffix("__lr").split("_")
    batches, epochs = map(int, sizes.split("x"))
    steps = batches * epochs
    got = [flat_cos(step, steps, 4e-3, form=form) for step in range(steps)]
    np.testing.assert_allclose(got, golden("schedules.npz")[key], rtol=0, atol=1e-15)


@given(st.integers(1, 500), st.floats(0, 0.99), st.sampled_from(["v1", "v2"]))
def test_the_rate_never_rises_and_starts_at_its_top(steps, flat, form):
    rates = [flat_cos(step, steps, 0.1, flat=flat, form=form) for step in range(steps)]
    assert rates[0] == pytest.approx(0.1)
    assert all(later <= earlier + 1e-15 for earlier, later in pairwise(rates))
    assert min(rates) >= 0


def test_an_unknown_form_is_refused():
    with pytest.raises(UnknownName, match="schedule form"):
        flat_cos(0, 10, 0.1, form="v3")
