"""Damaged and hostile files: read as they are, or refused in one line. Never anything else.

A few hundred of each by default; `make test-slow` tries many.
"""

import io
import os
import pickle
import sqlite3
import tracemalloc
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from helpers.mutations import mutations
from helpers.pictures import LAYOUT, as_tar, as_zip, encoded, folders, picture
from helpers.store_records import ENDED, run
from helpers.study_files import change, filled
from seedwise.comparison import Rule, compare, run_table, summarise
from seedwise.comparison.rule import plan_of
from seedwise.comparison.study_runs import StudyRuns
from seedwise.data import Split, open_data
from seedwise.data.decode import MOST_PIXELS, Undecodable, decode
from seedwise.errors import ConfigError, DataError, SeedwiseError, StudyError
from seedwise.store import PLAN, Store, check_study, schema
from seedwise.study import record
from seedwise.study.arrays import read_arrays
from seedwise.study.config import load_study
from seedwise.study.importing import import_runs
from seedwise.study.seeding import as_seeds
from seedwise.words import Comparison

MANY = int(os.environ.get("SEEDWISE_FUZZ", "5000"))
COUNTS = [300, pytest.param(MANY, marks=pytest.mark.slow)]

TOML = b"""
dataset = "digits"
split = { per_class = 50, seed = 1234 }
seeds = "0:4, 9, 1/2/3"
baseline = "mish"
executor = { kind = "ray", jobs = 3, gpus = 0.5, time_limit = 60 }

[setups.mish]
betas = [0.9, 0.99]

[setups."r e l u"]
extends = "mish"
activation = "relu"
self_attention = false
pixels = 160
train = "seedwise.train:train"
"""


def outcome(read, *refusals):
    """Whether it could be read; a refusal must be one line."""
    refusal = None
    try:
        read()
    except refusals as error:
        refusal = str(error)
    assert refusal != ""
    assert "\n" not in (refusal or "")
    return refusal is None


@pytest.mark.parametrize("count", COUNTS)
def test_a_damaged_study_toml(tmp_path, count):
    file = tmp_path / "study.toml"
    file.write_bytes(TOML)
    load_study(file)
    read = 0
    for content in mutations([TOML], count, seed=0):
        file.write_bytes(content)
        read += outcome(lambda: load_study(file), ConfigError)
    assert 0 < read < count


TABLES = [
    b"setup,seed,accuracy,loss\nsgd,0,0.91,0.3\nsgd,1,0.92,nan\nadam,0,0.93,\nadam,1,0.94,0.2\n",
    b"Setup;Seed;Metric;Value\na;0;acc;0.9\na;0;f1;0.8\na;1/1/2;acc;0.7\nb;0;acc;1e400\n",
    b'"Name","State","Runtime","method","seed","val/acc"\n"young-sun-1","finished","99","sgd",'
    b'"1.0","0.91"\n"old-sun-2","crashed","3","sgd","2",""\n"red-sun","finished","4","adam","1",'
    b'"0.93"\n',
    "\ufeffsetup\tinit\torder\taugment\tf1\nä\t0\t0\t1\t.5\nö\t0\t0\t2\t.6\n".encode(),
]


@pytest.mark.parametrize("count", COUNTS)
def test_a_damaged_csv_file(tmp_path, count):
    """Imported whole or not at all."""
    file, read = tmp_path / "runs.csv", 0
    for number, content in enumerate(mutations(TABLES, count, seed=5)):
        file.write_bytes(content)
        study = tmp_path / f"{number}.db"
        if outcome(lambda study=study: import_runs(file, study), SeedwiseError):
            read += 1
            with Store.open(study, readonly=True) as store:
                assert store.runs()
        study.unlink(missing_ok=True)
    assert 0 < read < count


def array_files():
    """Files as numpy writes them, the last of them with objects."""
    rng = np.random.default_rng(0)
    logits, targets = rng.normal(size=(6, 3)), np.arange(6) % 3
    objects = np.array([{"a": 1}, None], dtype=object)
    return [
        written(np.save, logits),
        written(np.save, np.asfortranarray(logits.astype(np.float16))),
        written(np.savez, predictions=logits, targets=targets),
        written(np.savez_compressed, predictions=logits[None], targets=targets),
        written(np.savez, predictions=objects),
        written(np.save, objects),
    ]


