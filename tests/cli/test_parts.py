"""A study made in parts, as the jobs of an array make it, and put together."""

from click.testing import CliRunner

from seedwise.cli import cli
from seedwise.store import PLAN, Store

STUDY = """
seeds = 6
[setups.plain]
train = "seedwise.study.fake:train"
[setups.better]
train = "seedwise.study.fake:better"
"""


def invoke(*words):
    return CliRunner().invoke(cli, [str(word) for word in words])


def test_parts_of_the_files_seeds_make_one_confirmatory_study(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "study.toml").write_text(STUDY)
    for seeds, part in (("0:3", "a.db"), ("3:6", "b.db")):
        assert invoke("run", "study.toml", "--seeds", seeds, "--store", part).exit_code == 0
    early = invoke("compare", "a.db", "plain", "better").output
    assert "3 of the 6 planned runs" in " ".join(early.split())
    assert invoke("merge", "a.db", "b.db", "-o", "both.db").exit_code == 0
    whole = invoke("compare", "both.db", "plain", "better").output
    assert "Exploratory" not in whole
    assert "6 pairs of runs" in whole


def test_seeds_beyond_the_files_are_a_plan_of_their_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "study.toml").write_text(STUDY)
    assert invoke("run", "study.toml", "--seeds", "5:7").exit_code == 0
    with Store.open("study.db", readonly=True) as store:
        assert store.choice(PLAN)["seeds"] == ["5", "6"]
