import zlib

import numpy as np
import pytest

from seedwise.comparison import Stop
from seedwise.live.events import Compared
from seedwise.store import Store, logits_digest
from seedwise.store.schema import checksum, sum_without
from seedwise.study import Study, record
from seedwise.words.cautions import cautions

TARGETS = np.arange(200) % 4


def logits(seed, lift=0.0):
    rows = np.random.default_rng(seed).normal(size=(200, 4))
    rows[np.arange(200), TARGETS] += 1 + lift
    return rows


def recorded(path, setup, seeds, predictions):
    said = []
    for seed in seeds:
        made = {"predictions": predictions(seed), "targets": TARGETS}
        record(path, setup=setup, seed=seed, **made, watch=said.append)
    return [each.text for each in said]


@pytest.mark.parametrize("length", [0, 1, 2, 3, 255, 256, 40_003])
def test_the_sum_of_the_data_comes_out_of_the_sum_of_the_row(length):
    data = np.random.default_rng(length).bytes(length)
    head = (7, 2, length, 10)
    assert sum_without(checksum(*head, data), head, length) == zlib.crc32(data)


def test_stored_runs_have_the_digest_of_their_logits(tmp_path):
    recorded(tmp_path / "s.db", "a", range(3), lambda seed: logits(seed % 2))
    with Store.open(tmp_path / "s.db", readonly=True) as store:
        first, second, third = store.runs("a")
        assert first.digest == third.digest != second.digest
        assert second.digest == logits_digest(store.logits([second.id])[0])


def test_copies_in_several_parts_are_found_too(tmp_path, monkeypatch):
    monkeypatch.setattr("seedwise.store.store._PART", 300)
    said = recorded(tmp_path / "s.db", "a", range(3), lambda seed: logits(seed % 2))
    assert ["seed 2: bit for bit the predictions of seed 0" in text for text in said] == [True]
    with Store.open(tmp_path / "s.db", readonly=True) as store:
        first, second, third = store.runs("a")
        assert first.digest == third.digest == logits_digest(store.logits([first.id])[0])
        assert second.digest != first.digest


def test_copies_under_other_seeds_count_once_and_are_said(tmp_path):
    """24 copies of 6 runs were "better", p = .0008."""
    path = tmp_path / "s.db"
    said = recorded(path, "a", range(24), lambda seed: logits(seed % 6))
    recorded(path, "b", range(24), lambda seed: logits(100 + seed % 6, 0.1))
    assert len(said) == 6
    assert said[0].startswith("a, seed 6: bit for bit the predictions of seed 0;")
    found = Study(path).compare("a", "b")
    assert (found.a.results, found.a.identical) == (6, 18)
    assert found.deciding.difference.n_a == 6
    alone = tmp_path / "six.db"
    recorded(alone, "a", range(6), logits)
    recorded(alone, "b", range(6), lambda seed: logits(100 + seed, 0.1))
    assert Study(alone).compare("a", "b").verdict.p_value == found.verdict.p_value
    assert any(
        "18 of the 24 runs of a have the predictions of another" in c for c in cautions(found)
    )
    summary = Study(path).summary().setups[0]
    assert (summary.identical, summary.metrics["accuracy"].n) == (18, 6)


def test_a_seed_without_effect_is_said_in_one_line(tmp_path):
    path = tmp_path / "s.db"
    recorded(path, "a", range(10), lambda seed: logits(0))
    recorded(path, "b", range(10), logits)
    found = Study(path).compare("a", "b")
    assert found.a.results == 1
    assert found.verdict.outcome == "undecided"
    assert "The seed has no effect on a: its 10 identical runs are one run." in cautions(found)[0]


def test_setups_that_agree_are_no_copies(tmp_path):
    path = tmp_path / "s.db"
    for setup in "ab":
        assert recorded(path, setup, range(4), logits) == []
    found = Study(path).compare("a", "b")
    assert (found.a.results, found.b.results) == (4, 4)


def test_crossed_seeds_of_a_stream_that_nothing_uses_are_no_copies(tmp_path):
    path = tmp_path / "s.db"
    seeds = [(init, init, augment) for init in range(3) for augment in range(3)]
    assert recorded(path, "a", seeds, lambda seed: logits(seed[0])) == []
    summary = Study(path).summary().setups[0]
    assert (summary.sharing, summary.identical) == (6, 0)


