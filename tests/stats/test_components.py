"""Components of variance over crossed seeds."""

import math
from itertools import combinations

import numpy as np
import pytest
from scipy import stats

from seedwise.errors import DataError
from seedwise.stats.components import Replicates, complete_grid, crossed_variance

STREAMS = ("init", "order", "augment")
NONE = Replicates(variance=0.0, freedom=0)
PARTS = [part for size in (1, 2, 3) for part in combinations(range(3), size)]


def drawn(rng, shape, variances):
    """A grid of runs with normal effects of known variance for each set of streams."""
    values = np.zeros(shape)
    for part, variance in zip(PARTS, variances, strict=True):
        size = [n if axis in part else 1 for axis, n in enumerate(shape)]
        values = values + math.sqrt(variance) * rng.normal(size=size)
    return values


def by_pairs(values):
    """The components from the mean squared differences of pairs of runs (Koch, 1967): pairs that
    share exactly the streams T differ by the parts that are not within T."""
    runs = [(index, values[index]) for index in np.ndindex(values.shape)]
    halves = {}
    for (one, y), (other, z) in combinations(runs, 2):
        shared = frozenset(axis for axis in range(3) if one[axis] == other[axis])
        halves.setdefault(shared, []).append((y - z) ** 2 / 2)
    whole = np.mean(halves[frozenset()])
    shared = {part: whole - np.mean(found) for part, found in halves.items()}
    shared[frozenset(range(3))] = whole
    return {
        part: sum(
            (-1) ** (len(part) - size) * shared[frozenset(less)]
            for size in range(len(part) + 1)
            for less in combinations(part, size)
        )
        for part in PARTS
    }


@pytest.mark.parametrize("shape", [(2, 3, 4), (3, 3, 3), (5, 2, 2)])
def test_agrees_with_the_estimator_from_pairs_of_runs(shape):
    values = np.random.default_rng(0).normal(size=shape)
    wanted = by_pairs(values)
    found = crossed_variance(values, STREAMS, NONE)
    for part, component in zip(PARTS, found.components, strict=True):
        assert component.streams == tuple(STREAMS[axis] for axis in part)
        assert component.variance.value == pytest.approx(wanted[part])
    assert found.total.value == pytest.approx(sum(wanted.values()))
    for axis, stream in enumerate(STREAMS):
        own = sum(value for part, value in wanted.items() if axis in part)
        assert found.alone[stream].value == pytest.approx(own)


def test_agrees_with_the_analysis_of_variance_of_statsmodels():
    from pandas import DataFrame
    from statsmodels.formula.api import ols
    from statsmodels.stats.anova import anova_lm

    values = np.random.default_rng(1).normal(size=(4, 3))
    rows = [(str(i), str(j), values[i, j]) for i, j in np.ndindex(values.shape)]
    table = anova_lm(ols("y ~ C(a) + C(b)", DataFrame(rows, columns=["a", "b", "y"])).fit())
    squares = table["sum_sq"] / table["df"]
    found = {
        c.streams: c.variance.value
        for c in crossed_variance(values, ("init", "order"), NONE).components
    }
    rest = squares["Residual"]
    assert found["init", "order"] == pytest.approx(rest)
    assert found["init",] == pytest.approx((squares["C(a)"] - rest) / 3)
    assert found["order",] == pytest.approx((squares["C(b)"] - rest) / 4)


def test_the_parts_are_unbiased():
    rng = np.random.default_rng(2)
    true = [0.3, 0.0, 0.1, 0.2, 0.05, 0.05, 0.3]
    found = np.array(
        [
            [
                c.variance.value
                for c in crossed_variance(drawn(rng, (3, 4, 3), true), STREAMS, NONE).components
            ]
            for _ in range(1_500)
        ]
    )
    error = found.std(axis=0) / math.sqrt(len(found))
    assert (np.abs(found.mean(axis=0) - true) < 5 * error).all()


