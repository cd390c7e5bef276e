"""Links and pipes that somebody has put where a study keeps files beside it."""

import os
import subprocess
import sys

import pytest

from helpers.study_files import filled, held
from seedwise.errors import StudyError
from seedwise.live.claim import claimed, runner_of
from seedwise.live.publish import told
from seedwise.setups import Setup
from seedwise.store import Store
from seedwise.study import Study

FAKE = {"a": Setup(train="seedwise.study.fake:train")}


@pytest.fixture
def victim(tmp_path):
    file = tmp_path / "victim.txt"
    file.write_text("not yours")
    yield file
    assert file.read_text() == "not yours"


def plant(kind, place, victim):
    match kind:
        case "link":
            place.symlink_to(victim)
        case "dangling":
            place.symlink_to(victim.with_name("nothing"))
        case "hard":
            os.link(victim, place)
        case "pipe":
            os.mkfifo(place)
        case "device":
            place.symlink_to("/dev/zero")


KINDS = ("link", "dangling", "hard", "pipe", "device")


@pytest.mark.parametrize("kind", KINDS)
def test_a_lock_file_is_a_plain_file(tmp_path, victim, kind):
    study = tmp_path / "study.db"
    plant(kind, tmp_path / "study.db.lock", victim)
    assert runner_of(study) is None  # and nobody waits for the pipe
    with pytest.raises(StudyError, match=r"study\.db\.lock cannot be written: it is a link, a p"):
        Study(study).run(FAKE, seeds=1)
    assert not (tmp_path / "nothing").exists()
    (tmp_path / "study.db.lock").unlink()
    with claimed(study):
        assert runner_of(study).alive


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("end", [".live", ".live.tmp"])
def test_what_a_study_says_of_itself_goes_to_a_file_of_its_own(tmp_path, victim, kind, end):
    study, seen = tmp_path / "study.db", []
    plant(kind, tmp_path / f"study.db{end}", victim)
    assert told(study) is None

    def watch(event):
        if type(event).__name__ == "RunStarted":
            seen.append(told(study))

    Study(study).run(FAKE, seeds=1, watch=watch)
    assert seen[-1].holder.pid == os.getpid()
    assert not (tmp_path / "nothing").exists()
    assert not list(tmp_path.glob("*.live*"))


@pytest.mark.parametrize("kind", ["link", "dangling", "pipe", "device"])
@pytest.mark.parametrize("end", ["-wal", "-shm", "-journal"])
def test_sqlite_follows_no_link_beside_a_study_and_waits_for_no_pipe(tmp_path, victim, kind, end):
    study = filled(tmp_path / "study.db")
    before = study.read_bytes()
    plant(kind, tmp_path / f"study.db{end}", victim)
    for words in ({"readonly": True}, {}, {"create": True}):
        with pytest.raises(StudyError, match=f"study.db{end} is a link, a pipe or a device"):
            Store.open(study, **words)
    assert study.read_bytes() == before
    (tmp_path / f"study.db{end}").unlink()
    assert held(study)


def test_a_study_that_is_no_file_is_one_line(tmp_path):
    os.mkfifo(tmp_path / "pipe.db")
    (tmp_path / "round.db").symlink_to("round.db")
    (tmp_path / "null.db").symlink_to("/dev/null")
    for name in ("pipe.db", "round.db", "null.db"):
        recorded = ["record", name, "--setup", "a", "--seed", "1", "--metrics", "x=1"]
        for words in (["status", name], recorded):
            done = subprocess.run(
                [
                    sys.executable,
                    "-m",
                    "seedwise",
                    *words,
                ],
                cwd=tmp_path,
                capture_output=True,
                text=True,
                timeout=120,
            )
            assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
            assert name in done.stderr
