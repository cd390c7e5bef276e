"""What a command writes never takes the place of a study, and is there whole or not at all."""

import errno
import os
import threading

import numpy as np
import pytest
from click.testing import CliRunner

from helpers.store_records import ENDED, dataset, run
from helpers.study_files import held
from seedwise import outputs
from seedwise.cli import cli
from seedwise.errors import ConfigError
from seedwise.outputs import SIDECARS, write_output
from seedwise.seeds import Seed
from seedwise.setups import Setup
from seedwise.store import Store
from seedwise.study import Study


def call(*words):
    return CliRunner().invoke(cli, [str(word) for word in words])


def made(path):
    with Store.open(path, create=True) as store:
        store.set_dataset(dataset())
        for number, name in enumerate(("a", "b")):
            store.add_setup(name, Setup(lr=1.0 + number))
            for seed in range(3):
                logits = np.random.default_rng([number, seed]).normal(size=(2, 6, 2))
                record = run(logits=logits.astype(np.float16))
                store.add_run(name, Seed.of(seed), record, ended_at=ENDED)
    return path


@pytest.fixture
def study(tmp_path):
    return made(tmp_path / "study.db")


WRITING = {
    "report": ["report", "{study}", "-o", "{output}"],
    "export": ["export", "{study}", "-o", "{output}"],
    "table": ["table", "{study}", "-o", "{output}"],
    "plot": ["plot", "{study}", "runs", "-o", "{output}"],
    "merge": ["merge", "{study}", "{study}", "-o", "{output}"],
    "check": ["check", "{study}", "--repair", "{output}"],
    "aa": ["aa", "{study}", "a", "--store", "{output}"],
}


def words(command, study, output):
    return [word.format(study=study, output=output) for word in WRITING[command]]


def names_of(study):
    """The study under all the names that lead to it."""
    folder = study.parent
    (folder / "link.db").symlink_to("study.db")
    (folder / "twice.db").symlink_to("link.db")
    (folder / "to").symlink_to(".")
    os.link(study, folder / "hard.db")
    names = ("study.db", "link.db", "twice.db", "to/study.db", "to/to/./link.db", "hard.db")
    return [folder / name for name in names]


@pytest.mark.parametrize("command", WRITING)
def test_no_output_takes_the_place_of_the_study_under_any_name(study, command):
    before = study.read_bytes()
    for output in names_of(study):
        result = call(*words(command, study, output))
        assert result.exit_code == 2, (output, result.output)
        assert result.stderr.count("\n") == 1
        said = "exists" if command == "merge" else "is the study itself"
        assert said in result.stderr
        assert study.read_bytes() == before


@pytest.mark.parametrize("command", WRITING)
@pytest.mark.parametrize("end", SIDECARS)
def test_nor_that_of_what_is_kept_beside_it(study, command, end):
    output = study.with_name(f"study.db{end}")
    for there in (False, True):
        if there:
            output.write_text("x")
        result = call(*words(command, study, output))
        assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
        said = f"{output} exists" if there and command == "merge" else "belongs to the study"
        assert said in result.stderr
        assert output.exists() == there
        output.unlink(missing_ok=True)


def test_a_study_that_is_named_as_a_page_is_not_replaced_by_its_report(tmp_path):
    study = made(tmp_path / "study.html")
    before = held(study)
    result = call("report", study)
    assert result.exit_code == 2
    assert result.stderr == (f"seedwise: {study} is the study itself; name another file\n")
    assert held(study) == before


@pytest.mark.parametrize("command", ["report", "export", "table"])
def test_another_study_is_not_replaced_either(study, command, tmp_path):
    other = made(tmp_path / "other.db")
    before = other.read_bytes()
    result = call(*words(command, study, other))
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
    assert "is a database, perhaps a study" in result.stderr
    assert other.read_bytes() == before
    other.write_bytes(b"")  # all that it held is in its log, say
    log = tmp_path / "other.db-wal"
    log.write_bytes(b"pages")
    assert call(*words(command, study, other)).exit_code == 2
    assert (other.read_bytes(), log.read_bytes()) == (b"", b"pages")


