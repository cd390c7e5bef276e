"""What a study file keeps comes back as it was, and keeps its rules."""

import math
import sqlite3
import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone
from time import perf_counter

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from helpers.store_records import ENDED, dataset, run
from seedwise.crops import as_crops, view_names
from seedwise.errors import RunExists, StudyError, UnknownName
from seedwise.records import STATES, DatasetRecord, EpochRecord, RunRecord
from seedwise.seeds import Seed
from seedwise.setups import Setup
from seedwise.store import Store, schema
from seedwise.store.schema import checksum

numbers = st.floats(width=64)
texts = st.text(max_size=20)
names = st.lists(texts, min_size=1, max_size=4).map(tuple)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
epochs = st.builds(
    EpochRecord,
    epoch=st.integers(0, 1000) | st.floats(0, 1000),
    figures=st.dictionaries(texts.filter(lambda name: name != "epoch"), numbers, max_size=3),
)
# Fixed offsets: in Python no time of a day that changes its clock equals its own UTC.
zones = st.timedeltas(timedelta(hours=-23), timedelta(hours=23)).map(timezone)
times = st.datetimes(datetime(2, 1, 1), datetime(9998, 1, 1), timezones=zones)
seeds = st.builds(Seed, **dict.fromkeys(("init", "order", "augment"), st.integers(0, 2**63 - 1)))


@st.composite
def run_records(draw):
    logits = draw(st.none() | arrays(np.float16, array_shapes(min_dims=3, max_dims=3, max_side=5)))
    return RunRecord(
        state=draw(st.sampled_from(STATES)),
        logits=logits,
        views=() if logits is None else tuple(f"view{i}" for i in range(len(logits))),
        metrics=draw(st.dictionaries(texts, numbers, max_size=3)),
        epochs=tuple(draw(st.lists(epochs, max_size=3))),
        seconds=draw(st.floats(0, allow_infinity=False)),
        made_by=draw(st.dictionaries(texts, json_values, max_size=3)),
        error=draw(st.none() | st.text(st.characters(categories=None), max_size=20)),
    )


def same(a, b):
    """Equality of values that may hold NaN."""
    return repr(a) == repr(b)


def in_order(epochs):
    return [(each.epoch, sorted(each.figures.items())) for each in epochs]


@given(
    run_records(), seeds, st.datetimes(datetime(2, 1, 1), datetime(9998, 1, 1), timezones=zones)
)
@settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
def test_a_run_comes_back_bit_for_bit(tmp_path_factory, record, seed, ended_at):
    path = tmp_path_factory.mktemp("round") / "study.db"
    with Store.open(path, create=True) as store:
        store.add_setup("a", Setup())
        number = store.add_run("a", seed, record, ended_at=ended_at)
    with Store.open(path, readonly=True) as store:
        (found,) = store.runs()
        logits = store.logits([number]) if found.has_logits else None
    assert (found.id, found.setup, found.seed, found.state) == (number, "a", seed, record.state)
    assert found.ended_at == ended_at
    assert found.seconds == record.seconds
    assert same(in_order(found.epochs), in_order(record.epochs))
    assert same(sorted(found.metrics.items()), sorted(record.metrics.items()))
    assert found.made_by == record.made_by
    assert found.views == record.views
    if record.logits is None:
        assert logits is None
    else:
        assert logits is not None
        assert logits[0].tobytes() == record.logits.tobytes()
        assert logits.shape == (1, *record.logits.shape)


@given(st.text(max_size=20), names, names, st.lists(st.integers(0, 2**40), max_size=20))
@settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
def test_a_dataset_comes_back_as_it_was(tmp_path_factory, name, classes, images, targets):
    record = DatasetRecord(
        name=name,
        fingerprint="ab",
        split='{"per_class":250,"seed":1234}',
        classes=classes,
        names=images,
        targets=np.array(targets, np.int64),
    )
    with Store.open(tmp_path_factory.mktemp("round") / "study.db", create=True) as store:
        assert store.dataset() is None
        store.set_dataset(record)
        found = store.dataset()
    assert found is not None
    assert found.targets.dtype == np.int64
    assert found.targets.tolist() == targets
    assert (found.name, found.split) == (record.name, record.split)
    assert (found.classes, found.names) == (classes, images)


def test_a_study_has_one_dataset(store):
    store.set_dataset(dataset())
    store.set_dataset(dataset(name="/elsewhere/imagenette2"))  # the same images
    with pytest.raises(StudyError, match=r"made with other data: imagenette, .* fingerprint abab"):
        store.set_dataset(dataset(fingerprint="cd" * 32))
    with pytest.raises(StudyError, match=r'split "page", .* split "v1"'):
        store.set_dataset(dataset(split='"v1"'))
    assert store.dataset().name == "imagenette"