def test_a_stopping_rule_counts_no_copies_and_ends(tmp_path):
    """A pair of copies was a look like any other: 40 runs of one number each were a verdict."""

    def ignores(seed):
        return {"predictions": logits(0), "targets": TARGETS}

    def uses(seed):
        return {"predictions": logits(int(seed), 0.5), "targets": TARGETS}

    study, said = Study(tmp_path / "s.db"), []
    study.run(
        {"a": ignores, "b": uses},
        until=Stop(difference=0.05, max_runs=30),
        watch=lambda event: said.append(getattr(event, "text", "")),
    )
    (decision,) = study.decisions().values()
    assert decision.n <= 1
    assert decision.verdict not in ("better", "worse", "equivalent")
    assert len(study.summary().setups) == 2
    assert study.summary().setups[0].finished <= 5
    assert sum("bit for bit" in text for text in said) == 1


def test_what_is_shown_while_runs_are_made_counts_no_copies(tmp_path):
    def repeats(seed):
        return {"predictions": logits(int(seed) % 3), "targets": TARGETS}

    def uses(seed):
        return {"predictions": logits(100 + int(seed)), "targets": TARGETS}

    pairs = []

    def watch(event):
        if isinstance(event, Compared):
            pairs.append(event.interim.pairs)

    study = Study(tmp_path / "s.db")
    study.run({"a": uses, "b": repeats}, seeds=6, planned=8, watch=watch)
    assert pairs[-1] == 3
    del pairs[:]
    study.run({"a": uses, "b": repeats}, seeds=8, watch=watch)
    assert pairs == [3]


def scored(path, setup, seeds, scores):
    for seed in seeds:
        record(path, setup=setup, seed=seed, scores={"em": scores(seed)})


def right(seed, share=0.6, examples=200):
    return np.random.default_rng(seed).random(examples) < share


@pytest.mark.parametrize("of", [right, lambda s, share=0.6: right(s, share) * 0.7])
def test_scores_of_another_seed_count_once_and_are_said(tmp_path, of):
    """24 copies of 6 tables of scores are 6 runs, as copies of predictions are."""
    path, alone = tmp_path / "s.db", tmp_path / "six.db"
    scored(path, "a", range(24), lambda seed: of(seed % 6))
    scored(path, "b", range(24), lambda seed: of(100 + seed % 6, 0.75))
    scored(alone, "a", range(6), of)
    scored(alone, "b", range(6), lambda seed: of(100 + seed, 0.75))
    found, six = (Study(each).compare("a", "b") for each in (path, alone))
    assert (found.a.results, found.a.identical) == (6, 18)
    assert found.verdict.p_value == pytest.approx(six.verdict.p_value, rel=1e-9)
    assert any(
        "18 of the 24 runs of a have the predictions of another one, or its scores" in c
        for c in cautions(found)
    )
    summary = Study(path).summary().setups[0]
    assert (summary.identical, summary.metrics["em"].n) == (18, 6)


def test_an_evaluation_without_chance_is_one_run_of_each(tmp_path):
    """Three seeds of a deterministic evaluation had no spread, and so no verdict."""
    path, one = tmp_path / "s.db", tmp_path / "one.db"
    for name, share in (("a", 0.5), ("b", 0.8)):
        scored(path, name, range(3), lambda seed, share=share: right(0, share))
        scored(one, name, [0], lambda seed, share=share: right(0, share))
    found, single = (Study(each).compare("a", "b") for each in (path, one))
    assert found.verdict.outcome == single.verdict.outcome == "better"
    assert found.deciding.new_images == single.deciding.new_images
    assert any(
        caution.endswith("its 3 identical runs are one run.") for caution in cautions(found)
    )


def test_runs_that_get_everything_right_are_runs_of_their_own(tmp_path):
    scored(tmp_path / "s.db", "a", range(5), lambda seed: np.ones(30))
    scored(tmp_path / "s.db", "b", range(5), lambda seed: right(seed, 0.5, 30))
    assert (Study(tmp_path / "s.db").compare("a", "b").a.results) == 5


def test_runs_that_agree_by_chance_are_runs_of_their_own(tmp_path):
    """On four questions two of eight runs agree, and on ten that hardly vary."""
    scored(tmp_path / "few.db", "a", range(8), lambda seed: right(seed, 0.5, 4))
    rows = np.tile(np.arange(40) % 2, (8, 1))
    rows[np.arange(8), np.arange(8) // 2] ^= 1
    scored(tmp_path / "easy.db", "a", range(8), lambda seed: rows[seed])
    for name in ("few.db", "easy.db"):
        with Store.open(tmp_path / name, readonly=True) as store:
            assert len({run.scored_digest for run in store.runs()}) < 8
        assert Study(tmp_path / name).summary().setups[0].identical == 0
