"""Where the noise of stored runs comes from; repeats; null comparisons; crossed seeds."""

import math

import numpy as np
import pytest

from helpers import trainings
from helpers.pictures import folders
from seedwise import stats
from seedwise.comparison.copies import independent_runs
from seedwise.comparison.scores import NOISE_METRICS
from seedwise.errors import ConfigError, StudyError, UnknownName
from seedwise.seeds import Seed
from seedwise.setups import Setup
from seedwise.stats.catalog import BuiltInMetric
from seedwise.store import Store
from seedwise.study import Study, record
from seedwise.study.nulls import twin_of
from seedwise.study.seeding import crossed_seeds, parse_sources


def setups(*names):
    return {name: Setup(train=f"helpers.trainings:{name}") for name in names}


def by_name(found):
    return {noise.name: noise for noise in found.metrics}


@pytest.fixture
def study(tmp_path):
    return Study(tmp_path / "study.db")


TINY = Setup(model="xresnet10-narrow", epochs=2, batch_size=4, size=16, precision="float32")


@pytest.fixture
def trained(tmp_path):
    """A study of the built-in training on a few small images."""
    layout = {f"train/{c}/{i}": 10 * i + n for n, c in enumerate("ab") for i in range(6)}
    layout |= {f"val/{c}/v{i}": 500 + 10 * i + n for n, c in enumerate("ab") for i in range(3)}
    pets = folders(tmp_path / "pets", layout)
    study = Study(tmp_path / "study.db", dataset=str(pets), cache=tmp_path / "cache")
    study.run({"a": TINY}, seeds=2, device="cpu", jobs=1)
    return study


def test_the_names_of_the_metrics_are_the_catalogue_s():
    assert [str(BuiltInMetric.parse(name)) for name in NOISE_METRICS] == list(NOISE_METRICS)


def test_variance_has_every_metric_each_image_and_other_setups(study):
    study.run(setups("plain", "better"), seeds=6)
    found = study.variance("plain")
    assert (found.runs, found.sharing, found.diverged, found.repeats) == (6, 0, 0, 0)
    assert tuple(by_name(found)) == NOISE_METRICS
    with Store.open(study.path, readonly=True) as store:
        logits = store.logits([run.id for run in store.runs("plain")])
    values = stats.matched_accuracy(logits, trainings.TARGETS)
    noise = by_name(found)["matched_accuracy"]
    assert noise.sample.sd == pytest.approx(np.std(values, ddof=1), rel=1e-5)
    assert noise.split.images == 200
    assert len(found.names) == len(found.images.right) == 200
    assert found.images.right.mean() == pytest.approx(by_name(found)["accuracy"].sample.mean)
    (table,) = found.signals
    assert (table.other, table.pairs) == ("better", 6)
    assert table.metrics["accuracy"].difference > 0


def test_crossed_runs_tell_sources_and_are_no_sample(study):
    study.run(setups("crossed"), seeds=crossed_seeds({"init": 4, "order": 4}))
    study.run(setups("crossed"), seeds=[4, 5, 6])
    found = study.variance("crossed")
    assert (found.runs, found.sharing) == (4, 15)  # augment is 0 in the whole grid
    (noise,) = found.metrics
    assert noise.split is None
    assert noise.crossed.levels == {"init": 4, "order": 4}
    parts = {component.streams: component.variance.value for component in noise.crossed.components}
    effects = np.random.default_rng(0).normal(size=(2, 10))[:, :4]
    assert parts["init",] == pytest.approx(effects[0].var(ddof=1))
    assert parts["order",] == pytest.approx(0.01 * effects[1].var(ddof=1))
    assert parts["init", "order"] == pytest.approx(0, abs=1e-12)
    assert not noise.alone  # the grid says more


def recorded_crossed(study, predictions):
    for seed in crossed_seeds({"init": 4, "order": 4}):
        made = {"predictions": predictions(seed), "targets": trainings.TARGETS}
        record(study.path, setup="mine", seed=seed, **made, watch=lambda _: None)
    return study.variance("mine")


def test_copies_among_crossed_runs_count_once(study):
    """One of a grid of 16 has the predictions of another one, whose seeds are both others."""

    def predictions(seed):
        copied = Seed.of((0, 1, 0)) if (seed.init, seed.order) == (3, 2) else seed
        return trainings.plain(copied)["predictions"]

    found = recorded_crossed(study, predictions)
    assert (found.runs, found.sharing, found.identical) == (1, 14, 1)
    levels = by_name(found)["accuracy"].crossed.levels
    assert sorted(levels.values()) == [3, 4]