def written(save, *arrays, **named):
    file = io.BytesIO()
    save(file, *arrays, **named)
    return file.getvalue()


@pytest.mark.filterwarnings("ignore")  # numpy warns of odd headers
@pytest.mark.parametrize("count", COUNTS)
def test_a_damaged_array_file(tmp_path, count, monkeypatch):
    """Recorded or refused; no pickle is loaded, and no more memory is taken than the file has."""

    def no_pickle(*_, **__):
        raise AssertionError("a pickle was loaded")

    monkeypatch.setattr(pickle, "load", no_pickle)
    monkeypatch.setattr(pickle, "loads", no_pickle)
    file, read = tmp_path / "p.npz", 0
    for number, content in enumerate(mutations(array_files(), count, seed=6)):
        file.write_bytes(content)
        study = tmp_path / f"{number}.db"
        read += outcome(lambda study=study: record_from(file, study), SeedwiseError)
        study.unlink(missing_ok=True)
    assert 0 < read < count


def record_from(file, study):
    predictions, targets = read_arrays(file, "predictions", "targets")
    targets = np.arange(6) % 3 if targets is None else targets
    record(study, setup="mine", seed=0, predictions=predictions, targets=targets)


def images():
    pixels = picture(1)
    rgba = np.dstack([pixels, pixels[..., :1]])
    return [
        encoded(pixels, "JPEG"),
        encoded(pixels, "JPEG", progressive=True),
        encoded(pixels, "PNG"),
        encoded(rgba, "PNG"),
        encoded(pixels, "GIF"),
        encoded(pixels, "TIFF"),
        encoded(pixels, "TIFF", compression="tiff_lzw"),
        encoded(pixels, "BMP"),
        encoded(pixels, "PPM"),
        encoded(pixels, "WEBP"),
    ]


@pytest.mark.filterwarnings("ignore")  # Pillow warns of odd metadata
@pytest.mark.parametrize("count", COUNTS)
def test_damaged_images(count):
    read = 0
    for content in mutations(images(), count, seed=1):
        read += outcome(lambda content=content: shape_of(content), Undecodable)
    assert 0 < read < count


def shape_of(content):
    pixels = decode(content, pixels=16)
    assert pixels.dtype == np.uint8
    assert pixels.ndim == 3
    assert pixels.shape[2] == 3
    assert pixels.size