def test_the_views_of_a_study_are_said_once_with_its_dataset(store):
    ten = view_names(as_crops(10))
    store.set_dataset(dataset(views=ten))
    store.set_dataset(dataset(views=ten))
    assert store.dataset().views == ten
    for others in (dataset(), dataset(views=view_names(as_crops(4)))):
        with pytest.raises(StudyError, match=r"was made with 10 views of each image, not [24] "):
            store.set_dataset(others)


def test_a_study_of_the_notebooks_views_keeps_no_word_of_them(store):
    store.set_dataset(dataset())
    assert store.choice("views") is None
    assert store.dataset().views == ("original", "mirrored")
    with pytest.raises(StudyError, match="was made with 2 views of each image, not 16 "):
        store.set_dataset(dataset(views=view_names(as_crops(16))))


def test_a_choice_is_made_once(store):
    assert store.choice("auto") is None
    store.fix_choice("auto", {"precision": "bf16", "deterministic": True})
    store.fix_choice("auto", {"deterministic": True, "precision": "bf16"})
    with pytest.raises(StudyError, match=r'has auto fixed as \{.*"bf16"\}, got \{.*"fp16"\}'):
        store.fix_choice("auto", {"precision": "fp16", "deterministic": True})
    assert store.choice("auto") == {"precision": "bf16", "deterministic": True}


def test_a_setup_keeps_its_name(store):
    relu = Setup(activation="relu", lr=8e-3)
    store.add_setup("relu", relu)
    store.add_setup("mish", Setup())
    assert store.setups() == {"mish": Setup(), "relu": relu}
    with pytest.raises(StudyError, match=r"'relu' there, 'mish' here, lr 0\.008 there, "):
        store.add_setup("relu", Setup())


def test_a_result_is_stored_once_for_each_setup_and_seed(store):
    store.add_setup("relu", Setup(activation="relu"))
    store.add_run("mish", Seed.of(0), run(), ended_at=ENDED)
    store.add_run("mish", Seed.of((0, 0, 1)), run(), ended_at=ENDED)
    store.add_run("relu", Seed.of(0), run(state="diverged"), ended_at=ENDED)
    with pytest.raises(RunExists, match=r"finished run of setup 'mish' with seed 0 already \(run"):
        store.add_run("mish", Seed.of(0), run(), ended_at=ENDED)
    with pytest.raises(RunExists, match="diverged run of setup 'relu' with seed 0"):
        store.add_run("relu", Seed.of(0), run(), ended_at=ENDED)
    assert [(found.setup, str(found.seed)) for found in store.runs()] == [
        ("mish", "0"),
        ("mish", "0/0/1"),
        ("relu", "0"),
    ]


def test_a_failed_try_blocks_no_other_and_stays(store):
    for error in ("out of memory", "out of memory again"):
        store.add_run("mish", Seed.of(0), run(state="failed", error=error), ended_at=ENDED)
    store.add_run("mish", Seed.of(0), run(), ended_at=ENDED)
    store.add_run("mish", Seed.of(0), run(state="failed", error="late"), ended_at=ENDED)
    assert [(found.state, found.error) for found in store.runs("mish")] == [
        ("failed", "out of memory"),
        ("failed", "out of memory again"),
        ("finished", None),
        ("failed", "late"),
    ]


def test_a_run_needs_its_setup_in_the_study(store):
    with pytest.raises(UnknownName, match="unknown setup 'mush'; did you mean 'mish'"):
        store.add_run("mush", Seed.of(0), run(), ended_at=ENDED)
    with pytest.raises(UnknownName, match="unknown setup 'mush'"):
        store.runs("mush")
    assert store.runs() == []


def test_a_run_predicts_the_examples_of_the_dataset(store):
    store.set_dataset(dataset())
    other = run(logits=np.zeros((2, 5, 2), np.float16))
    with pytest.raises(StudyError, match=r"predictions for 5 examples, but .* made with 6"):
        store.add_run("mish", Seed.of(0), other, ended_at=ENDED)
    assert store.runs() == []


def test_the_end_of_a_run_is_kept_in_utc(store):
    ended_at = datetime(2026, 3, 1, 23, 0, tzinfo=timezone(timedelta(hours=-5)))
    store.add_run("mish", Seed.of(0), run(), ended_at=ended_at)
    assert store.runs()[0].ended_at.utcoffset() == timedelta(0)
    assert store.runs()[0].ended_at == ended_at
    with pytest.raises(StudyError, match="time zone"):
        store.add_run("mish", Seed.of(1), run(), ended_at=datetime(2026, 3, 1))


