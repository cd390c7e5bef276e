"""A study that is moved, deleted, replaced or linked while runs are stored, or emptied."""

import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from helpers.store_records import ENDED, dataset, run
from helpers.study_files import held
from seedwise.errors import StudyError
from seedwise.seeds import Seed
from seedwise.setups import Setup
from seedwise.store import Store, base, check_study, repair_study
from seedwise.store.place import log_of
from seedwise.study import Study


def begun(path):
    store = Store.open(path, create=True)
    store.set_dataset(dataset())
    store.add_setup("a", Setup())
    add(store, 0)
    return store


def add(store, seed):
    store.add_run("a", Seed.of(seed), run(value=seed / 8), ended_at=ENDED)


def seeds_in(path):
    with Store.open(path, readonly=True) as store:
        assert all(store.logits([each.id]).max() == each.seed.init / 8 for each in store.runs())
        found = [each.seed.init for each in store.runs()]
    assert check_study(path).faults == ()
    return found


def stopped(store, *parts):
    """What the next run is told, and the one after it: each is stored all the same."""
    with pytest.raises(StudyError) as caught:
        add(store, 1)
    store.close()
    message = str(caught.value)
    assert "\n" not in message
    for part in parts:
        assert part in message
    return message


def test_a_study_that_is_moved_is_told_at_the_next_run_and_is_whole_where_it_is_now(tmp_path):
    store = begun(tmp_path / "study.db")
    (tmp_path / "attic").mkdir()
    (tmp_path / "study.db").rename(tmp_path / "attic/old.db")
    stopped(store, f"was moved to {tmp_path / 'attic/old.db'} while", "move it back")
    assert seeds_in(tmp_path / "attic/old.db") == [0, 1]
    (tmp_path / "attic/old.db").rename(tmp_path / "study.db")
    with Store.open(tmp_path / "study.db") as store:
        add(store, 2)
    assert seeds_in(tmp_path / "study.db") == [0, 1, 2]


def test_so_is_one_whose_folder_is_moved(tmp_path):
    (tmp_path / "a").mkdir()
    store = begun(tmp_path / "a/study.db")
    (tmp_path / "a").rename(tmp_path / "b")
    stopped(store, f"was moved to {tmp_path / 'b/study.db'}")
    assert seeds_in(tmp_path / "b/study.db") == [0, 1]


def test_one_that_is_deleted_is_kept_in_a_file_that_opens(tmp_path):
    store = begun(tmp_path / "study.db")
    (tmp_path / "study-saved.db").write_text("somebody's")
    (tmp_path / "study.db").unlink()
    stopped(store, "was deleted or replaced", f"are kept in {tmp_path / 'study-saved1.db'}")
    assert seeds_in(tmp_path / "study-saved1.db") == [0, 1]
    assert (tmp_path / "study-saved.db").read_text() == "somebody's"
    (tmp_path / "study-saved1.db").rename(tmp_path / "study.db")
    with Store.open(tmp_path / "study.db") as store:
        add(store, 2)
    assert seeds_in(tmp_path / "study.db") == [0, 1, 2]