@pytest.mark.parametrize("count", [120, pytest.param(MANY // 5, marks=pytest.mark.slow)])
def test_damaged_archives(tmp_path, count):
    pets = folders(tmp_path / "pets", LAYOUT)
    made = [
        as_tar(pets, tmp_path / "p.tar"),
        as_tar(pets, tmp_path / "p.tgz", "w:gz"),
        as_tar(pets, tmp_path / "p.tar.xz", "w:xz"),
        as_tar(pets, tmp_path / "p.tar.bz2", "w:bz2"),
        as_zip(pets, tmp_path / "p.zip"),
    ]
    file, read = tmp_path / "fuzzed", 0
    for number, content in enumerate(mutations([f.read_bytes() for f in made], count, seed=2)):
        file.write_bytes(content)
        cache = tmp_path / f"cache{number}"
        read += outcome(
            lambda cache=cache: open_data(str(file), Split.of("shipped"), cache=cache),
            DataError,
        )
    assert 0 < read < count


@pytest.mark.parametrize("count", [200, pytest.param(MANY, marks=pytest.mark.slow)])
def test_a_damaged_cache(tmp_path, count):
    """Its index is an array file, its manifest JSON."""
    pets, cache = folders(tmp_path / "pets", LAYOUT), tmp_path / "cache"
    whole = open_data(str(pets), Split.of("shipped"), cache=cache)
    (made,) = (cache / "pixels").glob("*.pixels")
    read = 0
    for name, part in (("index.npy", count // 2), ("manifest.json", count - count // 2)):
        content = (made / name).read_bytes()
        for damaged in mutations([content], part, seed=3):
            (made / name).write_bytes(damaged)
            read += outcome(lambda: pixels_of(pets, cache, whole), SeedwiseError)
        (made / name).write_bytes(content)
    assert read < count


def pixels_of(pets, cache, whole):
    data = open_data(str(pets), Split.of("shipped"), cache=cache)
    for i in range(len(data.targets)):
        assert data.pixels.image(i).ndim == 3


@pytest.mark.parametrize("count", [60, pytest.param(MANY, marks=pytest.mark.slow)])
def test_a_damaged_study_is_an_error_or_holds_what_it_held(study, tmp_path, count):
    """Bits, bytes and pages: never another number, whoever reads."""
    whole, content = concluded(study), study.read_bytes()
    damaged, read = tmp_path / "damaged.db", 0
    for number, changed in enumerate(mutations([content], count, seed=4)):
        damaged.write_bytes(changed)
        if number % 2:  # only small changes, which leave the file its size
            rng = np.random.default_rng(number)
            damaged.write_bytes(flipped(content, int(rng.integers(0, 8 * len(content)))))
        found = []
        if outcome(lambda found=found: found.append(concluded(damaged)), StudyError):
            read += 1
            assert found == [whole]
        outcome(lambda: check_study(damaged), StudyError)
    assert 0 < read < count


@pytest.mark.parametrize("step", [43, pytest.param(1, marks=pytest.mark.slow)])
def test_a_flipped_bit_in_the_head_of_a_page_hides_no_row(study, tmp_path, step):
    """There it says how many rows the page has and where: checksums of rows say nothing of it."""
    whole, content = everything(study), study.read_bytes()
    damaged, refused = tmp_path / "damaged.db", 0
    bits = [
        8 * (start + (100 if start == 0 else 0)) + bit
        for start in range(0, len(content), schema.PAGE_BYTES)
        for bit in range(8 * 40)
    ]
    for bit in bits[::step]:
        damaged.write_bytes(flipped(content, bit))
        found = []
        if outcome(lambda found=found: found.append(everything(damaged)), StudyError):
            assert found == [whole]
        else:
            refused += 1
    assert refused > len(bits[::step]) / 5


@pytest.fixture
def study(tmp_path):
    """A study with runs, repeats, a fixed plan and every kind of row, its runs on many pages."""
    path = filled(tmp_path / "whole.db", setups=("mish", "relu"), seeds=range(40))
    with Store.open(path) as store:
        store.fix_choice(PLAN, plan_of(("mish", "relu"), as_seeds(40), Rule(margin=0.05)))
        for number in (1, 2, 3):
            store.add_repeat(number, run(value=0.25), ended_at=ENDED)
    return path


def test_a_table_that_begins_at_another_page_is_refused(study, tmp_path):
    """The page number of every table and index set to every other: 16 x 27 files."""
    whole, pages = everything(study), study.stat().st_size // schema.PAGE_BYTES
    with closing(sqlite3.connect(study)) as raw:
        begins = dict(raw.execute("SELECT name, rootpage FROM sqlite_schema").fetchall())
    damaged, read = tmp_path / "damaged.db", set()
    for name, its_own in begins.items():
        for page in range(2, pages + 1):
            damaged.write_bytes(study.read_bytes())
            change(
                damaged,
                "PRAGMA writable_schema = ON",
                f"UPDATE sqlite_schema SET rootpage = {page} WHERE name = '{name}'",
            )
            found = []
            if outcome(lambda found=found: found.append(everything(damaged)), StudyError):
                assert found == [whole]
                read.add((name, page == its_own))
    assert {(name, True) for name in begins} <= read
    # what can be computed again, or belongs to a run that then misses it; more_logits and scores
    # are empty, as no run of this study is larger than a row, and all have predictions; run_codes
    # is kept for `check` and `merge` alone
    again = {"metric_values", "more_logits", "run_codes", "run_scores", "scores"}
    again |= {"sqlite_sequence", "scores_of_run"}  # the index of a table that is empty
    assert {name for name, right in read if not right} <= again


@pytest.mark.parametrize("step", [401, pytest.param(7, marks=pytest.mark.slow)])
def test_a_flipped_bit_in_the_page_of_the_tables(study, tmp_path, step):
    """The first page says which tables there are, and where."""
    whole, content = everything(study), study.read_bytes()
    damaged, refused = tmp_path / "damaged.db", 0
    bits = range(8 * 100, 8 * schema.PAGE_BYTES, step)
    for bit in bits:
        damaged.write_bytes(flipped(content, bit))
        found = []
        if outcome(lambda found=found: found.append(everything(damaged)), StudyError):
            assert found == [whole]
        else:
            refused += 1
    assert refused > len(bits) / 10


def flipped(content, bit):
    """A file with one bit changed."""
    made = bytearray(content)
    made[bit // 8] ^= 1 << bit % 8
    return bytes(made)


def concluded(path):
    """What all who read a study make of it: values that were kept, and those they compute."""
    with Store.open(path, readonly=True) as store:
        return (
            everything(path),
            str(summarise(StudyRuns(store))),
            repr(Comparison.of(compare(StudyRuns(store), "mish", "relu", Rule()))),
            run_table(StudyRuns(store)),
        )


def everything(path):
    """All that a study gives back."""
    with Store.open(path, readonly=True) as store:
        runs = store.runs()
        ids = [run.id for run in runs if run.has_logits]
        repeats = store.repeats([run.id for run in runs])
        record = store.dataset()
        return (
            [(run.id, run.setup, run.seed, run.state, run.seconds, run.epochs) for run in runs],
            [store.logits([number]).tobytes() for number in ids],
            store.metric_values("accuracy", ids),
            (record.name, record.names, record.targets.tolist()),
            store.setups(),
            (store.choice("auto"), store.choice(PLAN)),
            store.facts,
            [(each.id, each.run, each.state, each.epochs) for each in repeats],
            [store.repeat_logits(each.id).tobytes() for each in repeats if each.has_logits],
            [store.codes(name) for name in store.setups()],
            store.commits(),
        )


def huge_png(width, height):
    """A PNG whose header promises more than anybody has."""
    content = bytearray(encoded(picture(0), "PNG"))
    content[16:24] = width.to_bytes(4, "big") + height.to_bytes(4, "big")
    import zlib

    content[29:33] = zlib.crc32(content[12:29]).to_bytes(4, "big")
    return bytes(content)


def huge_jpeg(width, height):
    content = bytearray(encoded(picture(0), "JPEG"))
    place = content.index(b"\xff\xc0")
    content[place + 5 : place + 9] = height.to_bytes(2, "big") + width.to_bytes(2, "big")
    return bytes(content)


def huge(kind, width, height):
    content = bytearray(encoded(picture(0), kind))
    if kind == "BMP":
        content[18:26] = width.to_bytes(4, "little") + height.to_bytes(4, "little")
    elif kind == "GIF":
        content[6:10] = width.to_bytes(2, "little") + height.to_bytes(2, "little")
    else:
        content = bytearray(f"P6 {width} {height} 255\n".encode())
    return bytes(content)


@pytest.mark.parametrize(
    "content",
    [
        huge_png(2**31 - 1, 2**31 - 1),
        huge_png(60_000, 60_000),
        huge_jpeg(65_535, 65_535),
        huge_jpeg(65_500, 1_100),
        huge("BMP", 2**30, 2**30),
        huge("GIF", 65_535, 65_535),
        huge("PPM", 10**6, 10**6),
    ],
    ids=["png", "png-60k", "jpeg", "jpeg-65k", "bmp", "gif", "ppm"],
)
def test_images_of_absurd_size_are_refused_before_memory_is_taken(content):
    tracemalloc.start()
    with pytest.raises(Undecodable):
        decode(content)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < MOST_PIXELS


def test_an_array_file_with_objects_is_refused(tmp_path):
    """To read one is to run what it says."""
    pets, cache = folders(tmp_path / "pets", LAYOUT), tmp_path / "cache"
    open_data(str(pets), Split.of("shipped"), cache=cache)
    (made,) = (cache / "pixels").glob("*.pixels")

    class Evil:
        def __reduce__(self):
            return Path.touch, (tmp_path / "owned",)

    file = io.BytesIO()
    np.save(file, np.array([Evil()], dtype=object), allow_pickle=True)
    (made / "index.npy").write_bytes(file.getvalue())
    with pytest.raises(DataError, match="cannot be read"):
        open_data(str(pets), Split.of("shipped"), cache=cache)
    assert not (tmp_path / "owned").exists()
