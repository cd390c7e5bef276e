"""Runs with large logits: what they say of each example is worked out once, and kept."""

import sqlite3

import numpy as np
import pytest
from click.testing import CliRunner

from helpers.commands import seedwise
from helpers.studies import TARGETS, Studies, runs_of
from seedwise import Study, record
from seedwise.cli import cli
from seedwise.comparison import scores as scored
from seedwise.comparison import study_runs
from seedwise.comparison.study_runs import StudyRuns
from seedwise.stats import METRICS, blocks
from seedwise.stats.catalog import BuiltInMetric
from seedwise.store import Store

SETUPS = {"base": runs_of(1.0), "one": runs_of(1.6)}


@pytest.fixture
def large(monkeypatch):
    """All logits count as large."""
    monkeypatch.setattr(study_runs, "LARGE", 0)
    monkeypatch.setattr("seedwise.study.recording.LARGE", 0)


def recorded(path):
    for name, runs in SETUPS.items():
        for seed, logits in enumerate(runs):
            record(path, setup=name, seed=seed, predictions=logits, targets=TARGETS)
    return Study(path)


def asked_of(study):
    """All that reads predictions, but what takes noise apart."""
    found = study.compare("base", "one")
    study.report(study.path.with_suffix(".html"))
    with StudyRuns.open(study.path) as runs:
        exported = {name: scored.metric_values(runs, name, runs.all) for name in METRICS}
    return str(found), study.summary(), exported


def test_predictions_that_were_recorded_are_not_read_again(large, tmp_path, monkeypatch):
    study = recorded(tmp_path / "study.db")
    monkeypatch.delattr(Store, "logits")
    said, summary, exported = asked_of(study)
    assert said.startswith("one is better than base")
    assert summary.setups[0].metrics["accuracy"].n == 6
    assert all(len(each) == 12 for each in exported.values())


def test_what_is_kept_says_what_the_predictions_say(tmp_path, monkeypatch):
    fresh = asked_of(recorded(tmp_path / "fresh.db"))
    monkeypatch.setattr(study_runs, "LARGE", 0)
    monkeypatch.setattr("seedwise.study.recording.LARGE", 0)
    kept = asked_of(recorded(tmp_path / "kept.db"))
    assert kept[0] == fresh[0]
    for name, by_run in fresh[2].items():
        assert kept[2][name] == pytest.approx(by_run, rel=1e-6)


def test_a_study_of_the_format_before_is_read_as_it_is(large, tmp_path):
    from seedwise.store.files import connect

    path = tmp_path / "old.db"
    connect(path, create=True, readonly=False, steps=2).close()
    with Store.open(path, readonly=True) as store:
        assert store.run_scores("accuracy", 1) is None
        assert store.runs() == []


@pytest.fixture
def older(large, tmp_path):
    """A study as an earlier seedwise made it: nothing is kept of what its runs score."""
    study = recorded(tmp_path / "older.db")
    with sqlite3.connect(study.path) as connection:
        for table in ("metric_values", "run_scores"):
            connection.execute(f"DELETE FROM {table}")
    connection.close()
    return study


def test_a_repaired_copy_keeps_what_the_runs_of_an_older_study_score(older, tmp_path, monkeypatch):
    before = older.path.read_bytes()
    told = seedwise("check", older.path, "--repair", tmp_path / "new.db")
    assert "kept what 12 runs score" in told
    assert older.path.read_bytes() == before
    said = str(older.compare("base", "one"))
    monkeypatch.delattr(Store, "logits")
    assert asked_of(Study(tmp_path / "new.db"))[0] == said
    with pytest.raises(AttributeError, match="logits"):
        older.compare("base", "one")


READING = [["compare", "STUDY"], ["status", "STUDY"], ["variance", "STUDY", "base"]]
READING += [["report", "STUDY", "-o", "page.html"], ["export", "STUDY", "-o", "runs.csv"]]