def test_logits_come_in_the_order_that_was_asked_for(store):
    ids = [store.add_run("mish", Seed.of(i), run(value=i), ended_at=ENDED) for i in range(4)]
    logits = store.logits([ids[2], ids[0], ids[3]])
    assert logits.shape == (3, 2, 6, 2)
    assert logits[:, 0, 0, 0].tolist() == [2, 0, 3]
    assert store.views(ids[0]) == ("original", "mirrored")
    assert store.logits([]).size == 0


def test_runs_without_logits_or_with_other_ones_are_named(store):
    first = store.add_run("mish", Seed.of(0), run(), ended_at=ENDED)
    bare = store.add_run(
        "mish", Seed.of(1), run(logits=None, views=(), metrics={"f1": 0.5}), ended_at=ENDED
    )
    one_view = run(logits=np.zeros((1, 6, 2), np.float16), views=("original",))
    other = store.add_run("mish", Seed.of(2), one_view, ended_at=ENDED)
    assert [found.has_logits for found in store.runs()] == [True, False, True]
    assert store.runs()[1].metrics == {"f1": 0.5}
    assert store.views(bare) == ()
    with pytest.raises(StudyError, match=f"run {bare} of .* has no logits"):
        store.logits([first, bare])
    with pytest.raises(StudyError, match=r"another shape than run 1: \(1, 6, 2\), \(2, 6, 2\)"):
        store.logits([first, other])


def test_metric_values_are_kept_by_run(store):
    ids = [store.add_run("mish", Seed.of(i), run(), ended_at=ENDED) for i in range(3)]
    store.put_metric_values("accuracy", {ids[0]: 0.25, ids[1]: math.nan})
    store.put_metric_values("accuracy", {ids[0]: 0.75})
    store.put_metric_values("loss", {ids[2]: np.float32(0.5), ids[1]: -0.0})
    found = store.metric_values("accuracy", ids)
    assert found[ids[0]] == 0.75
    assert math.isnan(found[ids[1]])
    assert ids[2] not in found
    assert store.metric_values("loss", [ids[2], ids[1]]) == {ids[2]: 0.5, ids[1]: 0.0}
    assert store.metric_values("loss", [ids[0]]) == {}


def test_a_study_that_is_only_read_stays_as_it_is(path, store):
    number = store.add_run("mish", Seed.of(0), run(), ended_at=ENDED)
    with Store.open(path, readonly=True) as reader:
        reader.put_metric_values("accuracy", {number: 0.5})  # a cache: not kept, no fault
        assert reader.metric_values("accuracy", [number]) == {}
        with pytest.raises(StudyError, match="read-only"):
            reader.add_setup("relu", Setup(activation="relu"))


def test_reading_leaves_no_files_behind(path, store):
    store.close()
    before = path.read_bytes()
    with Store.open(path, readonly=True) as reader:
        reader.runs()
    assert list(path.parent.iterdir()) == [path]
    assert path.read_bytes() == before


def test_a_study_knows_when_and_by_what_it_was_made(store):
    assert datetime.now(UTC) - store.facts.created < timedelta(minutes=1)
    assert store.facts.seedwise.count(".") >= 1


def test_readers_go_on_while_a_run_is_stored(path, store):
    with Store.open(path, readonly=True) as reader:
        assert reader.runs() == []
        store.add_run("mish", Seed.of(0), run(), ended_at=ENDED)
        assert [found.id for found in reader.runs()] == [1]