def test_a_stream_that_changes_nothing_has_no_part_and_no_copies(study):
    """Sixteen runs of a function that uses `init` alone are four, and the order has no part."""
    found = recorded_crossed(
        study, lambda seed: trainings.plain(Seed.of(seed.init))["predictions"]
    )
    assert found.identical == 0
    noise = by_name(found)["matched_accuracy"]
    assert noise.crossed.levels == {"init": 4, "order": 4}
    parts = {component.streams: component.variance.value for component in noise.crossed.components}
    assert parts["order",] == parts["init", "order"] == pytest.approx(0, abs=1e-12)
    assert parts["init",] > 0


def test_one_stream_alone_is_seen_without_a_grid(study):
    study.run(setups("crossed"), seeds=[*range(1, 5), *((0, 0, 0), (9, 0, 0), (8, 0, 0))])
    found = study.variance("crossed")
    (noise,) = found.metrics
    assert noise.crossed is None
    assert {stream: alone.runs for stream, alone in noise.alone.items()} == {"init": 3}


def test_independent_runs_share_no_seed_of_any_stream(study):
    study.run(setups("number"), seeds=crossed_seeds({"init": 3, "order": 3, "augment": 3}))
    with Store.open(study.path, readonly=True) as store:
        chosen = independent_runs(store.runs())
    assert [str(run.seed) for run in chosen] == ["0", "1", "2"]


@pytest.mark.parametrize("seeds", [1, 2])
def test_one_or_two_runs_say_that_they_say_nothing(study, seeds):
    study.run(setups("plain", "better"), seeds=seeds)
    found = study.variance("plain")
    split = by_name(found)["accuracy"].split
    assert not split.enough_runs
    assert split.training.high == math.inf
    assert found.signals == ()


def test_diverged_runs_are_counted_and_left_out(study):
    study.run(setups("diverges"), seeds=4)
    found = study.variance("diverges")
    assert (found.runs, found.diverged) == (2, 2)
    assert by_name(found)["loss"].variance.value == 0


def test_what_has_no_run_has_no_variance(study):
    with pytest.warns(UserWarning, match="1 try failed"):
        study.run(setups("fails_on_odd_seeds"), seeds=[1])
    with pytest.raises(StudyError, match="has no finished run"):
        study.variance("fails_on_odd_seeds")
    with pytest.raises(UnknownName, match="unknown setup 'nothing'"):
        study.variance("nothing")


def test_a_repeat_of_the_built_in_training_is_the_same_bit_for_bit(trained, tmp_path):
    study = Study(trained.path, cache=tmp_path / "cache")
    found = study.repeat("a", 1)
    assert found.identical
    assert (found.largest_difference, found.churn, found.first_epoch) == (0, 0, None)
    assert found.made_otherwise == {}
    assert {floor.sd for floor in found.floors.values()} == {0}
    assert found.floors["accuracy"].most_saved == math.inf
    assert study.summary().setups[0].finished == 2
    assert study.variance("a").repeats == 1


def test_a_repeat_on_other_data_is_refused_before_it_is_trained(trained, tmp_path):
    (tmp_path / "pets/train/a/0.png").unlink()
    with pytest.raises(StudyError, match="made with other data"):
        Study(trained.path, cache=tmp_path / "cache").repeat("a", 1)
    assert Study(trained.path).variance("a").repeats == 0


def test_a_repeat_that_differs_says_by_how_much_and_is_the_floor(study):
    study.run(setups("drifts"), seeds=8)
    first = study.repeat("drifts", 3, train="helpers.trainings:drifts")
    assert not first.identical
    assert first.largest_difference > 0
    assert 0 < first.churn < 0.2
    for seed in range(8):
        found = study.repeat("drifts", seed, train="helpers.trainings:drifts")
    floor = found.floors["smoothed_accuracy"]
    assert floor.repeats == 9
    assert 0 < floor.sd < floor.sd_seeds
    assert floor.most_saved == pytest.approx((floor.sd_seeds / floor.sd) ** 2)
    assert len(study.summary().setups) == 1
    assert study.summary().setups[0].finished == 8


def test_the_floor_is_the_spread_of_run_minus_repeat(study):
    study.run(setups("drifts"), seeds=1)
    floor = study.repeat("drifts", 0, train="helpers.trainings:drifts").floors["cross_entropy"]
    assert floor.sd == pytest.approx(abs(floor.run - floor.repeat))
    assert math.isnan(floor.sd_seeds)


def test_plain_numbers_and_diverged_runs_are_repeated_too(study):
    study.run(setups("number", "diverges"), seeds=2)
    number = study.repeat("number", 1, train="helpers.trainings:number")
    assert (number.identical, number.floors["value"].sd) == (True, 0)
    diverged = study.repeat("diverges", 1, train="helpers.trainings:diverges")
    assert (diverged.identical, diverged.states) == (True, ("diverged", "diverged"))
    assert diverged.floors == {}