def test_a_chart_takes_no_study_s_place(tmp_path):
    study = made(tmp_path / "study.json")
    with pytest.raises(ConfigError, match="is a database"):
        Study(study).chart("runs").save(study)
    assert call("plot", study, "runs", "-o", study).exit_code == 2
    assert len(held(study)) == 6


@pytest.fixture
def full(monkeypatch):
    """A disk that is full when a file is to be made safe on it."""

    def fsync(_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(outputs.os, "fsync", fsync)


@pytest.mark.parametrize(
    ("command", "name"),
    [
        ("report", "r.html"),
        ("export", "r.csv"),
        ("export", "r.parquet"),
        ("table", "r.md"),
        ("plot", "r.json"),
    ],
)
def test_where_writing_fails_the_old_file_is_there(study, tmp_path, command, name, full):
    output = tmp_path / name
    output.write_text("what was there")
    result = call(*words(command, study, output))
    assert result.exit_code == 2
    assert result.stderr == (f"seedwise: cannot write {output}: {os.strerror(errno.ENOSPC)}\n")
    assert output.read_text() == "what was there"
    assert sorted(file.name for file in tmp_path.iterdir()) == sorted(["study.db", name])


@pytest.mark.parametrize("command", ["report", "export", "table", "plot"])
def test_where_there_is_nothing_to_show_the_old_file_is_there(tmp_path, command):
    study, output = tmp_path / "study.db", tmp_path / "r.json"
    study.write_bytes(b"no study at all")
    output.write_text("what was there")
    assert call(*words(command, study, output)).exit_code == 2
    assert output.read_text() == "what was there"


def test_a_link_is_followed_and_who_may_read_a_file_stays_as_it_was(tmp_path):
    (tmp_path / "there").mkdir()
    file, link = tmp_path / "there/page.html", tmp_path / "link.html"
    file.write_text("old")
    file.chmod(0o640)
    link.symlink_to("there/page.html")
    write_output(link, "new")
    assert link.is_symlink()
    assert file.read_text() == "new"
    assert file.stat().st_mode & 0o777 == 0o640
    fresh = tmp_path / "fresh.html"
    write_output(fresh, "new")
    umask = os.umask(0)
    os.umask(umask)
    assert fresh.stat().st_mode & 0o777 == 0o666 & ~umask


def test_a_pipe_is_written_to_and_stays_one(study, tmp_path):
    pipe, read = tmp_path / "pipe", []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: read.append(pipe.read_text()))
    reader.start()
    assert call("export", study, "-o", pipe).exit_code == 0
    reader.join()
    assert read[0].startswith("setup,init,order,augment,state")
    assert pipe.is_fifo()


@pytest.mark.parametrize("place", ["", "no/such/folder.html", "round"])
def test_a_place_that_cannot_be_written_is_one_line(study, tmp_path, place):
    (tmp_path / "round").symlink_to("round")
    result = call("report", study, "-o", tmp_path / place)
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)


def test_a_merged_study_takes_no_file_s_place_that_was_made_meanwhile(
    study, tmp_path, monkeypatch
):
    target = tmp_path / "both.db"
    link = os.link

    def meanwhile(*names):
        target.write_text("somebody's")
        link(*names)

    monkeypatch.setattr(os, "link", meanwhile)
    result = call("merge", study, study, "-o", target)
    assert (result.exit_code, target.read_text()) == (2, "somebody's")
    assert "exists" in result.stderr
    assert not list(tmp_path.glob(".*part*"))


def test_a_file_that_looks_like_a_draft_is_nobody_s_to_remove(study, tmp_path):
    (tmp_path / "both.db.part").write_text("somebody's")
    assert call("merge", study, study, "-o", tmp_path / "both.db").exit_code == 0
    assert (tmp_path / "both.db.part").read_text() == "somebody's"
    assert held(tmp_path / "both.db") == held(study)