def test_one_whose_folder_is_deleted_is_kept_in_the_current_one(tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    (tmp_path / "a").mkdir()
    store = begun(tmp_path / "a/study.db")
    shutil.rmtree(tmp_path / "a")
    stopped(store, "was deleted", f"are kept in {tmp_path / 'here/study-saved.db'}")
    assert seeds_in(tmp_path / "here/study-saved.db") == [0, 1]


def test_one_that_another_file_replaces_is_kept_and_the_other_is_not_touched(tmp_path):
    store = begun(tmp_path / "study.db")
    begun(tmp_path / "other.db").close()
    before = held(tmp_path / "other.db")
    (tmp_path / "other.db").replace(tmp_path / "study.db")
    stopped(store, "was deleted or replaced", "study-saved.db")
    assert seeds_in(tmp_path / "study-saved.db") == [0, 1]
    assert held(tmp_path / "study.db") == before


def test_where_the_system_does_not_say_where_it_is_now_a_copy_is_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(base, "_OPEN_FILES", tmp_path / "nothing")
    store = begun(tmp_path / "study.db")
    (tmp_path / "study.db").rename(tmp_path / "old.db")
    stopped(store, f"are kept in {tmp_path / 'study-saved.db'}")
    assert seeds_in(tmp_path / "study-saved.db") == seeds_in(tmp_path / "old.db") == [0, 1]


def test_a_second_name_is_told_and_both_show_all_that_is_stored(tmp_path):
    store = begun(tmp_path / "study.db")
    os.link(tmp_path / "study.db", tmp_path / "other.db")
    stopped(store, "has a second name, a hard link", "remove one name")
    assert seeds_in(tmp_path / "study.db") == seeds_in(tmp_path / "other.db") == [0, 1]
    for name in ("study.db", "other.db"):  # before anything is trained
        with pytest.raises(StudyError, match="has a second name"):
            Store.open(tmp_path / name)
    (tmp_path / "study.db").unlink()
    with Store.open(tmp_path / "other.db") as store:
        add(store, 2)


def test_a_log_that_is_deleted_is_told_and_its_runs_are_in_the_file(tmp_path):
    store = begun(tmp_path / "study.db")
    log_of(tmp_path / "study.db").unlink()
    stopped(store, "the log of", "was removed or replaced")
    assert seeds_in(tmp_path / "study.db") == [0, 1]


def test_while_somebody_reads_what_is_deleted_is_kept_too(tmp_path):
    """The log cannot be written back to the file then."""
    store = begun(tmp_path / "study.db")
    with Store.open(tmp_path / "study.db", readonly=True) as reader:
        reader._connection.execute("BEGIN")
        assert len(reader.runs()) == 1
        (tmp_path / "study.db").unlink()
        store._connection.execute("PRAGMA busy_timeout = 1")
        stopped(store, "study-saved.db")
        assert seeds_in(tmp_path / "study-saved.db") == [0, 1]


def test_a_study_that_stays_where_it_is_is_not_disturbed(tmp_path):
    store = begun(tmp_path / "study.db")
    (tmp_path / "link.db").symlink_to("study.db")
    with Store.open(tmp_path / "link.db") as other:
        add(other, 5)
    add(store, 1)
    store.close()
    assert seeds_in(tmp_path / "study.db") == [0, 5, 1]


KILLED = """
import os, sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from helpers.store_records import ENDED, dataset, run
from seedwise.seeds import Seed
from seedwise.setups import Setup
from seedwise.store import Store
store = Store.open(Path({path!r}), create=True)
store.set_dataset(dataset())
store.add_setup("a", Setup())
for seed in range(3):
    store.add_run("a", Seed.of(seed), run(value=seed / 8), ended_at=ENDED)
os._exit(9)
"""


@pytest.fixture
def emptied(tmp_path):
    """What a killed program leaves, with the file emptied: all is in the log."""
    path = tmp_path / "study.db"
    tests = str(Path(__file__).parents[1])
    subprocess.run([sys.executable, "-c", KILLED.format(tests=tests, path=str(path))], check=False)
    log = log_of(path)
    assert log.stat().st_size > 10_000
    path.write_bytes(b"")
    return path


@pytest.mark.parametrize("gone", [False, True])
def test_an_empty_file_beside_a_full_log_is_refused_and_the_log_stays(emptied, gone):
    log = log_of(emptied)
    before = log.read_bytes()
    if gone:
        emptied.unlink()
    for look in (
        lambda: Store.open(emptied, readonly=True),
        lambda: Store.open(emptied),
        lambda: Store.open(emptied, create=True),
        lambda: Study(emptied).summary(),
    ):
        with pytest.raises(StudyError, match=r"but its log study\.db-wal holds what was stored"):
            look()
        assert log.read_bytes() == before
    assert emptied.exists() == (not gone)
    assert check_study(emptied).faults == (
        "the file is empty or gone; what is left of it is in its log",
    )
    repair_study(emptied, emptied.with_name("new.db"))
    assert seeds_in(emptied.with_name("new.db")) == [0, 1, 2]
    assert log.read_bytes() == before


def test_sqlite_itself_would_delete_that_log(emptied):
    """Why it is looked at before SQLite sees the file."""
    with closing(sqlite3.connect(emptied)) as raw:
        assert raw.execute("SELECT count(*) FROM sqlite_schema").fetchone() == (0,)
    assert not log_of(emptied).exists()


@pytest.mark.parametrize("left", [0, 4096, 8192])
def test_a_study_that_is_emptied_while_runs_are_stored_is_kept_beside_it(tmp_path, left):
    """By `> study.db`, say; what its log still has is all of a small study."""
    store = begun(tmp_path / "study.db")
    store._connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
    add(store, 2)
    os.truncate(tmp_path / "study.db", left)
    saved = tmp_path / "study-saved.db"
    stopped(store, "was emptied or cut off while", f"are kept in {saved}: give it the name back")
    assert seeds_in(saved) == [0, 2, 1]
    assert len(list(tmp_path.glob("*saved*"))) == 1


def test_of_a_study_that_is_emptied_when_its_log_has_nothing_nothing_is_promised(tmp_path):
    store = begun(tmp_path / "study.db")
    for seed in range(2, 9):
        add(store, seed)
    store._connection.execute("PRAGMA wal_checkpoint(RESTART)")
    store._connection.execute("PRAGMA cache_size = 0")
    add(store, 9)
    os.truncate(tmp_path / "study.db", 0)
    stopped(store, "was emptied or cut off while", "nothing of it could be kept; restore it from")
    assert not list(tmp_path.glob("*saved*"))
