"""`seedwise watch`: a study that another process makes."""

import json
import os
import re
import signal
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from urllib.request import urlopen

import pytest
from click.testing import CliRunner

from helpers.snapshots import interim, setup, snapshot
from seedwise.cli import cli
from seedwise.cli.watch import changes, work_line
from seedwise.comparison.study_runs import StudyRuns
from seedwise.locks import Holder
from seedwise.report.page import report_html
from seedwise.store import Store
from seedwise.study import Study
from seedwise.study.watching import Sight, as_stored

HOLDER = Holder(host="node7", pid=4711, since="2026-11-24T10:00:00+00:00")
NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


def number(seed):
    return {"accuracy": 0.8 + seed.init / 100}


def sight(work="here", *, ago=0.0, told=True, complete=False, **settings):
    return Sight(
        snapshot=snapshot(**settings),
        work=work,
        holder=None if work == "nobody" else HOLDER,
        at=NOW - timedelta(seconds=ago),
        told=told,
        complete=complete,
    )


@pytest.mark.parametrize(
    ("seen", "said"),
    [
        (sight(), "run by process 4711 on node7, since 2026-11-24T10:00:00+00:00"),
        (sight(ago=95), "since 2026-11-24T10:00:00+00:00; last progress 01:35 ago"),
        (sight("elsewhere", ago=95), "10:00:00+00:00; last progress 01:35 ago"),
        (
            sight("elsewhere", ago=95, told=False),
            "no progress is reported; the last run ended 01:35 ago",
        ),
        (sight(told=False, ago=2), "no progress is reported; the last run ended 00:02 ago"),
        (
            sight("killed", ago=3725, told=False),
            "not running: process 4711 on node7 was killed, and the same command continues; "
            "it was last seen 10:57:55 UTC, 1:02:05 ago",
        ),
        (
            sight("nobody", ago=60, told=False),
            "not running; the last run ended 01:00 ago; `seedwise run` makes the missing runs",
        ),
        (
            sight("nobody", ago=60, told=False, complete=True),
            "complete, not running; the last run ended 01:00 ago",
        ),
        (replace(sight("nobody", told=False), at=None), "no run is stored yet"),
    ],
)
def test_it_says_who_works_and_how_old_that_is(seen, said):
    assert said in work_line(seen, NOW)


def test_there_is_a_line_for_each_change_and_none_without():
    later = {"mish": setup(13), "relu": setup(11, running=1, diverged=1)}
    first = sight(interims=(interim(pairs=10),))
    second = sight(setups=later, interims=(interim(pairs=11),))
    lines = list(changes(iter([first, first, second, second, sight("killed", setups=later)])))
    assert lines[1:] == [
        "23 runs: mish 12 of 20, 1 running; relu 11 of 20, 1 running, 1 diverged; "
        "about 03:10 left",
        "relu - mish: accuracy +0.35 [-0.05, +0.75]; 10 of 20 pairs, interim",
        "24 runs: mish 13 of 20; relu 11 of 20, 1 running, 1 diverged; about 03:10 left",
        "relu - mish: accuracy +0.35 [-0.05, +0.75]; 11 of 20 pairs, interim",
        lines[-1],
    ]
    assert lines[0].startswith("run by process 4711 on node7")
    assert lines[-1].startswith("not running: process 4711 on node7 was killed")


def test_a_study_that_is_still_to_begin_says_what_it_makes_ready():
    empty = replace(sight(), snapshot=replace(snapshot(), setups={}))
    assert list(changes(iter([empty])))[1] == "no run yet"
    ready = replace(empty.snapshot, preparing=("decoding images", 5, 10))
    lines = list(changes(iter([replace(empty, snapshot=ready)])))
    assert lines[1] == "no run yet: decoding images"


@pytest.fixture
def study(tmp_path):
    path = tmp_path / "study.db"
    Study(path).run({"a": number, "b": number}, seeds=3)
    return path


@pytest.mark.parametrize("terminal", [False, True])
def test_a_complete_study_is_shown_and_left_as_it_is(study, monkeypatch, terminal):
    if terminal:
        monkeypatch.setenv("FORCE_COLOR", "1")
        monkeypatch.setenv("COLUMNS", "80")
    before = study.read_bytes()
    result = CliRunner().invoke(cli, ["watch", str(study)])
    assert result.exit_code == 0, result.output
    assert "complete, not running; the last run ended" in result.stdout
    assert ("3/3" if terminal else "6 runs: a 3 of 3; b 3 of 3") in result.stdout
    assert study.read_bytes() == before
    assert [file.name for file in study.parent.iterdir()] == ["study.db"]


@pytest.mark.parametrize("words", [[], ["--serve"]])
def test_no_study_is_one_line(tmp_path, words):
    result = CliRunner().invoke(cli, ["watch", str(tmp_path / "none.db"), *words])
    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1
    assert "none.db does not exist" in result.stderr


def test_a_port_goes_with_the_page(study):
    result = CliRunner().invoke(cli, ["watch", str(study), "--port", "0"])
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
    assert "--port goes with --serve" in result.stderr


def test_the_page_is_served_until_ctrl_c(study):
    words = [sys.executable, "-m", "seedwise", "watch", str(study), "--serve", "--port", "0"]
    with subprocess.Popen(
        words,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        start_new_session=True,
    ) as watch:
        (url,) = re.findall(r"http://127\.0\.0\.1:\d+/", watch.stdout.readline())
        with urlopen(f"{url}report", timeout=120) as answer:
            report = answer.read().decode()
        with urlopen(f"{url}state", timeout=120) as answer:
            state = json.load(answer)
        watch.send_signal(signal.SIGINT)
        assert watch.wait() == 130
        assert watch.stderr.read() == ""
    with Store.open(study, readonly=True) as store:
        assert report == report_html(StudyRuns(store))
    assert state["line"].startswith("6 runs: a 3 of 3; b 3 of 3; complete, not running;")


TRAINING = """
import pathlib, time

held = []

def train(seed):
    while seed.init and not pathlib.Path("go-on").exists():
        if not held:
            held.append(print("held up", flush=True))
        time.sleep(0.02)
    return {"accuracy": 0.8 + seed.init / 100}
"""
STUDY = "seeds = 2\n[setups.a]\ntrain = 'waits:train'\n"


def test_another_process_is_watched_until_it_is_killed_and_ctrl_c_ends_it(tmp_path):
    """Every step waits for the line that the one before makes appear."""
    (tmp_path / "waits.py").write_text(TRAINING)
    (tmp_path / "study.toml").write_text(STUDY)

    def start(*words):
        # A session of its own: Ctrl-C at the terminal of the tests is not for it.
        return subprocess.Popen(
            [sys.executable, "-m", "seedwise", *words],
            cwd=tmp_path,
            text=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )

    with start("run", "study.toml") as run:
        assert any("held up" in line for line in run.stdout)
        with start("watch", "study.db") as watch:
            assert f"run by process {run.pid}" in watch.stdout.readline()
            assert watch.stdout.readline().startswith("1 run: a 1 of 2, 1 running; about ")
            run.kill()
            run.wait()
            assert f"process {run.pid} on" in (line := watch.stdout.readline())
            assert "was killed, and the same command continues" in line
            assert watch.stdout.readline() == "1 run: a 1 of 2\n"
            watch.send_signal(signal.SIGINT)
            assert watch.wait() == 130
            assert watch.stderr.read() == ""
    sight = as_stored(tmp_path / "study.db")
    assert (sight.snapshot.done, sight.complete) == (1, False)