def test_a_repeat_that_fails_is_not_kept(study, monkeypatch):
    study.run(setups("fails_where_told"), seeds=1)
    monkeypatch.setenv("TRAININGS_FAIL", "1")
    with pytest.raises(StudyError, match="failed, and is not kept: ZeroDivisionError"):
        study.repeat("fails_where_told", 0, train="helpers.trainings:fails_where_told")
    assert study.variance("fails_where_told").repeats == 0


def test_only_a_stored_run_is_repeated(study):
    study.run(setups("plain"), seeds=[3, (4, 4, 5)])
    with pytest.raises(StudyError, match="no run with seed 1 to repeat; it has seeds: 3, 4/4/5"):
        study.repeat("plain", 1, train="helpers.trainings:plain")
    with pytest.raises(UnknownName, match="did you mean 'plain'"):
        study.repeat("plane", 3)


def test_a_twin_is_the_same_training_a_hair_aside():
    twin = twin_of(Setup())
    assert twin.differences(Setup()) == {"lr": (0.004 * 1.0001, 0.004)}
    assert twin_of(Setup(train="helpers.trainings:plain")) is None


def test_nulls_of_a_function_are_other_seeds_in_a_file_of_their_own(study):
    study.run(setups("plain"), seeds=2)
    found = study.null_comparisons(
        "plain", train="helpers.trainings:plain", comparisons=10, runs=3
    )
    assert found.paired is None
    assert found.unpaired.comparisons == 5
    assert found.unpaired.rate.low <= found.unpaired.rejected / 5 <= found.unpaired.rate.high
    assert study.summary().setups[0].finished == 2
    nulls = study.path.with_name("study-aa.db")
    assert Study(nulls).summary().setups[0].finished == 30


def test_the_judge_is_given_sets_that_share_no_run(study):
    study.run(setups("plain"), seeds=1)
    seen = []

    def judge(store, a, b, paired):
        assert not paired
        seen.append([str(run.seed) for run in (*a, *b)])
        return len(seen) == 2

    found = study.null_comparisons(
        "plain", train="helpers.trainings:plain", comparisons=4, runs=2, judge=judge
    )
    assert seen == [["0", "1", "2", "3"], ["4", "5", "6", "7"]]
    assert (found.unpaired.rejected, found.unpaired.rate.value) == (1, 0.5)


def test_sets_that_lack_a_run_are_left_out_and_counted(study):
    study.run(setups("diverges"), seeds=1)
    found = study.null_comparisons(
        "diverges", train="helpers.trainings:diverges", comparisons=4, runs=2
    )
    assert (found.unpaired.comparisons, found.unpaired.incomplete) == (0, 2)
    assert math.isnan(found.unpaired.rate.value)


def test_twins_of_the_built_in_training_share_seeds_and_the_study_s_choices(trained, tmp_path):
    study = Study(trained.path, cache=tmp_path / "cache")
    found = study.null_comparisons("a", comparisons=2, runs=2, jobs=1, device="cpu")
    assert (found.paired.comparisons, found.unpaired.comparisons) == (2, 1)
    with (
        Store.open(trained.path, readonly=True) as store,
        Store.open(trained.path.with_name("study-aa.db"), readonly=True) as nulls,
    ):
        assert nulls.choice("auto") == store.choice("auto")
        assert nulls.choice("cpu_threads") == store.choice("cpu_threads")
        assert [run.seed for run in nulls.runs("a twin")] == [Seed.of(s) for s in range(4)]
        same = [
            store.logits([run.id for run in store.runs("a")]),
            nulls.logits([run.id for run in nulls.runs("a")][:2]),
        ]
        assert (same[0] == same[1]).all()  # made as the study's runs are
        assert nulls.dataset().fingerprint == store.dataset().fingerprint


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"comparisons": 1}, "at least 2 sets of at least 2 runs, got 1 of 5"),
        ({"runs": 1}, "got 20 of 1"),
        ({"store": "study.db"}, "is the study itself"),
    ],
)
def test_null_comparisons_that_make_no_sense_are_refused(study, arguments, message, monkeypatch):
    study.run(setups("plain"), seeds=1)
    monkeypatch.chdir(study.path.parent)
    with pytest.raises(ConfigError, match=message):
        study.null_comparisons("plain", train="helpers.trainings:plain", **arguments)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("init,order", "with no number for 'order'"),
        ("init=x", "sources are written"),
        ("init=1", "at least 2 seeds, got init=1"),
        ("", "with no number for ''"),
        ("init=2,init=3", "named twice"),
        ("init,order,augment=1000", "too many"),
        ("weights=3", "unknown random stream 'weights'"),
    ],
)
def test_sources_that_cannot_be_read_are_named(text, message):
    with pytest.raises((ConfigError, UnknownName), match=message):
        parse_sources(text)
