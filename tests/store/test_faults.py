"""Each way in which a study file can be unusable is one clear line, and loses nothing."""

import ctypes
import os
import shutil
import sqlite3
import tempfile
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from helpers.store_records import ENDED, dataset, run
from seedwise.errors import StudyError, StudyTooNew
from seedwise.seeds import Seed
from seedwise.setups import Setup
from seedwise.store import Store, files, schema

NOBODY = 65534


def refusal(path, **how):
    """What opening the file says; it must be one line that begins with the file's name."""
    with pytest.raises(StudyError) as caught:
        Store.open(path, **how)
    message = str(caught.value)
    assert message.startswith(str(path))
    assert "\n" not in message
    return message


@pytest.fixture
def filled(path, store):
    """A study with a dataset, three runs, a repeat and a metric, closed."""
    store.set_dataset(dataset())
    store.fix_choice("auto", {"precision": "float32"})
    for i in range(3):
        store.add_run("mish", Seed.of(i), run(value=i), ended_at=ENDED)
    store.add_repeat(2, run(value=1.5), ended_at=ENDED)
    store.put_metric_values("accuracy", {1: 0.5, 2: 0.25, 3: 0.125})
    store.close()
    return path


def read_all(path):
    """Everything that a study holds, read."""
    with Store.open(path, readonly=True) as store:
        runs = store.runs()
        ids = [found.id for found in runs if found.has_logits]
        record = store.dataset()
        return (
            [(found.seed, found.state, found.seconds, found.epochs) for found in runs],
            [store.logits([number]).tobytes() for number in ids],
            [(again.run, again.seconds, again.epochs) for again in store.repeats(ids)],
            [store.repeat_logits(again.id).tobytes() for again in store.repeats(ids)],
            store.metric_values("accuracy", ids),
            None if record is None else (record.name, record.names, record.targets.tolist()),
            store.setups(),
            store.choice("auto"),
            store.facts,
        )


@pytest.mark.parametrize("readonly", [True, False])
def test_no_such_file(path, readonly):
    assert "does not exist; `seedwise run` makes it" in refusal(path, readonly=readonly)
    assert not path.exists()


def test_no_such_folder(path):
    assert "no folder" in refusal(path.parent / "nowhere" / "study.db", create=True)


def test_a_folder(path):
    assert "is a folder" in refusal(path.parent, create=True)


@pytest.mark.parametrize("content", [b"setup,seed,accuracy\n" * 40, b"SQLite format 3\0", b"x"])
@pytest.mark.parametrize("how", [{"create": True}, {"readonly": True}], ids=["write", "read"])
def test_a_file_that_is_no_database(path, content, how):
    path.write_bytes(content)
    assert "is not a study file" in refusal(path, **how)
    assert path.read_bytes() == content


@pytest.mark.parametrize("readonly", [True, False])
def test_an_empty_file_is_no_study(path, readonly):
    path.touch()
    assert "is empty" in refusal(path, readonly=readonly)


def test_an_empty_file_becomes_a_study_where_one_is_made(path):
    """A program that was killed at the very beginning leaves one; the same command continues."""
    path.touch()
    with Store.open(path, create=True) as store:
        assert store.runs() == []


def test_a_study_whose_making_was_killed_is_made(path):
    """SQLite has written its header, but no table."""
    raw = sqlite3.connect(path)
    raw.execute("PRAGMA journal_mode = WAL")
    raw.close()
    assert path.stat().st_size > 0
    with Store.open(path, create=True) as store:
        assert store.runs() == []


@pytest.mark.parametrize("how", [{"create": True}, {"readonly": True}], ids=["write", "read"])
@pytest.mark.parametrize(
    "statement",
    ["CREATE TABLE trials (x)", "PRAGMA application_id = 7", "PRAGMA user_version = 3"],
)
def test_a_database_of_another_program(path, statement, how):
    raw = sqlite3.connect(path)
    raw.execute(statement)
    raw.commit()
    raw.close()
    before = path.read_bytes()
    assert "database of another program, not a study" in refusal(path, **how)
    assert path.read_bytes() == before


@pytest.mark.parametrize("how", [{"create": True}, {"readonly": True}], ids=["write", "read"])
def test_a_study_of_a_newer_seedwise(filled, how):
    raw = sqlite3.connect(filled)
    raw.execute(f"PRAGMA user_version = {len(schema.MIGRATIONS) + 1}")
    raw.close()
    with pytest.raises(StudyTooNew, match=r"newer seedwise .* pip install --upgrade seedwise"):
        Store.open(filled, **how)


