"""Tables of other people's, as they are brought: each with what is right, and its like.

The inputs in tests/cases are made up in the spirit of public reports.
"""

from pathlib import Path

import pytest
from click.testing import CliRunner

from seedwise.cli import cli
from seedwise.study import Study, record

CASES = Path(__file__).parents[1] / "cases"


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """An empty folder to work in."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "300")
    return tmp_path


def seedwise(*words, code=0):
    """What a command prints, on one line."""
    result = CliRunner().invoke(cli, list(map(str, words)))
    assert result.exit_code == code, result.output
    return " ".join(result.output.split())


def table(text, name="runs.csv"):
    """A file with some rows, written as words: a;b is a row of two cells."""
    Path(name).write_text("\n".join(text.split()) + "\n", encoding="utf-8")
    return name


def case(name):
    (found,) = CASES.glob(f"{name}*.csv")
    return found


def outcome(metric, a="a", b="b", **said):
    return Study("s.db").compare(a, b, metric=metric, **said).outcome


def test_c01_the_sign_of_neg_is_known():
    seedwise("import", case("c01"), "s.db", "--setup", "model")
    said = seedwise("compare", "s.db", "old", "new", "--metric", "test_neg_mean_squared_error")
    assert said.startswith("new is better than old by test_neg_mean_squared_error")
    assert "For test_neg_mean_squared_error, higher is better." in said


@pytest.mark.parametrize("metric", ["eval_wer", "fid", "mape"])
def test_c06_less_is_better_and_said(metric):
    said = seedwise("import", case("c06"), "s.db")
    assert "lower is better: eval_wer, cer, fid, val_loss_epoch, loss/val, mape, Top-1" in said
    said = seedwise("compare", "s.db", "base", "new", "--metric", metric)
    assert said.startswith(f"new is better than base by {metric}")
    assert f"For {metric}, lower is better." in said


def test_c06_a_constant_gain_has_the_right_sign():
    seedwise("import", case("c06"), "s.db")
    for metric in ("Top-1 error (%)", "bits_per_byte", "val_rmse_best", "MAE_test", "lpips"):
        assert Study("s.db").compare("base", "new", metric=metric).deciding.advantage > 0, metric


SCORES = "setup,seed,score a,0,1 a,1,2 a,2,3 b,0,5 b,1,6.5 b,2,7"


def test_a_name_that_settles_nothing_is_refused_with_the_flag_that_settles_it():
    said = seedwise("import", table(SCORES), "s.db")
    assert "not known which: score" in said
    said = seedwise("compare", "s.db", "a", "b", code=2)
    assert "whether a lower or a higher score is better" in said
    assert "--better lower" in said
    assert "worse" not in said
    assert seedwise("compare", "s.db", "a", "b", "--better", "lower").startswith("b is worse than")
    assert seedwise("compare", "s.db", "a", "b", "--better", "score=higher").startswith(
        "b is bett"
    )
    assert "unknown" not in seedwise("status", "s.db")


def test_a_report_without_a_direction_shows_numbers_and_no_verdict():
    seedwise("import", table(SCORES), "s.db")
    seedwise("report", "s.db", "-o", "r.html")
    page = Path("r.html").read_text(encoding="utf-8")
    assert "No verdict: nobody said whether a lower or a higher score is better" in page
    assert "is better than" not in page
    seedwise("report", "s.db", "-o", "r.html", "--better", "score=lower")
    page = Path("r.html").read_text(encoding="utf-8")
    assert "b is worse than a" in page
    assert page.count("lower is better") >= 3  # the verdict, the chart's axis, the table


@pytest.mark.parametrize("said", ["lower", "score=lower"])
def test_a_stated_direction_is_kept_and_does_not_change(said):
    seedwise("import", table(SCORES), "s.db", "--better", said)
    assert seedwise("compare", "s.db", "a", "b").startswith("b is worse than a")
    refused = seedwise("compare", "s.db", "a", "b", "--better", "higher", code=2)
    assert "lower is better for score" in refused
    again = table("setup,seed,score c,0,1 c,1,2", "more.csv")
    assert "never changes" in seedwise("import", again, "s.db", "--better", "higher", code=2)
    assert "score" in seedwise("table", "s.db")
    assert "Lower is better: score" in seedwise("table", "s.db")


def test_record_keeps_a_direction():
    for seed in range(3):
        record("s.db", setup="a", seed=seed, metrics={"gain": 1 + seed}, better={"gain": "lower"})
        seedwise(
            *("record", "s.db", "--setup", "b", "--seed", seed),
            *("--metrics", f"gain={4 + 1.1 * seed}", "--better", "lower"),
        )
    assert outcome("gain") == "worse"


def test_a_direction_of_nothing_or_of_a_built_in_metric_is_refused():
    assert "unknown metric" in seedwise(
        "import", table(SCORES), "s.db", "--better", "bleu=lower", code=2
    )
    rows = table("setup,seed,accuracy a,0,.5 a,1,.6", "acc.csv")
    said = seedwise("import", rows, "s.db", "--better", "accuracy=lower", code=2)
    assert "accuracy is built in, and higher is better" in said
    rows = table("setup,seed,x,y a,0,.5,1 a,1,.6,2", "two.csv")
    assert "--better x=lower" in seedwise("import", rows, "s.db", "--better", "lower", code=2)
    assert not Path("s.db").exists()


def test_a_study_that_names_an_unsettled_metric_is_refused_before_it_trains():
    Path("mine.py").write_text("def a(seed):\n    raise SystemExit('trained')\n")
    study = 'seeds = 2\n[verdict]\nmetric = "score"\n[setups.a]\ntrain = "mine:a"\n'
    Path("study.toml").write_text(study)
    assert "score is better" in seedwise("run", "study.toml", code=2)


def test_a_study_file_states_directions():
    Path("mine2.py").write_text(
        "def a(seed):\n    return {'score': 1 + .1 * int(seed)}\n"
        "def b(seed):\n    return {'score': 2 + .11 * int(seed)}\n"
    )
    study = 'seeds = 3\n[setups.a]\ntrain = "mine2:a"\n[setups.b]\ntrain = "mine2:b"\n'
    Path("plain.toml").write_text(study)
    assert "No verdict: nobody said" in seedwise("run", "plain.toml")
    Path("study.toml").write_text(study + '[better]\nscore = "lower"\n')
    assert "b is worse than a by score" in seedwise("run", "study.toml")
    assert seedwise("compare", "study.db", "a", "b").startswith("b is worse than a by score")
    Path("bad.toml").write_text(study + '[better]\nscore = "down"\n')
    assert "must be lower or higher, got 'down'" in seedwise("run", "bad.toml", code=2)