@pytest.mark.parametrize(
    "epochs",
    [
        "[]",
        "{}",
        '{"loss":[0.5]}',
        '{"epoch":0}',
        '{"epoch":[0],"loss":[]}',
        '{"epoch":[0],"loss":0.5}',
        '{"epoch":[0],"loss":["x"]}',
        '{"epoch":[0],"loss":[true]}',
        '{"epoch":[0],"loss":[[]]}',
        '{"epoch":[0],"loss":[1' + "0" * 400 + "]}",
        '{"epoch":[-1]}',
        '{"epoch":[true]}',
        '{"epoch":["0"]}',
        '{"epoch":[null]}',
        '{"epoch":[NaN]}',
        '{"epoch":[Infinity]}',
        '{"epoch":[' + "[" * 5000 + "]" * 5000 + "]}",
    ],
)
def test_epochs_that_nobody_wrote_are_damage_though_their_checksum_is_right(path, store, epochs):
    store.add_run("mish", Seed.of(0), run(), ended_at=ENDED)
    store.close()
    with sqlite3.connect(path) as raw:
        cursor = raw.execute("SELECT * FROM runs")
        names = [name for name, *_ in cursor.description]
        row = dict(zip(names, cursor.fetchone(), strict=True)) | {"epochs": epochs}
        total = checksum(*(row[name] for name in names if name not in ("id", "checksum")))
        raw.execute("UPDATE runs SET epochs = ?, checksum = ?", (epochs, total))
    raw.close()
    with (
        Store.open(path) as again,
        pytest.raises(StudyError, match=r"is damaged: run 1") as caught,
    ):
        again.runs()
    assert "\n" not in str(caught.value)


def test_a_figure_that_an_epoch_lacks_stays_lacking(store):
    logged = (
        EpochRecord(epoch=0, figures={"loss": 2.0}),
        EpochRecord(epoch=0.5, figures={"loss": float("nan"), "wer": 0.5}),
        EpochRecord(epoch=2, figures={}),
    )
    store.add_run("mish", Seed.of(0), run(epochs=logged), ended_at=ENDED)
    (found,) = store.runs()
    assert repr(found.epochs) == repr(logged)


def test_an_id_is_never_used_again(path, store):
    store.add_run("mish", Seed.of(0), run(), ended_at=ENDED)
    store.close()
    with sqlite3.connect(path) as raw:
        raw.execute("DELETE FROM logits")
        raw.execute("DELETE FROM runs")
    raw.close()
    with Store.open(path) as again:
        assert again.add_run("mish", Seed.of(0), run(), ended_at=ENDED) == 2


def test_stored_figures_are_values_not_rows(store):
    store.add_run("mish", Seed.of(0), run(), ended_at=ENDED)
    (found,) = store.runs()
    assert found.epochs[0].figures["accuracy"] == 0.25
    with pytest.raises(AttributeError):
        found.state = "failed"


@pytest.mark.slow
def test_storing_stays_as_fast_with_ten_thousand_runs(store):
    """100 KB a run: at most 3 ms on average, at 100, at 1,000 and at 10,000 runs."""
    record = run(logits=np.zeros((2, 2500, 10), np.float16))
    seconds = []
    for i in range(10_000):
        start = perf_counter()
        store.add_run("mish", Seed.of(i), record, ended_at=ENDED)
        seconds.append(perf_counter() - start)
    for n in (100, 1_000, 10_000):
        assert np.mean(seconds[n - 100 : n]) < 3e-3
    start = perf_counter()
    assert len(store.runs()) == 10_000
    assert perf_counter() - start < 2


def test_looking_at_a_study_in_the_process_that_writes_it_loses_nothing(path):
    """POSIX drops all locks of a process on a file that it closes; another process would then
    take itself for the last one, and remove the log that this one still writes to."""
    look = "import sys, seedwise.store as s; print(len(s.Store.open(sys.argv[1]).runs()))"

    def seen_by_another():
        done = subprocess.run([sys.executable, "-c", look, path], capture_output=True, text=True)
        return int(done.stdout)

    with Store.open(path, create=True) as store:
        store.add_setup("mish", Setup())
        store.add_run("mish", Seed.of(0), run(), ended_at=ENDED)
        with Store.open(path, readonly=True) as again:
            assert len(again.runs()) == 1
        assert seen_by_another() == 1
        store.add_run("mish", Seed.of(1), run(), ended_at=ENDED)
        assert seen_by_another() == 2


def products_to_read(monkeypatch, path, runs):
    """Multiplications of polynomials that it takes to read so many runs."""
    with Store.open(path, create=True) as store:
        store.add_setup("a", Setup())
        for seed in range(runs):
            store.add_run("a", Seed.of(seed), run(seed), ended_at=ENDED)
    made, times = [], schema._times
    monkeypatch.setattr(schema, "_times", lambda a, b: made.append(a) or times(a, b))
    schema._power.cache_clear()
    with Store.open(path, readonly=True) as store:
        digests = {run.digest for run in store.runs()}
    monkeypatch.undo()
    assert len(digests) == runs
    return len(made)


def test_what_all_digests_share_is_worked_out_once(tmp_path, monkeypatch):
    """It took a third of the time of 1,000 runs' first reading."""
    few, many = (products_to_read(monkeypatch, tmp_path / f"{n}.db", n) for n in (2, 12))
    assert many - few == 10
