"""A study is read once: how often its rows are asked for is counted."""

import pytest

from helpers.commands import seedwise
from helpers.studies import Studies, runs_of
from seedwise import Study
from seedwise.comparison.study_runs import StudyRuns
from seedwise.errors import StudyError, UnknownName
from seedwise.store import PLAN, Store

SETUPS = {"base": runs_of(1.0), "one": runs_of(1.6), "two": runs_of(1.1)}


@pytest.fixture
def study(tmp_path):
    with Studies(tmp_path).make(SETUPS) as store:
        return Study(store.path)


@pytest.fixture
def reads(monkeypatch):
    """The arguments of each call of Store.runs."""
    calls = []
    read = Store.runs

    def counted(self, setup=None):
        calls.append(setup)
        return read(self, setup)

    monkeypatch.setattr(Store, "runs", counted)
    return calls


@pytest.mark.parametrize(
    "look",
    [
        lambda study: study.compare("base", "one"),
        lambda study: study.compare_several(),
        lambda study: study.compare_with_target("base", 0.5),
        lambda study: study.summary(),
        lambda study: study.variance("base"),
        lambda study: study.plan("base", "one"),
        lambda study: study.report(study.path.with_suffix(".html")),
    ],
)
def test_whatever_is_asked_of_a_study_reads_its_runs_once(study, reads, look):
    look(study)
    assert reads == [None]


@pytest.mark.parametrize(
    "words",
    [
        ["compare", "STUDY"],
        ["compare", "STUDY", "base", "one", "--full"],
        ["status", "STUDY"],
        ["variance", "STUDY", "base"],
        ["export", "STUDY"],
        ["table", "STUDY"],
        ["report", "STUDY", "-o", "page.html"],
    ],
)
def test_so_does_a_command(study, reads, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    seedwise(*(study.path if word == "STUDY" else word for word in words))
    assert reads == [None]


def test_the_runs_of_a_setup_are_found_by_its_name(study):
    with StudyRuns.open(study.path) as runs:
        assert [run.setup for run in runs.of("one")] == ["one"] * 6
        assert len(runs.all) == 18
        with pytest.raises(UnknownName, match="unknown setup 'on'"):
            runs.of("on")


def test_a_study_of_plain_metrics_has_no_targets(tmp_path):
    Store.open(tmp_path / "plain.db", create=True).close()
    with StudyRuns.open(tmp_path / "plain.db") as runs, pytest.raises(StudyError, match="targets"):
        _ = runs.targets


@pytest.mark.parametrize(
    "other",
    [
        {"baseline": ["base"]},
        {"stop": {"difference": 0.1, "candidates": ["one"]}},
        {"stop": {"difference": 0.1, "candidates": ["one"], "baseline": ["base"]}},
    ],
    ids=str,
)
@pytest.mark.parametrize("command", ["compare", "watch", "report"])
def test_a_plan_without_a_baseline_is_damage_in_one_line(tmp_path, monkeypatch, other, command):
    monkeypatch.chdir(tmp_path)
    whole = {"setups": ["base", "one"], "seeds": ["0"], "rule": {}, "stop": None}
    with Studies(tmp_path).make(SETUPS, plan=False) as store:
        store.fix_choice(PLAN, whole | other)
    said = seedwise(command, store.path, code=2).strip().splitlines()
    assert len(said) == 1
    assert "damaged: the choice 'plan' cannot be understood" in said[0]
