"""Ctrl-C, SIGTERM, two programs at once, a full disk, clocks that jump, read-only files."""

import ctypes
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from helpers.faulty import assert_nothing_lost, stored_in
from seedwise.errors import StudyError
from seedwise.live import claim
from seedwise.live.claim import claimed, network_file_system
from seedwise.locks import Holder, locked
from seedwise.setups import Setup
from seedwise.store import Store, check_study
from seedwise.study import Study, fake, making

TESTS = Path(__file__).parents[1]
FAKE = {"a": Setup(train="seedwise.study.fake:train")}
SECONDS_TO_END = 120
"""A run that would go on does so for 600: no machine is so slow, and none so patient."""

TOML = """
seeds = 400
[setups.a]
train = "helpers.slowly:{function}"
"""


@pytest.fixture
def command(tmp_path):
    """`seedwise run` in a process, once it has stored a run; it is gone when the test is."""
    started = []

    def command(function, *words):
        (tmp_path / "study.toml").write_text(TOML.format(function=function))
        process = subprocess.Popen(
            [sys.executable, "-m", "seedwise", "run", "study.toml", *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": f"{TESTS}:{os.environ.get('PYTHONPATH', '')}"},
        )
        started.append(process)
        said = ""
        while "finished" not in said:
            said = process.stdout.readline()
            assert said, process.stderr.read()
        return process

    yield command
    for process in started:
        process.kill()
        process.communicate()


CTRL_C, SIGTERM = (signal.SIGINT, 130), (signal.SIGTERM, 143)
RAY = "--executor", "ray", "--jobs", "2"


@pytest.mark.parametrize(
    ("number", "code", "words"),
    [
        (*CTRL_C, ("--jobs", "1")),
        (*SIGTERM, ("--jobs", "2")),
        pytest.param(*SIGTERM, ("--jobs", "1"), marks=pytest.mark.slow),
        pytest.param(*CTRL_C, ("--jobs", "2"), marks=pytest.mark.slow),
        pytest.param(*CTRL_C, RAY, marks=[pytest.mark.ray, pytest.mark.slow]),
        pytest.param(*SIGTERM, RAY, marks=[pytest.mark.ray, pytest.mark.slow]),
    ],
)
def test_it_ends_with_one_line_and_the_same_command_goes_on(
    command, tmp_path, number, code, words
):
    """While one run has ended and another would go on for ever."""
    process = command("for_ever", *words)
    process.send_signal(number)
    _, err = process.communicate(timeout=SECONDS_TO_END)
    assert process.returncode == code
    assert (
        err.lstrip() == "seedwise: stopped; stored runs are kept, and the same command continues\n"
    )
    assert not (tmp_path / "study.db.lock").exists()
    assert check_study(tmp_path / "study.db").faults == ()
    summary = Study(tmp_path / "study.db").run(
        {"a": Setup(train="helpers.slowly:for_ever")}, seeds=1
    )  # the run that was stored is there, and nothing waits for ever
    assert summary.setups[0].finished == 1


@pytest.mark.slow
@pytest.mark.ray
@pytest.mark.parametrize("moment", range(20))
def test_sigterm_under_ray_ends_as_documented_wherever_it_finds_ray(command, moment):
    """Ray waits for messages in turns of a second: one moment in each twentieth of a turn.

    A signal may find Ray's compiled code, which makes a SystemError of most exceptions.
    """
    process = command("for_ever", *RAY)
    time.sleep(moment / 20)
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=SECONDS_TO_END)
    assert process.returncode == 143
    assert (
        err.lstrip() == "seedwise: stopped; stored runs are kept, and the same command continues\n"
    )


@pytest.mark.slow
@pytest.mark.ray
def test_a_ray_that_ends_while_it_makes_runs_is_one_line_and_no_run_has_failed(command, tmp_path):
    """Its raylet killed: every task would be lost, and asked for again, for minutes."""
    process = command("for_ever", *RAY)
    asked = ["pgrep", "-P", str(process.pid), "-x", "raylet"]
    raylet = int(subprocess.run(asked, capture_output=True, text=True).stdout)
    os.kill(raylet, signal.SIGKILL)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 2
    assert err.lstrip() == (
        "seedwise: Ray ended on this machine (its raylet is gone), and with it the runs under "
        "way; stored runs are kept, and the same command continues\n"
    )
    with Store.open(tmp_path / "study.db", readonly=True) as store:
        assert [(run.seed.init, run.state) for run in store.runs()] == [(0, "finished")]