@pytest.mark.parametrize("shape", [(3, 3, 3), (5, 5, 5), (8, 8, 2)])
@pytest.mark.parametrize(
    "true", [[0.05, 0.05, 0.05, 0.1, 0.1, 0.1, 0.55], [0.6, 0.0, 0.0, 0.1, 0.1, 0.0, 0.2]]
)
def test_intervals_cover_at_the_documented_rate(shape, true):
    rng = np.random.default_rng(3)
    hits = np.zeros(11)
    alone = [sum(v for v, part in zip(true, PARTS, strict=True) if a in part) for a in range(3)]
    wanted = [*true, sum(true), *alone]
    for _ in range(250):
        found = crossed_variance(drawn(rng, shape, true), STREAMS, NONE)
        parts = [*(c.variance for c in found.components), found.total, *found.alone.values()]
        hits += [p.low <= w <= p.high for p, w in zip(parts, wanted, strict=True)]
    for count in hits:
        assert stats.binomtest(int(count), 250, 0.92, alternative="less").pvalue > 1e-6


def test_relabelled_streams_give_relabelled_parts_and_a_constant_changes_nothing():
    values = np.random.default_rng(4).normal(size=(3, 4, 2))
    one = crossed_variance(values, STREAMS, NONE)
    other = crossed_variance(values.transpose(2, 0, 1) + 7, ("augment", "init", "order"), NONE)
    by_set = {frozenset(c.streams): c.variance.value for c in other.components}
    for component in one.components:
        assert by_set[frozenset(component.streams)] == pytest.approx(component.variance.value)


def test_repeats_take_the_noise_of_the_machine_out_of_the_last_part():
    values = np.random.default_rng(5).normal(size=(3, 3))
    without = crossed_variance(values, ("init", "order"), NONE)
    noise = Replicates.of([np.array([0.1, 0.3]), np.array([0.2, 0.5]), np.array([0.9])])
    assert (noise.freedom, noise.variance) == (2, pytest.approx((0.02 + 0.045) / 2))
    told = crossed_variance(values, ("init", "order"), noise)
    assert (without.repeats, told.repeats) == (None, noise)
    *first, last = zip(without.components, told.components, strict=True)
    assert all(a.variance == b.variance for a, b in first)
    assert last[1].variance.value == pytest.approx(last[0].variance.value - noise.variance)
    assert told.total == without.total


def test_equal_runs_have_no_components():
    found = crossed_variance(np.full((2, 2, 2), 0.5), STREAMS, NONE)
    assert all(c.variance.value == 0 for c in found.components)


@pytest.mark.parametrize(
    ("values", "streams", "message"),
    [
        (np.ones(4), ("init",), "at least two streams with two seeds each, got 4 for init"),
        (np.ones((4, 1)), ("init", "order"), "got 4 x 1 for init, order"),
        (np.array([[1, np.nan], [1, 2]]), ("init", "order"), "not finite"),
    ],
)
def test_what_is_no_crossing_is_refused(values, streams, message):
    with pytest.raises(DataError, match=message):
        crossed_variance(values, streams, NONE)


def grid(*seeds):
    return [levels.tolist() for levels in complete_grid(np.array(seeds))]


def test_the_grid_is_found_among_other_runs():
    crossed = [(i, j, k) for i in range(3) for j in range(3) for k in range(2)]
    diagonal = [(s, s, s) for s in range(3, 12)]
    assert grid(*diagonal, *crossed) == [[0, 1, 2], [0, 1, 2], [0, 1]]


def test_a_grid_that_lacks_a_run_loses_one_seed():
    crossed = [(i, j, 0) for i in range(4) for j in range(4)]
    crossed.remove((2, 1, 0))
    assert math.prod(map(len, grid(*crossed))) == 12


@pytest.mark.parametrize("seeds", [[(s, s, s) for s in range(5)], [(3, 4, 5)]])
def test_without_crossing_there_is_no_grid_of_several_streams(seeds):
    assert sum(len(levels) > 1 for levels in grid(*seeds)) < 2
