"""`check_study` finds what is wrong; `repair_study` writes what is whole to a new file."""

import sqlite3

import numpy as np
import pytest

from helpers.store_records import ENDED, run
from helpers.study_files import assert_sound, change, filled, held
from seedwise.errors import StudyError, StudyTooNew
from seedwise.seeds import Seed
from seedwise.store import Store, check_study, repair_study, schema
from seedwise.study import Study, fake


@pytest.fixture
def study(path):
    return filled(path)


def test_a_whole_study_has_no_faults_and_its_rows_are_counted(study):
    before = study.read_bytes()
    health = check_study(study)
    assert health.faults == ()
    assert health.format == len(schema.MIGRATIONS)
    assert {"setups": 2, "runs": 7, "logits": 6, "dataset": 1}.items() <= health.rows.items()
    assert study.read_bytes() == before


@pytest.mark.parametrize(
    ("statement", "fault"),
    [
        ("UPDATE logits SET data = zeroblob(length(data)) WHERE run = 2", "logits 2 is not what"),
        ("UPDATE runs SET seconds = 5 WHERE id = 3", "runs 3 is not what was stored"),
        ("UPDATE setups SET name = 'mush' WHERE id = 1", "setups 1 is not what was stored"),
        ("DELETE FROM logits WHERE run = 2", "runs 2 and its logits: only one of them is there"),
        ("DELETE FROM setups WHERE id = 2", "runs 4 belongs to setups that are not there"),
        ("DELETE FROM runs WHERE id = 2", "logits 2 belongs to runs that are not there"),
        ("DROP INDEX one_result", "structure: the index one_result is not as seedwise makes it"),
        (
            "CREATE TRIGGER t AFTER INSERT ON runs BEGIN DELETE FROM logits; END",
            "structure: the trigger t is not ours",
        ),
        ("UPDATE dataset SET examples = 7", "logits 1 is for 6 examples, the dataset has 7"),
    ],
)
def test_what_is_wrong_is_named(study, statement, fault):
    change(study, "PRAGMA foreign_keys = OFF", statement)
    faults = check_study(study).faults
    assert any(each.startswith(fault) for each in faults), faults


def test_two_results_of_one_seed_are_found_though_the_index_is_gone(study):
    columns = "setup, init, ord, augment, state, seconds, ended, environment, error, metrics, "
    columns += "epochs, views, checksum"
    change(
        study,
        "DROP INDEX one_result",
        f"INSERT INTO runs ({columns}) SELECT {columns} FROM runs WHERE id = 1",
    )
    assert "setup 1 has 2 results with seed 0/0/0" in check_study(study).faults


def test_a_newer_study_and_no_study_are_refused(study, tmp_path):
    change(study, f"PRAGMA user_version = {len(schema.MIGRATIONS) + 1}")
    with pytest.raises(StudyTooNew):
        check_study(study)
    with pytest.raises(StudyError, match="does not exist"):
        check_study(tmp_path / "nowhere.db")


def test_repairing_a_whole_study_gives_the_same_study(study, tmp_path):
    repaired = repair_study(study, tmp_path / "new.db")
    assert repaired.lost == {}
    assert held(tmp_path / "new.db") == held(study)
    with Store.open(study, readonly=True) as a, Store.open(tmp_path / "new.db") as b:
        assert (a.facts, a.setups(), a.choice("auto")) == (b.facts, b.setups(), b.choice("auto"))
        assert [run.id for run in a.runs()] == [run.id for run in b.runs()]
        assert a.dataset().names == b.dataset().names


def test_what_is_damaged_is_left_out_with_what_is_nothing_without_it(study, tmp_path):
    change(
        study,
        "UPDATE logits SET data = zeroblob(length(data)) WHERE run = 2",
        "UPDATE setups SET key = 'x' WHERE name = 'relu'",
    )
    before = study.read_bytes()
    repaired = repair_study(study, tmp_path / "new.db")
    of_runs = ("runs", "logits", "run_codes", "run_commits")
    of_setups = dict.fromkeys(("setups", "codes", "asked"), (2,))
    assert repaired.lost == {**of_setups, **dict.fromkeys(of_runs, (2, 4, 5, 6))}
    assert study.read_bytes() == before
    assert check_study(tmp_path / "new.db").faults == ()
    assert {(name, seed) for name, seed, state, *_ in held(tmp_path / "new.db")} == {
        ("mish", "0"),
        ("mish", "2"),
        ("mish", "99"),
    }


def test_a_run_that_was_lost_is_made_again_by_the_same_study(tmp_path):
    functions = {"plain": fake.train, "better": fake.better}
    whole, damaged = tmp_path / "whole.db", tmp_path / "damaged.db"
    for path in (whole, damaged):
        Study(path).run(functions, seeds=3)
    change(damaged, "UPDATE logits SET data = zeroblob(length(data)) WHERE run = 2")
    lost = repair_study(damaged, tmp_path / "new.db").lost
    assert lost["runs"] == lost["logits"] == (2,)
    assert lost.keys() <= {"runs", "logits", "run_codes", "run_commits"}  # what is of the run
    told = []
    Study(tmp_path / "new.db").run(functions, seeds=3, watch=told.append)
    stored = [event for event in told if type(event).__name__ == "RunStored"]
    assert [(event.setup, str(event.seed)) for event in stored] == [("better", "0")]
    assert predicted(tmp_path / "new.db") == predicted(whole)


def predicted(path):
    with Store.open(path, readonly=True) as store:
        return {(r.setup, r.seed): store.logits([r.id]).tobytes() for r in store.runs()}