def test_of_two_programs_that_start_one_study_one_says_who_works(command, tmp_path):
    process = command("for_ever", "--jobs", "2")
    with pytest.raises(StudyError) as caught:
        Study(tmp_path / "study.db").run(FAKE, seeds=2)
    message = str(caught.value)
    assert f"is being run by process {process.pid} on " in message
    assert "\n" not in message
    assert len(Study(tmp_path / "study.db").summary().setups) == 1  # reading goes on meanwhile


def test_many_programs_that_start_one_study_at_once_make_each_run_once(start, tmp_path):
    drivers = [start("local", 15, train="helpers.slowly:train") for _ in range(4)]
    outcomes = [driver.process.communicate(timeout=240) for driver in drivers]
    worked = [out for out, _ in outcomes if "finished" in out]
    refused = [err for out, err in outcomes if "finished" not in out]
    assert worked
    assert all("is being run by process" in err for err in refused)
    told = [line.split() for out, _ in outcomes for line in out.splitlines()]
    assert len(assert_nothing_lost(tmp_path / "study.db", stored_in(told))) == 30


def test_the_lock_of_a_program_that_was_killed_is_taken_over(start, tmp_path):
    hold = tmp_path / "pids" / "hold"
    hold.parent.mkdir()
    hold.touch()
    words = {"train": "helpers.slowly:train", "environment": {"SEEDWISE_TEST_PIDS": hold.parent}}
    driver = start("local", 12, **words)
    driver.wait_for("stored")
    driver.end()
    assert (tmp_path / "study.db.lock").exists()
    hold.unlink()
    start("local", 12, **words).finish()
    assert not (tmp_path / "study.db.lock").exists()


def test_a_lock_that_another_machine_left_is_named_with_what_to_do(tmp_path):
    file = tmp_path / "study.db.lock"
    file.write_text(json.dumps({"host": "node7", "pid": 12, "since": "2026-03-01T12:00:00"}))
    with pytest.raises(StudyError) as caught, claimed(tmp_path / "study.db"):
        pass
    assert "was being run by process 12 on node7, since 2026-03-01T12:00:00" in str(caught.value)
    assert f"if it has ended, delete {file}" in str(caught.value)
    assert file.exists()


@pytest.mark.parametrize("content", ["", "{", "[]", '{"host": 1}', "\0" * 9, "\udce9"])
def test_a_lock_file_that_says_nothing_is_taken_over(tmp_path, content):
    (tmp_path / "s.db.lock").write_bytes(content.encode(errors="surrogateescape"))
    with claimed(tmp_path / "s.db"):
        assert Holder(**json.loads((tmp_path / "s.db.lock").read_text())).pid == os.getpid()


def test_who_waits_for_a_lock_gets_it_when_its_holder_has_ended(tmp_path):
    code = f"""
from pathlib import Path
from seedwise.locks import locked
with locked(Path({str(tmp_path / "l")!r}), wait=True):
    print("mine", flush=True)
    input()
    Path({str(tmp_path / "about to end")!r}).touch()
"""
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        other.stdout.readline()
        other.stdin.write(b"go on\n")
        other.stdin.flush()
        with locked(tmp_path / "l", wait=True):
            assert (tmp_path / "about to end").exists()
            other.wait()


@contextmanager
def of_four_mebibytes(folder):
    libc = ctypes.CDLL(None, use_errno=True)
    folder.mkdir()
    if libc.mount(b"tmpfs", bytes(folder), b"tmpfs", 0, b"size=4m"):
        pytest.skip(f"may not mount a file system: {os.strerror(ctypes.get_errno())}")
    try:
        yield folder
    finally:
        libc.umount2(bytes(folder), 2)


def test_a_disk_that_fills_up_keeps_what_was_stored_and_with_room_it_goes_on(tmp_path):
    with of_four_mebibytes(tmp_path / "small") as folder:
        path, reported = folder / "study.db", set()
        ballast = folder / "ballast"
        ballast.write_bytes(bytes(2_500_000))

        def watch(event):
            if type(event).__name__ == "RunStored":
                reported.add((event.setup, str(event.seed)))

        with pytest.raises(StudyError, match="disk"):
            Study(path).run(FAKE, seeds=200, watch=watch)
        assert 5 < len(reported) < 200
        there = assert_nothing_lost(path, reported)
        ballast.unlink()
        with pytest.raises(StudyError, match="disk"):
            Study(path).run(FAKE, seeds=200, watch=watch)
        assert assert_nothing_lost(path, reported) > there
        libc = ctypes.CDLL(None)
        assert libc.mount(b"tmpfs", bytes(folder), b"tmpfs", 32, b"size=32m") == 0  # MS_REMOUNT
        Study(path).run(FAKE, seeds=200, watch=watch)
        assert len(assert_nothing_lost(path, reported)) == 200


