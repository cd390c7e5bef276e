"""A study of every earlier format becomes one of this, and loses nothing."""

import sqlite3
import zlib
from contextlib import closing

import pytest

from helpers.store_records import ENDED, run
from helpers.study_files import assert_sound, filled, held
from seedwise.errors import StudyTooNew
from seedwise.records import EpochRecord
from seedwise.seeds import Seed
from seedwise.setups import Setup
from seedwise.store import Store, check_study, files, repair_study, schema

FORMATS = range(1, len(schema.MIGRATIONS) + 1)


def tables(path):
    """Every table of a file with its rows, but the cache of metrics."""
    with closing(sqlite3.connect(path)) as raw:
        names = raw.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall()
        return {name: raw.execute(f"SELECT * FROM {name}").fetchall() for (name,) in names}


@pytest.fixture
def of_format(tmp_path):
    """A study as a seedwise of an earlier format left it: the tables of that format, filled."""

    def of_format(number):
        newest, old = filled(tmp_path / "newest.db"), tmp_path / f"format{number}.db"
        files.connect(old, create=True, readonly=False, steps=number).close()
        with closing(sqlite3.connect(old)) as raw:
            raw.execute("ATTACH ? AS newest", (str(newest),))
            for name in tables(old):
                columns = ", ".join(
                    column for _, column, *_ in raw.execute(f"PRAGMA table_info({name})")
                )
                raw.execute(f"DELETE FROM {name}")
                raw.execute(f"INSERT INTO {name} ({columns}) SELECT {columns} FROM newest.{name}")
            raw.commit()
        return old, newest

    return of_format


@pytest.mark.parametrize("number", FORMATS)
def test_a_study_of_this_format_is_brought_up_to_date_and_holds_the_same(of_format, number):
    old, newest = of_format(number)
    before = tables(old)
    Store.open(old).close()
    assert held(old) == held(newest)
    after = tables(old)
    assert {name: after[name] for name in before} == before
    assert check_study(old).faults == ()
    assert check_study(old).format == len(schema.MIGRATIONS)
    assert_sound(old)


@pytest.mark.parametrize("number", FORMATS)
def test_a_study_of_this_format_is_repaired_into_one_of_todays(of_format, number, tmp_path):
    old, newest = of_format(number)
    repair_study(old, tmp_path / "new.db")
    assert held(tmp_path / "new.db") == held(newest)


@pytest.mark.parametrize("number", FORMATS)
def test_a_study_of_this_format_is_checked_and_left_as_it_is(of_format, number):
    old, _ = of_format(number)
    assert check_study(old).faults == ()
    assert check_study(old).format == number


def test_figures_of_any_name_are_refused_as_newer_by_a_program_of_before(tmp_path, monkeypatch):
    """It would take them for damage, and advise to restore a copy."""
    path = tmp_path / "s.db"
    logged = EpochRecord(epoch=1, figures={"wer": 0.5})
    with Store.open(path, create=True) as store:
        store.add_setup("mine", Setup(train="mine:train"))
        store.add_run("mine", Seed.of(0), run(epochs=(logged,)), ended_at=ENDED)
    monkeypatch.setattr(files, "MIGRATIONS", schema.MIGRATIONS[:6])
    with pytest.raises(
        StudyTooNew, match=r"written by a newer seedwise \(format 7, this one knows 6"
    ):
        Store.open(path)


def test_steps_that_were_released_never_change():
    """Studies that were made by them are out there."""
    assert zlib.crc32("\n".join(schema.MIGRATIONS[0]).encode()) == 3930778655
