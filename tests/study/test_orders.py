import pytest
from hypothesis import given
from hypothesis import strategies as st

from seedwise.errors import ConfigError
from seedwise.seeds import Seed
from seedwise.study.orders import missing_runs
from seedwise.study.seeding import as_seeds

names = st.lists(st.sampled_from("abcde"), min_size=1, unique=True)
numbers = st.lists(st.integers(0, 9), min_size=1, unique=True)


@given(names, numbers, st.data())
def test_missing_and_stored_are_every_setup_with_every_seed(setups, seeds, data):
    seeds = as_seeds(seeds)
    everything = [(name, seed) for seed in seeds for name in setups]
    stored = data.draw(st.sets(st.sampled_from(everything)))
    missing = [(run.setup, run.seed) for run in missing_runs(setups, seeds, stored=stored)]
    assert missing == [key for key in everything if key not in stored]


def test_pairs_are_completed_before_the_next_seed_begins():
    missing = missing_runs(["a", "b"], as_seeds(3), stored=())
    assert [str(run.seed) for run in missing] == ["0", "0", "1", "1", "2", "2"]


def test_a_stored_seed_of_another_stream_is_another_run():
    assert len(missing_runs(["a"], as_seeds([(1, 1, 2)]), stored={("a", Seed.of(1))})) == 1


@pytest.mark.parametrize(
    ("seeds", "message"),
    [(0, "at least one seed"), ([], "at least one seed"), ([1, 2, 1], "seed 1 is listed twice")],
)
def test_seeds_that_make_no_sense_are_refused(seeds, message):
    with pytest.raises(ConfigError, match=message):
        as_seeds(seeds)