@pytest.fixture
def repeated(study):
    """A study in which run 2 was made again, with predictions, and run 3, which diverged then."""
    with Store.open(study) as store:
        store.add_repeat(2, run(value=0.25), ended_at=ENDED)
        store.add_repeat(3, run(state="diverged", error="nan"), ended_at=ENDED)
    return study


def content_of(repeat):
    return repeat.id, repeat.run, repeat.state, repeat.epochs, repeat.made_by, repeat.ended_at


def test_repeats_are_checked_and_kept(repeated, tmp_path):
    health = check_study(repeated)
    assert health.faults == ()
    assert {"repeats": 2, "repeat_logits": 1}.items() <= health.rows.items()
    assert repair_study(repeated, tmp_path / "new.db").lost == {}
    with Store.open(repeated, readonly=True) as a, Store.open(tmp_path / "new.db") as b:
        assert [content_of(each) for each in a.repeats([2, 3])] == [
            content_of(each) for each in b.repeats([2, 3])
        ]
        assert a.repeat_logits(1).tobytes() == b.repeat_logits(1).tobytes()


@pytest.mark.parametrize(
    ("statement", "fault", "lost"),
    [
        (
            "UPDATE repeat_logits SET data = zeroblob(length(data))",
            "repeat_logits 1 is not what was stored",
            {"repeats": (1,), "repeat_logits": (1,)},
        ),
        ("UPDATE repeats SET run = 1 WHERE id = 2", "repeats 2 is not what", {"repeats": (2,)}),
        (
            "UPDATE logits SET data = zeroblob(length(data)) WHERE run = 2",
            "logits 2 is not what",
            {
                **dict.fromkeys(("runs", "logits", "run_codes", "run_commits"), (2,)),
                **dict.fromkeys(("repeats", "repeat_logits"), (1,)),
            },
        ),
    ],
)
def test_damaged_repeats_are_named_and_left_out(repeated, tmp_path, statement, fault, lost):
    change(repeated, statement)
    assert any(each.startswith(fault) for each in check_study(repeated).faults)
    assert repair_study(repeated, tmp_path / "new.db").lost == lost
    assert check_study(tmp_path / "new.db").faults == ()


def test_numbers_of_lost_runs_are_not_given_again(study, tmp_path):
    change(study, "UPDATE runs SET seconds = 5 WHERE id = 7")
    repair_study(study, tmp_path / "new.db")
    with Store.open(tmp_path / "new.db") as store:
        assert store.add_run("mish", Seed.of(50), run(), ended_at=ENDED) == 8


def test_a_file_that_exists_is_not_written_over(study, tmp_path):
    (tmp_path / "new.db").write_text("mine")
    with pytest.raises(StudyError, match=r"new\.db exists"):
        repair_study(study, tmp_path / "new.db")
    with pytest.raises(StudyError, match="exists"):
        repair_study(study, study)
    assert (tmp_path / "new.db").read_text() == "mine"


def damaged_copies(path, count, seed):
    """The file with a page, or part of one, overwritten; every page but the first has its turn."""
    content = path.read_bytes()
    rng = np.random.default_rng(seed)
    pages = len(content) // schema.PAGE_BYTES
    for number in range(count):
        page = 1 + number % (pages - 1)
        start = page * schema.PAGE_BYTES + int(rng.integers(0, schema.PAGE_BYTES))
        size = int(rng.integers(1, schema.PAGE_BYTES))
        noise = rng.bytes(size) if number % 2 else bytes(size)
        damaged = bytearray(content)
        damaged[start : start + size] = noise[: len(content) - start]
        yield bytes(damaged)


def check_damaged_copies(path, tmp_path, count, seed):
    """What is wrong is found, or nothing is; what is saved is whole and was in the file."""
    whole, kept = held(path), []
    target = tmp_path / "new.db"
    damaged = tmp_path / "damaged.db"
    for content in damaged_copies(path, count, seed):
        damaged.write_bytes(content)
        target.unlink(missing_ok=True)
        try:
            faults = check_study(damaged).faults
            repaired = repair_study(damaged, target)
        except StudyError:  # in the page that says which tables there are
            continue
        if not faults:
            assert held(damaged) == whole
        assert_sound(target)
        assert check_study(target).faults == ()
        assert held(target) <= whole
        kept.append(repaired.kept["runs"])
    return kept


def test_overwritten_pages_cost_what_they_held_and_no_more(tmp_path):
    study = filled(tmp_path / "large.db", setups=("mish", "relu", "silu"), seeds=range(40))
    kept = check_damaged_copies(study, tmp_path, 40, seed=0)
    assert len(kept) > 20
    assert max(kept) > 100


@pytest.mark.slow
def test_many_overwritten_pages(tmp_path):
    study = filled(tmp_path / "large.db", setups=("mish", "relu", "silu"), seeds=range(40))
    assert len(check_damaged_copies(study, tmp_path, 3000, seed=1)) > 1500


def test_an_older_study_is_checked_and_repaired_into_this_format(study, tmp_path, monkeypatch):
    from seedwise.store import files

    before = held(study)
    change(study, "UPDATE runs SET seconds = 5 WHERE id = 3")
    step = ("CREATE TABLE notes (id INTEGER PRIMARY KEY, checksum INTEGER NOT NULL) STRICT",)
    monkeypatch.setattr(files, "MIGRATIONS", (*schema.MIGRATIONS, step))
    assert check_study(study).format == len(schema.MIGRATIONS)
    lost = dict.fromkeys(("runs", "logits", "run_codes", "run_commits"), (3,))
    assert repair_study(study, tmp_path / "new.db").lost == lost
    assert held(tmp_path / "new.db") < before
    raw = sqlite3.connect(tmp_path / "new.db")
    assert raw.execute("PRAGMA user_version").fetchone() == (len(schema.MIGRATIONS) + 1,)
    raw.close()