@pytest.mark.parametrize("words", READING, ids=lambda words: words[0])
def test_who_waits_for_large_predictions_is_told_how_to_wait_once(
    older, tmp_path, monkeypatch, words
):
    monkeypatch.chdir(tmp_path)
    seedwise("check", older.path, "--repair", "new.db")
    told = [
        CliRunner().invoke(cli, [name if word == "STUDY" else word for word in words])
        for name in (str(older.path), "new.db")
    ]
    assert [one.exit_code for one in told] == [0, 0]
    assert told[0].stderr.count("is not kept in it") == 1
    assert "check STUDY.DB --repair NEW.DB" in told[0].stderr
    assert told[1].stderr == ""


def test_a_terminal_is_shown_how_far_reading_is(older, monkeypatch):
    monkeypatch.setattr("seedwise.cli.console._on_terminal", lambda: True)
    said = CliRunner().invoke(cli, ["compare", str(older.path)]).stderr
    assert "\rpredictions read, of runs: 1 " in said
    assert "\rpredictions read, of runs: 12 \nseedwise: what the runs of" in said


def test_what_is_kept_of_runs_is_merged_with_them(large, tmp_path, monkeypatch):
    """Parts of an array of jobs were worked out anew by every command once they were merged."""
    parts = [tmp_path / "0.db", tmp_path / "1.db"]
    for part, path in enumerate(parts):
        for name, runs in SETUPS.items():
            for seed in (0, *range(1 + part, 6, 2)):  # run 0 is in both
                record(path, setup=name, seed=seed, predictions=runs[seed], targets=TARGETS)
    whole = str(recorded(tmp_path / "whole.db").compare("base", "one"))
    seedwise("merge", *parts, "-o", tmp_path / "both.db")
    monkeypatch.delattr(Store, "logits")
    assert asked_of(Study(tmp_path / "both.db"))[0] == whole


def test_what_is_kept_and_damaged_is_not_merged(large, older, tmp_path):
    spoilt = recorded(tmp_path / "spoilt.db")
    with sqlite3.connect(spoilt.path) as connection:
        connection.execute("UPDATE metric_values SET value = 0.25 WHERE metric = 'accuracy'")
    connection.close()
    seedwise("merge", spoilt.path, older.path, "-o", tmp_path / "both.db")
    assert str(Study(tmp_path / "both.db").compare("base", "one")) == str(
        older.compare("base", "one")
    )
    with StudyRuns.open(tmp_path / "both.db") as runs:
        assert (len(runs.kept_values("accuracy")), len(runs.kept_values("brier"))) == (0, 12)


@pytest.mark.parametrize("text", [*METRICS, "top_accuracy:k=2", "accuracy:views=averaged"])
def test_a_run_in_blocks_scores_as_the_whole(text, monkeypatch):
    metric, logits = BuiltInMetric.parse(text), runs_of(1.0, 2)
    whole = metric.image_scores(logits, TARGETS)
    monkeypatch.setattr(blocks, "_BLOCK", 7 * 2 * 5)
    assert np.abs(metric.image_scores(logits, TARGETS) - whole).max() < 2e-6


def test_logits_too_large_for_a_row_come_back_whole(tmp_path, monkeypatch):
    monkeypatch.setattr("seedwise.store.store._PART", 1000)
    with Studies(tmp_path).make(SETUPS) as store:
        back = store.logits([run.id for run in store.runs("one")])
    assert back.tobytes() == SETUPS["one"].tobytes()


def test_few_large_runs_are_in_memory_together(tmp_path, monkeypatch):
    with Studies(tmp_path).make(SETUPS) as store:
        study = StudyRuns(store)
        assert [len(some) for some in study.chunks(study.all)] == [12]
        monkeypatch.setattr(study_runs, "LARGE", SETUPS["one"][0].nbytes // 3)
        assert [len(some) for some in study.chunks(study.all)] == [2] * 6


def test_a_setup_without_predictions_beside_large_ones_is_reported_by_its_own_metrics(
    large, tmp_path
):
    """Of large runs the metrics that are kept are looked at, and others have none of them."""
    study = recorded(tmp_path / "study.db")
    for seed in range(3):
        record(study.path, setup="plain", seed=seed, metrics={"accuracy": 0.5 + seed / 10})
    study.report(tmp_path / "report.html")
    assert "plain" in (tmp_path / "report.html").read_text(encoding="utf-8")
