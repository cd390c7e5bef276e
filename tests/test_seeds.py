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