def test_a_truncated_file_is_never_read(filled):
    """Cut at every page, and in the middle of pages."""
    content = filled.read_bytes()
    for size in range(100, len(content), schema.PAGE_BYTES // 2):
        filled.write_bytes(content[:size])
        assert content_or_fault(filled) == (
            f"{filled} is damaged or cut off; restore it from a copy"
        )


def test_a_flipped_bit_is_an_error_or_changes_nothing(filled):
    content, whole = filled.read_bytes(), read_all(filled)
    rng = np.random.default_rng(0)
    faults = set()
    for place in rng.integers(0, len(content) * 8, 400).tolist():
        damaged = bytearray(content)
        damaged[place // 8] ^= 1 << place % 8
        filled.write_bytes(damaged)
        outcome = content_or_fault(filled)
        if outcome != whole:
            faults.add(outcome)
    assert len(faults) > 1
    assert all(isinstance(fault, str) and "\n" not in fault for fault in faults)


def test_a_flipped_bit_in_what_the_file_says_of_its_tables_is_told(filled):
    """Else SQLite speaks of a column that is not there, or quotes text that is no UTF-8."""
    content, whole = filled.read_bytes(), read_all(filled)
    statements = [text.strip().encode() for step in schema.MIGRATIONS for text in step]
    places = [
        content.index(text) + offset
        for text in statements
        if text in content
        for offset in range(len(text))
    ]
    rng = np.random.default_rng(1)
    for place, bit in zip(rng.choice(places, 300), rng.integers(0, 8, 300), strict=True):
        damaged = bytearray(content)
        damaged[place] ^= 1 << int(bit)
        filled.write_bytes(damaged)
        outcome = content_or_fault(filled)
        assert outcome == whole or "is damaged" in outcome or "not a study file" in outcome


def content_or_fault(path):
    """All that a study holds, or what is said of it."""
    try:
        return read_all(path)
    except StudyError as error:
        return str(error)


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ("UPDATE logits SET data = zeroblob(length(data)) WHERE run = 2", "the logits of run 2"),
        ("UPDATE logits SET examples = 3, views = 4 WHERE run = 2", "the logits of run 2"),
        ("UPDATE runs SET seconds = 1 WHERE id = 2", "run 2"),
        ("UPDATE runs SET epochs = replace(epochs, '0.25', '0.75') WHERE id = 3", "run 3"),
        ("UPDATE repeats SET run = 3", "repeat 1"),
        ("UPDATE repeat_logits SET views = 4, examples = 3", "the logits of repeat 1"),
        ("UPDATE metric_values SET value = 0.75 WHERE run = 1", "accuracy of run 1"),
        ("UPDATE setups SET setup = replace(setup, '0.004', '0.005')", "setup 'mish'"),
        ("UPDATE choices SET value = replace(value, '32', '64')", "the choice 'auto'"),
        ("UPDATE dataset SET name = 'imagewoof'", "the dataset"),
        ("UPDATE environments SET made_by = '{}'", "environment 1"),
        ("UPDATE study SET seedwise = '9'", "how the study began"),
    ],
)
def test_a_value_that_changed_is_told_from_the_one_that_was_stored(filled, change, what):
    raw = sqlite3.connect(filled)
    assert raw.execute(change).rowcount > 0
    raw.commit()
    raw.close()
    with pytest.raises(StudyError, match=f"is damaged: {what} is not what was stored"):
        read_all(filled)


def test_another_writer(filled, monkeypatch):
    monkeypatch.setattr(files, "_BUSY_SECONDS", 0.05)
    with Store.open(filled) as ours:
        other = sqlite3.connect(filled, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StudyError, match="is being written by another program; wait"):
            ours.add_run("mish", Seed.of(7), run(), ended_at=ENDED)
        assert len(ours.runs()) == 3  # reading goes on
        other.execute("ROLLBACK")
        other.close()
        ours.add_run("mish", Seed.of(7), run(), ended_at=ENDED)