def test_a_clock_that_jumps_changes_nothing_but_what_it_says(tmp_path, monkeypatch):
    """Years ahead and back, from run to run."""

    class Jumping(datetime):
        calls = 0

        @classmethod
        def now(cls, tz=None):
            cls.calls += 1
            return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=(-1) ** cls.calls * 4000)

    monkeypatch.setattr(making, "datetime", Jumping)
    path = tmp_path / "study.db"
    Study(path).run(FAKE, seeds=3)
    Study(path).run(FAKE, seeds=6)
    assert Jumping.calls == 6
    with Store.open(path, readonly=True) as store:
        assert [run.seed.init for run in store.runs()] == list(range(6))
        assert all(0 <= run.seconds < 60 for run in store.runs())
    assert_nothing_lost(path, {("a", str(seed)) for seed in range(6)})


def test_a_study_that_may_not_be_written_is_refused_before_anything_is_trained(
    tmp_path, monkeypatch
):
    path = tmp_path / "study.db"
    Study(path).run(FAKE, seeds=1)
    before = path.read_bytes()
    code = f"""
import os
from seedwise import Setup, Study
from seedwise.study import fake
study = Study({str(path)!r})
assert study.summary().setups[0].finished == 1
os.setresuid(65534, 65534, 65534)
try:
    study.run({{"a": Setup(train="seedwise.study.fake:train")}}, seeds=3)
except Exception as error:
    print(type(error).__name__, error)
"""
    if os.geteuid() != 0:
        pytest.skip("becomes another user, which only root may")
    tmp_path.chmod(0o755)
    for folder in tmp_path.parents:
        if folder.stat().st_uid == 0 and "pytest-of" in str(folder):
            folder.chmod(0o755)
    path.chmod(0o444)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.startswith(f"StudyError {path} cannot be"), done.stdout + done.stderr
    assert path.read_bytes() == before


@pytest.mark.parametrize("words", [{}, {"jobs": 2}])
def test_a_study_that_is_moved_while_it_runs_is_told_at_once_and_keeps_its_runs(tmp_path, words):
    path, moved, reported = tmp_path / "study.db", tmp_path / "moved.db", set()

    def watch(event):
        if type(event).__name__ == "RunStored":
            reported.add((event.setup, str(event.seed)))
            if len(reported) == 3:
                path.rename(moved)

    with pytest.raises(StudyError, match=f"was moved to {moved}"):
        Study(path).run(FAKE, seeds=200, watch=watch, **words)
    assert len(reported) == 3
    assert len(assert_nothing_lost(moved, reported)) == 4
    assert not list(tmp_path.glob("*.lock"))
    moved.rename(path)
    Study(path).run(FAKE, seeds=8)
    assert len(assert_nothing_lost(path, reported)) == 8


def test_a_network_file_system_is_known_and_told(tmp_path, monkeypatch):
    mounts = tmp_path / "mounts"
    mounts.write_text(f"/dev/sda / ext4 rw 0 0\nserver:/x {tmp_path} nfs4 rw 0 0\n")
    assert network_file_system(tmp_path / "study.db") is None
    monkeypatch.setattr(claim, "_MOUNTS", mounts)
    assert network_file_system(tmp_path / "study.db") == "nfs4"
    told = []
    Study(tmp_path / "study.db").run(FAKE, seeds=1, watch=told.append)
    notices = [event.text for event in told if type(event).__name__ == "Notice"]
    assert len(notices) == 1
    assert "lies on a network file system (nfs4): use it from this machine" in notices[0]


def test_the_fake_training_is_a_function_of_its_seed():
    made = [fake.train(seed)["predictions"].tobytes() for seed in _seeds()]
    assert made == [fake.train(seed)["predictions"].tobytes() for seed in _seeds()]
    assert len(set(made)) == len(made)


def _seeds():
    from seedwise.study.seeding import as_seeds

    return as_seeds([0, 1, (0, 0, 1)])
