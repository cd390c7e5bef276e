import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seedwise.errors import ConfigError, UnknownName
from seedwise.seeds import STREAMS, Seed, _philox, stream, uniforms

words = st.integers(0, 2**64 - 1)


@given(words, st.sampled_from(STREAMS), words, st.lists(words, min_size=1, max_size=5))
def test_rows_drawn_together_equal_one_generator_a_row(seed, name, epoch, examples):
    together = uniforms(seed, name, epoch, np.array(examples, np.uint64), draws=7)
    alone = [stream(seed, name, epoch, example).random(7) for example in examples]
    np.testing.assert_array_equal(together, alone)
    later = uniforms(seed, name, epoch, np.array(examples, np.uint64), draws=3, start=4)
    np.testing.assert_array_equal(later, together[:, 4:])


def test_the_published_known_answer_of_philox():
    """Random123's kat_vectors: philox4x64, 10 rounds, counter and key all zero."""
    words = _philox([np.zeros((1, 1), np.uint64)] * 4, 0, 0)
    assert [int(word) for word in words.ravel()] == [
        0x16554D9ECA36314C,
        0xDB20FE9D672D0FDC,
        0xD7E772CEE186176B,
        0x7E68B68AEC7BA23B,
    ]


def test_the_key_and_counter_of_a_stream_never_change():
    """Stored studies depend on them: key (seed, position of the stream), counter (1, *key)."""
    counter = [np.full((1, 1), word, np.uint64) for word in (1, 0, 17, 0)]
    first = int(_philox(counter, 3, 2)[0, 0, 0]) >> 11
    assert stream(3, "augment", 0, 17).random() == first * 2.0**-53
    assert STREAMS == ("init", "order", "augment")


def test_streams_seeds_and_keys_give_unrelated_numbers():
    draws = [
        stream(seed, name, key).random(1_000)
        for seed in (0, 1)
        for name in STREAMS
        for key in (0, 1)
    ]
    correlations = np.corrcoef(draws)[np.triu_indices(len(draws), 1)]
    # 66 correlations of 1,000 uniforms: 5 standard errors
    assert np.abs(correlations).max() < 5 / np.sqrt(1_000)


def test_uniforms_are_uniform():
    values = uniforms(0, "augment", np.arange(5_000, dtype=np.uint64), draws=5).ravel()
    assert values.min() >= 0
    assert values.max() < 1
    counts = np.histogram(values, bins=20, range=(0, 1))[0]
    expected = values.size / 20
    # chi-squared with 19 degrees of freedom: one in a million is above 65
    assert ((counts - expected) ** 2 / expected).sum() < 65


@given(st.tuples(*[st.integers(0, 2**63 - 1)] * 3))
def test_a_seed_is_read_back_from_its_text(numbers):
    assert Seed.parse(str(Seed.of(numbers))) == Seed.of(numbers)


@pytest.mark.parametrize("bad", [-1, 2**63, 1.0, True, "3", (1, 2), None])
def test_what_is_no_seed_is_refused(bad):
    with pytest.raises(ConfigError, match="a seed must be"):
        Seed.of(bad)


@pytest.mark.parametrize("text", ["", "a", "1/2", "1/2/x"])
def test_text_that_is_no_seed_is_refused(text):
    with pytest.raises(ConfigError):
        Seed.parse(text)


def test_an_unknown_stream_gets_a_suggestion():
    with pytest.raises(UnknownName, match="did you mean 'augment'"):
        stream(0, "augmnt")


@pytest.mark.parametrize("key", [(-1,), (2**64,), (1, 2, 3, 4)])
def test_a_key_out_of_range_is_refused(key):
    with pytest.raises(ConfigError):
        stream(0, "order", *key)


def test_each_stream_of_a_seed_has_its_generators():
    seed = Seed.of((3, 4, 5))
    assert seed.numpy("init", 7).random() == stream(3, "init", 7).random()
    assert seed.numpy("order").random() == stream(4, "order").random()
    assert 0 <= seed.integer("augment") < 2**32
    assert seed.python("augment").random() == random.Random(seed.integer("augment")).random()
    with pytest.raises(UnknownName, match="did you mean 'order'"):
        seed.numpy("ordre")


def test_varying_one_stream_leaves_the_draws_of_the_others_alone():
    a, b = Seed.of((3, 4, 5)), Seed.of((3, 4, 6))
    assert a.integer("init") == b.integer("init")
    assert a.integer("augment") != b.integer("augment")


def test_torch_gets_a_generator_of_its_own():
    torch = pytest.importorskip("torch")
    before = torch.get_rng_state()
    first, again = (torch.rand(3, generator=Seed.of(3).torch("init")) for _ in range(2))
    assert torch.equal(first, again)
    assert not torch.equal(first, torch.rand(3, generator=Seed.of(4).torch("init")))
    assert torch.equal(torch.get_rng_state(), before)


def test_everything_seeds_the_global_generators_as_people_do_by_hand():
    torch = pytest.importorskip("torch")

    def draws():
        return random.random(), np.random.random(), float(torch.rand(1))  # noqa: NPY002

    random.seed(3)
    np.random.seed(3)  # noqa: NPY002
    torch.manual_seed(3)
    by_hand = draws()
    Seed.of(3).everything()
    assert draws() == by_hand
    with pytest.raises(ConfigError, match="no single integer"):
        Seed.of((3, 3, 4)).everything()


def test_a_seed_whose_streams_are_alike_is_an_integer():
    assert int(Seed.of(3)) == 3
    with pytest.raises(ConfigError, match="seed 3/3/4 has streams that differ"):
        int(Seed.of((3, 3, 4)))