def test_a_full_disk_loses_only_the_run_that_did_not_fit(filled):
    with Store.open(filled) as store:
        (pages,) = store._connection.execute("PRAGMA page_count").fetchone()
        store._connection.execute(f"PRAGMA max_page_count = {pages}")
        big = run(logits=np.zeros((2, 6, 20_000), np.float16))
        with pytest.raises(StudyError, match="the disk is full; stored runs are kept"):
            store.add_run("mish", Seed.of(7), big, ended_at=ENDED)
        assert len(store.runs()) == 3
        store._connection.execute("PRAGMA max_page_count = 100000")
        store.add_run("mish", Seed.of(7), big, ended_at=ENDED)
    assert len(read_all(filled)[0]) == 4


def test_a_file_system_without_room(filled, tmp_path):
    """A real one: a file system of 1 MiB, where this machine lets the test mount it."""
    small = tmp_path / "small"
    small.mkdir()
    with mounted(small):
        study = small / "study.db"
        shutil.copy(filled, study)
        with Store.open(study) as store:
            more, fault = stored_until_refused(store)
            assert 0 < more < 100
            assert "disk" in fault
            assert len(store.runs()) == 3 + more
        assert len(read_all(study)[0]) == 3 + more


def stored_until_refused(store):
    """How many runs of 100 KB could be stored, and what was said to the next one."""
    record = run(logits=np.zeros((2, 6, 4_000), np.float16))
    for i in range(100):
        try:
            store.add_run("mish", Seed.of(100 + i), record, ended_at=ENDED)
        except StudyError as error:
            return i, str(error)
    return 100, "nothing"


@contextmanager
def mounted(folder):
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(b"tmpfs", bytes(folder), b"tmpfs", 0, b"size=1m"):
        pytest.skip(f"may not mount a file system: {os.strerror(ctypes.get_errno())}")
    try:
        yield
    finally:
        libc.umount(bytes(folder))


@pytest.fixture
def by_nobody(filled):
    """The study in a folder of its own, met by a user who is not root: root may write anywhere."""
    folder = Path(tempfile.mkdtemp())
    study = folder / "study.db"
    shutil.copy(filled, study)
    root = os.geteuid() == 0
    if root:
        os.chown(folder, NOBODY, -1)
        os.chown(study, NOBODY, -1)
        os.setresuid(NOBODY, NOBODY, 0)
    yield study
    if root:
        os.setresuid(0, 0, 0)
    folder.chmod(0o700)
    shutil.rmtree(folder)


def test_a_file_that_may_not_be_written(by_nobody):
    by_nobody.chmod(0o400)
    assert "read-only" in refusal(by_nobody)
    assert len(read_all(by_nobody)[0]) == 3


def test_a_folder_that_may_not_be_written(by_nobody):
    by_nobody.parent.chmod(0o500)
    assert "the file or its folder" in refusal(by_nobody)
    assert len(read_all(by_nobody)[0]) == 3
    assert "the file or its folder" in refusal(by_nobody.with_name("new.db"), create=True)


def test_a_file_that_may_not_be_read(by_nobody):
    by_nobody.chmod(0)
    assert "cannot be read: Permission denied" in refusal(by_nobody, readonly=True)


def test_a_migration_is_whole_or_not_at_all(filled, monkeypatch):
    good, bad = "ALTER TABLE runs ADD COLUMN note TEXT", "ALTER TABLE nowhere ADD COLUMN x TEXT"
    monkeypatch.setattr(files, "MIGRATIONS", (*schema.MIGRATIONS, (good, bad)))
    with pytest.raises(sqlite3.OperationalError):
        Store.open(filled)
    monkeypatch.undo()
    assert len(read_all(filled)[0]) == 3


def test_a_study_of_an_older_seedwise_is_brought_up_to_date_when_written(filled, monkeypatch):
    step = ("ALTER TABLE runs ADD COLUMN note TEXT",)
    ours = len(schema.MIGRATIONS)
    monkeypatch.setattr(files, "MIGRATIONS", (*schema.MIGRATIONS, step))
    monkeypatch.setattr(files, "READABLE", ours + 1)
    assert f"older format {ours}, and reading leaves it so" in refusal(filled, readonly=True)
    Store.open(filled).close()
    assert len(read_all(filled)[0]) == 3


def test_our_own_mistakes_are_not_blamed_on_the_file(store):
    with pytest.raises(sqlite3.OperationalError, match="no such table"):
        store._rows("SELECT * FROM nowhere")


def test_setups_that_are_stored_stay_readable(filled):
    """The file keeps canonical JSON, which any later seedwise must take."""
    raw = sqlite3.connect(filled)
    (text,) = raw.execute("SELECT setup FROM setups").fetchone()
    raw.close()
    assert Setup.from_json(text) == Setup()
