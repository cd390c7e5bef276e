"""Tables of other people's, as they are brought: each with what is right, and its like.

The inputs in tests/cases are made up in the spirit of public reports.
"""

import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import binomtest

from helpers.commands import seedwise
from seedwise.errors import ConfigError
from seedwise.seeds import Seed
from seedwise.study import Study, record

CASES = Path(__file__).parents[1] / "cases"


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """An empty folder to work in."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "300")
    return tmp_path


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
    assert said.startswith("new is better than old: test_neg_mean_squared_error is 6.78 higher")
    assert "; higher is better)" in said


@pytest.mark.parametrize("metric", ["eval_wer", "fid", "mape"])
def test_c06_less_is_better_and_said(metric):
    said = seedwise("import", case("c06"), "s.db")
    assert "lower is better: eval_wer, cer, fid, val_loss_epoch, loss/val, mape, Top-1" in said
    said = seedwise("compare", "s.db", "base", "new", "--metric", metric)
    assert said.startswith(f"new is better than base: {metric} is ")
    assert "; lower is better)" in said


def test_c06_a_constant_gain_has_the_right_sign():
    seedwise("import", case("c06"), "s.db")
    for metric in ("Top-1 error (%)", "bits_per_byte", "val_rmse_best", "MAE_test", "lpips"):
        assert Study("s.db").compare("base", "new", metric=metric).deciding.advantage > 0, metric


SCORES = "setup,seed,score a,0,1 a,1,2 a,2,3 b,0,5 b,1,6.5 b,2,7"


def test_a_name_that_settles_nothing_is_refused_with_the_flag_that_settles_it():
    said = seedwise("import", table(SCORES), "s.db")
    assert "not known which: score" in said
    said = seedwise("compare", "s.db", "a", "b", code=2)
    assert "whether lower or higher score is better" in said
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
    assert "No verdict: it is not known whether lower or higher score is better" in page
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
    assert "No verdict: it is not known" in seedwise("run", "plain.toml")
    Path("study.toml").write_text(study + '[better]\nscore = "lower"\n')
    assert "b is worse than a: score is " in seedwise("run", "study.toml")
    assert seedwise("compare", "study.db", "a", "b").startswith("b is worse than a: score is ")
    Path("bad.toml").write_text(study + '[better]\nscore = "down"\n')
    assert "must be lower or higher, got 'down'" in seedwise("run", "bad.toml", code=2)


def verdict(*words, code=0):
    return seedwise("compare", "s.db", *words, code=code)


def test_e01b_a_missing_cell_belongs_to_its_run():
    said = seedwise("import", case("e01b"), "s.db")
    assert "accuracy is missing in line 5" in said
    said = verdict("a", "b")
    assert said.startswith("b is better than a: accuracy is")
    assert "3 pairs of runs and 1 more)" in said
    assert "Accuracy is missing in 1 of 4 runs of a (seed 3): left out" in said
    assert "the verdict is biased" in said


def test_holes_in_both_setups_alike_are_named_without_a_warning():
    seedwise(
        "import",
        table("setup,seed,f1,loss a,0,.1,1 a,1,,2 a,2,.2,3 b,0,.5,1 b,1,,2 b,2,.7,3"),
        "s.db",
    )
    said = verdict("a", "b", "--metric", "f1")
    assert "1 of 3 runs of a (seed 1) and 1 of 3 runs of b (seed 1)" in said
    assert "biased" not in said


def test_d01_a_side_metric_that_is_not_finite_changes_nothing():
    seedwise("import", case("d01"), "s.db")
    said = verdict("base", "new")
    assert said.startswith("new is better than base: accuracy is 2.15 points higher")
    assert "iverged" not in said
    rows = seedwise("export", "s.db")
    assert "0.866,nan" in rows
    said = verdict("base", "new", "--metric", "val_cls_loss")
    assert "Diverged: 0 of 4 runs of base, 2 of 4 of new" in said
    assert not said.startswith("new is better")


def test_c07_text_in_a_cell_is_a_missing_value():
    said = seedwise("import", case("c07"), "s.db")
    assert "acc is missing in line 4 ('OOM')" in said
    assert "higher is better: acc" in said
    assert "acc is missing in 1 of 3 runs of a (seed 2)" in verdict("a", "b", "--metric", "acc")
    assert "n = 2" in seedwise("table", "s.db")
    assert "acc 2 " in seedwise("status", "s.db")


@pytest.mark.parametrize("cell", ["N/A", "failed", "-", "null", ""])
def test_what_is_no_number_is_missing(cell):
    text = f"setup,seed,f1,loss a,0,.1,1 a,1,{cell},2 a,2,.2,3 b,0,.5,1 b,1,.6,2 b,2,.7,3"
    assert "f1 is missing in line 3" in seedwise("import", table(text), "s.db")
    assert Study("s.db").compare("a", "b", metric="f1").a.missing[0].init == 1


@pytest.mark.parametrize("flags", [["--unpaired"], []])
def test_h01_the_same_rows_are_known(flags):
    rows = case("h01") if flags else table("setup,seed,f1 a,0,.1 a,1,.2 b,0,.3 b,1,.4")
    seedwise("import", rows, "s.db", *flags)
    said = seedwise("import", rows, "s.db", *flags)
    assert "0 runs" in said
    assert "were already stored" in said


def test_h01_shuffled_renamed_and_rewritten_rows_are_known():
    seedwise("import", case("h01"), "s.db", "--unpaired")
    head, *rows = Path(case("h01")).read_text().split()
    again = table(" ".join([head, *(row + "0" for row in reversed(rows))]), "copy.csv")
    assert "8 were already stored" in seedwise("import", again, "s.db", "--unpaired")
    longer = table(" ".join([head, *rows, "new,0.83"]), "longer.csv")
    assert "1 run of 2 setups stored, 8 were already" in seedwise(
        "import", longer, "s.db", "--unpaired"
    )
    mixed = table(" ".join([head, *rows[:3], "base,0.7"]), "part.csv")
    said = seedwise("import", mixed, "s.db", "--unpaired", code=2)
    assert "3 of 4 rows are in the study already" in said
    assert "--rows-are-runs" in said
    assert "4 runs" in seedwise("import", mixed, "s.db", "--unpaired", "--rows-are-runs")


def test_a_file_that_holds_its_rows_twice_is_refused():
    head, *rows = Path(case("h01")).read_text().split()
    said = seedwise("import", table(" ".join([head, *rows, *rows])), "s.db", "--unpaired", code=2)
    assert "rows are there twice" in said


@pytest.mark.parametrize("flags", [["--unpaired"], []])
def test_c02_epochs_are_no_runs(flags):
    said = seedwise("import", case("c02"), "s.db", *flags, code=2)
    assert "--last, or --best METRIC" in said
    said = seedwise("import", case("c02"), "s.db", *flags, "--last")
    assert "metrics: columns val_acc" in said
    found = Study("s.db").compare("a", "b", metric="val_acc")
    assert found.deciding.values_a[0] == 0.8147  # the last row of a's seed 0
    assert found.a.results == found.b.results == 3


def test_epochs_by_other_names_in_other_order_and_the_best():
    text = (
        "setup,run,global_step,wer a,x,200,.3 a,x,100,.2 a,y,100,.4 a,y,200,.5 "
        "b,z,100,.1 b,z,200,.15 b,u,100,.3 b,u,200,.1"
    )
    assert "global_step counts" in seedwise("import", table(text), "s.db", "--unpaired", code=2)
    seedwise("import", table(text), "s.db", "--unpaired", "--last")
    assert sorted(Study("s.db").compare("a", "b").deciding.values_a) == [0.3, 0.5]
    seedwise("import", table(text), "best.db", "--unpaired", "--best", "wer")
    assert sorted(Study("best.db").compare("a", "b").deciding.values_a) == [0.2, 0.4]


def test_epochs_without_a_run_are_seen_by_their_count():
    text = "setup,epoch,f1 a,1,.1 a,2,.2 a,3,.3 a,1,.2 a,2,.3 a,3,.4 b,1,.1 b,2,.2 b,3,.5"
    assert "epoch counts" in seedwise("import", table(text), "s.db", "--unpaired", code=2)
    assert "3 runs" in seedwise("import", table(text), "s.db", "--unpaired", "--last")
    stopped = "setup,seed,epoch,f1 a,0,12,.1 a,1,9,.2 b,0,14,.3 b,1,10,.4"
    assert "4 runs" in seedwise("import", table(stopped), "ends.db")


def test_the_best_row_by_a_stated_direction():
    text = "setup,seed,epoch,score a,0,1,.3 a,0,2,.2 b,0,1,.1 b,0,2,.5"
    said = seedwise("import", table(text), "s.db", "--best", "score", code=2)
    assert "lower or higher score" in said
    seedwise("import", table(text), "s.db", "--best", "score", "--better", "higher")
    assert Study("s.db").compare("a", "b").deciding.values_a == (0.3,)


def test_a_row_that_says_it_diverged_needs_no_metric():
    text = "setup,seed,state,f1 a,0,finished,.1 a,1,diverged, b,0,finished,.3 b,1,finished,.4"
    said = seedwise("import", table(text), "s.db")
    assert "not known" not in said
    assert "Diverged: 1 of 2 runs of a" in verdict("a", "b")


def test_h03_datasets_are_tasks_and_never_pooled():
    said = seedwise("import", case("h03"), "s.db", "--setup", "method", code=2)
    assert "the column dataset tells tasks (easy, hard)" in said
    assert "--task dataset" in said
    assert "tasks" in seedwise(
        "import", case("h03"), "s.db", "--setup", "method", "--unpaired", code=2
    )
    said = seedwise("import", case("h03"), "s.db", "--setup", "method", "--task", "dataset")
    assert "higher is better: easy/acc, hard/acc" in said
    said = verdict("old", "new")  # pooled, it was worse by 0.15
    assert "over 2 tasks; the mean acc differs by +0.025" in said
    assert "new wins in 2 of 2 tasks" in said
    assert "One run says nothing about how much runs vary" in said
    for task in ("easy", "hard"):
        found = Study("s.db").compare("old", "new", metric=f"{task}/acc", paired=False)
        assert found.deciding.advantage > 0


def test_rows_that_differ_in_something_else_are_asked_about():
    text = "setup,seed,lr,f1 a,0,.1,.1 a,0,.2,.2 b,0,.1,.3 b,0,.2,.4"
    said = seedwise("import", table(text), "s.db", code=2)
    assert "seed 0 is in line 2 already and differ in lr" in said


def test_c03_complete_is_finished():
    said = seedwise("import", case("c03"), "s.db", "--setup", "params_optimizer")
    assert "1 whose state is PRUNED" in said
    assert "metrics: columns value" in said
    assert verdict("adam", "sgd", code=2).count("--better")
    assert "sgd" in verdict("adam", "sgd", "--better", "higher")


@pytest.mark.parametrize("flags", [["--seed", "fold"], ["--unpaired"], []])
def test_e05_folds_are_no_seeds(flags):
    said = seedwise("import", case("e05"), "s.db", "--setup", "model", *flags, code=2)
    assert "give --fold fold" in said


@pytest.mark.parametrize(
    ("column", "parts"),
    [
        ("epoch", "epochs"),
        ("config.env_steps", "steps"),
        ("task", "tasks"),
        ("Bootstrap", "resamples of the same results"),
        ("question_id", "examples"),
    ],
)
def test_parts_of_a_run_are_no_seeds_even_if_it_is_said(column, parts):
    rows = [
        f"{m},{i},{0.8 + 0.01 * (m == 'b') + 0.001 * (i * 3 % 5)}" for m in "ab" for i in range(5)
    ]
    file = table(f"model,{column},acc " + " ".join(rows))
    flags = ("--setup", "model", "--seed", column)
    said = seedwise("import", file, "s.db", *flags, code=2)
    assert f"the column {column} tells {parts}, which are parts of one run" in said
    assert not Path("s.db").exists()
    seedwise("import", file, "s.db", *flags, "--rows-are-runs")


def test_e05_folds_get_the_corrected_test():
    seedwise("import", case("e05"), "s.db", "--setup", "model", "--fold", "fold")
    found = Study("s.db").compare("ridge", "gbm", metric="r2")
    assert round(found.deciding.difference.p_value, 3) == 0.037
    said = verdict("ridge", "gbm")
    assert "5 folds of cross-validation" in said
    assert "Nadeau & Bengio" in said
    assert "Sign-flip" not in verdict("ridge", "gbm", "--full")
    assert "fold by fold" in verdict("ridge", "gbm", "--unpaired", code=2)


def test_e05_tables_charts_and_targets_are_corrected_and_there_is_no_plan():
    seedwise("import", case("e05"), "s.db", "--setup", "model", "--fold", "fold")
    values = np.array([-0.101, -0.09, 0.33, -1.402, -0.299])
    half = 2.7764451 * values.std(ddof=1) * (1 / 5 + 1 / 4) ** 0.5
    ends = f"[{values.mean() - half:.1f}, {values.mean() + half:.1f}]"
    assert ends in seedwise("table", "s.db").replace("\\", "")
    found = Study("s.db").compare_with_target("gbm", 0.0)
    assert found.difference.high == pytest.approx(values.mean() + half)
    assert "over folds" in seedwise("table", "s.db")
    assert "no more runs" in seedwise("plan", "s.db", "ridge", "gbm", code=2)
    assert "not the noise of training" in seedwise("variance", "s.db", "gbm", code=2)
    seedwise("report", "s.db", "-o", "r.html")
    assert "How it settled" not in Path("r.html").read_text(encoding="utf-8")


def test_repeated_folds_and_a_stated_ratio():
    rows = [
        f"{m},{r},{f},{0.8 + 0.01 * (m == 'b') * (1 + f % 3) + 0.002 * f + 0.001 * r}"
        for m in "ab"
        for r in range(2)
        for f in range(1, 6)
    ]
    file = table("model,seed,fold,f1 " + " ".join(rows))
    seedwise("import", file, "s.db", "--setup", "model", "--fold", "fold")
    seedwise("import", file, "t.db", "--setup", "model", "--fold", "fold", "--test-ratio", ".1")
    found, other = (Study(p).compare("a", "b") for p in ("s.db", "t.db"))
    assert found.deciding.difference.n_a == 10
    assert (found.test_to_train, other.test_to_train) == (0.25, 0.1)
    ratio = found.deciding.difference.error / other.deciding.difference.error
    assert ratio == pytest.approx(((1 / 10 + 0.25) / (1 / 10 + 0.1)) ** 0.5)


def test_d03_per_cent_is_read():
    assert "acc: per cent" in seedwise("import", case("d03_percent"), "s.db")
    assert Study("s.db").compare("a", "b").deciding.values_a == (0.912, 0.915)
    points = table("setup,seed,accuracy a,0,91.2 a,1,91.5 b,0,92 b,1,93", "p.csv")
    assert "accuracy: per cent" in seedwise("import", points, "p.db")
    assert Study("p.db").compare("a", "b").deciding.values_a == (0.912, 0.915)


def test_d03c_two_units_are_refused_with_both_rows():
    said = seedwise("import", case("d03c"), "s.db", code=2)
    assert "0.925 (line 6) looks like a fraction" in said
    assert "91.1 (line 4) like per cent" in said
    signs = table("setup,seed,f1 a,0,91% a,1,0.92 b,0,.9 b,1,.8")
    assert "without a per cent sign" in seedwise("import", signs, "s.db", code=2)
    assert not Path("s.db").exists()


def test_two_units_in_two_files_or_records_are_refused():
    seedwise("import", table("setup,seed,val_acc a,0,.91 a,1,.92"), "s.db")
    more = table("setup,seed,val_acc b,0,91 b,1,92", "more.csv")
    assert "two units" in seedwise("import", more, "s.db", code=2)
    for seed in (0, 1):
        record("r.db", setup="a", seed=seed, metrics={"f1": 0.91 + 0.01 * seed})
        record("r.db", setup="b", seed=seed, metrics={"f1": 91.5 + seed})
    said = seedwise("compare", "r.db", "a", "b", code=2)
    assert "f1 is in two units" in said
    errors = table("setup,seed,top1_err a,0,.8 a,1,1.7 b,0,.9 b,1,1.6", "e.csv")
    assert "4 runs" in seedwise("import", errors, "e.db")


def test_d03d_rounding_above_one_is_one():
    seedwise("import", case("d03d"), "s.db")
    assert Study("s.db").compare("a", "b").deciding.values_a == (1.0, 1.0)


def test_thousands_with_points_where_decimals_have_commas():
    rows = "setup;seed;latency a;0;1.234,5 a;1;900,5 b;0;800,25 b;1;1.000,75"
    seedwise("import", table(rows), "s.db")
    assert Study("s.db").compare("a", "b").deciding.values_a == (1234.5, 900.5)


@pytest.mark.parametrize("name", ["c08", None])
def test_c08_decimal_commas(name):
    file = (
        case(name)
        if name
        else table(
            'setup;seed;acc;loss a;0;"0,91";0,30 a;1;0,92;0,29 b;0;0,93;0,28 b;1;0,94;1,125'
        )
    )
    seedwise("import", file, "s.db")
    found = Study("s.db").compare("a", "b", metric="acc")
    assert (found.deciding.values_a, found.deciding.values_b) == ((0.91, 0.92), (0.93, 0.94))


def test_d04_a_metric_that_never_varies_is_one():
    assert "metrics: columns acc" in seedwise("import", case("d04"), "s.db")
    assert verdict("a", "b").startswith("Undecided")
    assert "All differences are equal" in verdict("a", "b", "--full")


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("flags", [[], ["--unpaired"]])
def test_d05b_huge_values_have_true_lines(flags):
    seedwise("import", case("d05b"), "s.db", "--better", "higher")
    said = verdict("a", "b", *flags)
    assert "equal" not in said
    assert "nan" not in said.lower()
    assert "1.2e+300" in said or "e+299" in said or "e+300" in said
    for command in ("report", "table", "status"):
        seedwise(command, "s.db")


def test_d06_any_name_works():
    seedwise("import", case("d06"), "s.db", "--better", "brier:test=lower")
    for name in ("recall@k=5", "map(0.5,0.95)", "mAP@0.5:0.95", "accuracy:top1"):
        assert verdict("a", "b", "--metric", name).startswith("b is better than a"), name
    assert "k=5" in seedwise("table", "s.db")
    seedwise("report", "s.db", "--metric", "accuracy:top1", "-o", "r.html")
    seedwise("import", case("d06"), "one.db", "--metric", "recall@k=5", "--metric", "brier:test=b")
    assert verdict("a", "b", "--metric", "recall@k=5")
    seedwise("record", "one.db", "--setup", "c", "--seed", 0, "--metrics", "recall@k=5=.3,b=.1")


def test_d09_cells_hold_what_pythons_csv_lets_them():
    seedwise("import", case("d09"), "s.db")
    Path("ff.csv").write_text("setup,seed,notes,f1\na,0,x\fy,.9\na,1,p\u2029q,.91\n")
    assert "2 runs" in seedwise("import", "ff.csv", "s2.db")


def test_d13_a_name_of_two_columns_is_left_out_if_nothing_needs_it():
    said = seedwise("import", case("d13"), "s.db", "--setup", "method")
    assert "left out: columns named lr, of which there are two" in said
    assert "metrics: columns val/acc" in said
    said = seedwise("import", case("d13"), "t.db", "--setup", "method", "--metric", "lr", code=2)
    assert "two columns named 'lr'" in said


def test_d14_a_run_without_its_metric_is_named():
    said = seedwise("import", case("d14"), "s.db", "--setup", "method")
    assert "3 runs of 2 setups stored" in said
    assert "left out: line 3: sgd with seed 2 has no metric" in said


def test_i01_integers_of_numpy_and_pandas_are_seeds():
    setups = {"a": lambda seed: 0.5 + 0.01 * seed.numpy("order").normal()}
    for seeds in (
        np.arange(3),
        list(np.arange(3)),
        np.int64(3),
        [np.uint8(4), 5],
        (s for s in [6]),
    ):
        Study("i.db").run(setups, seeds=seeds)
    assert Study("i.db").summary().setups[0].finished == 6
    for seed in (np.int64(7), np.array([1, 2, 3]), [np.int32(2), 3, 4], np.uint64(9)):
        record("r.db", setup="x", seed=seed, metrics={"acc": 0.5})
    assert [str(seed) for seed in map(Seed.of, (np.int64(7), np.array([1, 2, 3])))] == [
        "7",
        "1/2/3",
    ]


@pytest.mark.parametrize("seed", [True, 1.5, "3", np.bool_(True), np.array([1, 2]), -1, None])
def test_what_is_no_integer_is_no_seed(seed):
    with pytest.raises(ConfigError, match="seed"):
        record("r.db", setup="x", seed=seed, metrics={"acc": 0.5})


def study_of(values, stop="difference = 0.005\nmax_runs = 20", extra=""):
    """A study.toml with a stopping rule, whose runs return some metrics."""
    name = f"speech{abs(hash((values, stop)))}"
    Path(f"{name}.py").write_text(
        "".join(
            f"def {setup}(seed):\n    g = seed.numpy('order').normal()\n    return {returned}\n"
            for setup, returned in zip(("base", "new"), values, strict=True)
        )
    )
    setups = "".join(f'[setups.{each}]\ntrain = "{name}:{each}"\n' for each in ("base", "new"))
    Path("study.toml").write_text(f"{extra}\n[stop]\n{stop}\n{setups}")
    return "study.toml"


def test_j01_a_stopping_rule_judges_the_metric_that_runs_have():
    for file in (CASES / "j01_stop_wer").iterdir():
        Path(file.name).write_text(file.read_text())
    said = seedwise("run", "study2.toml")
    # Its differences are all -0.03, to the last digit, which tells nothing of how they vary.
    assert "Undecided: new against base, after 20 pairs of runs" in said
    assert "wer differs by -0.03" in said
    assert "equivalent is within 0.005" in said
    speech = Path("speech.py").read_text()
    Path("speech.py").write_text(speech.replace("0.20 + 0.002", "0.20 + 0.0021"))
    sys.modules.pop("speech")
    said = seedwise("run", "study2.toml", "--store", "more.db")
    assert "new is better than base, after 3 pairs of runs: wer is 0.0" in said
    assert ", lower is better)" in said
    assert "new is better than base, after 3 pairs" in seedwise(
        "compare", "more.db", "base", "new"
    )
    seedwise("report", "study2.db")


@pytest.mark.parametrize(("higher", "outcome"), [(True, "better"), (False, "worse")])
def test_a_stopping_rule_names_its_metric_with_a_margin_in_its_unit(higher, outcome):
    values = ("{'ret': 200 + g, 'x': 1}", "{'ret': 260 + 1.1 * g, 'x': 2}")
    way = "higher" if higher else "lower"
    stop = 'difference = 5\nmax_runs = 20\nmetric = "ret"'
    file = study_of(values, stop, f'[better]\nret = "{way}"')
    said = seedwise("run", file)
    assert f"new is {outcome} than base" in said
    assert "ret is 59.98 higher" in said
    assert f", {way} is better)" in said


def test_what_a_stopping_rule_cannot_judge_is_refused_before_training():
    values = ("exec('raise SystemExit(9)')", "{}")
    said = seedwise("run", study_of(values, 'difference = 1.5\nmetric = "score"'), code=2)
    assert "whether lower or higher score is better" in said
    assert "below 1" in seedwise("run", study_of(values, "difference = 1.5"), code=2)


def test_equivalent_and_diverged_under_another_metric():
    values = ("{'wer': .2 + .0002 * g}", "{'wer': .2001 + .0002 * g}")
    assert "equivalent" in seedwise("run", study_of(values))
    values = (
        "{'wer': .2 + .002 * g if int(seed) != 1 else float('nan')}",
        "{'wer': .17 + .002 * g}",
    )
    Path("study.db").unlink()
    said = seedwise("run", study_of(values, "difference = 0.005\nmax_runs = 6"))
    assert "nan" not in said.partition("new ")[2].lower() or "diverged" in said


def test_k01_probabilities_are_seen_for_what_they_are():
    for file in sorted((CASES / "k01_probabilities").iterdir()):
        _, name = file.stem.split("_")
        words = ["--setup", name[0], "--seed", name[1], "--predictions", file]
        said = seedwise("record", "s.db", *words)
        first = name[1] == "0"
        assert ("predictions are probabilities (each row adds up to 1)" in said) == first
    found = Study("s.db").compare("A", "B", metric="cross_entropy").deciding
    means = found.sample_a.mean, found.sample_b.mean
    assert np.round(means, 3).tolist() == [0.419, 0.334]


def answers_of_two_models():
    """Right and wrong of two models on 500 questions that differ in difficulty, as in g01."""
    rng = np.random.default_rng(0)
    hard = rng.normal(size=500)
    a = (hard + 0.5 * rng.normal(size=500) > 0.0).astype(int)
    return a, (hard + 0.35 + 0.5 * rng.normal(size=500) > 0.0).astype(int)


@pytest.mark.parametrize("kind", ["predictions", "scores"])
def test_g01_one_run_of_each_is_a_verdict_on_new_questions(kind):
    for name, right in zip("AB", answers_of_two_models(), strict=True):
        logits = np.stack([1.0 - right, right], axis=1)
        np.savez("p.npz", predictions=logits, targets=np.ones(500, int))
        np.savez("s.npz", accuracy=right)
        files = {"predictions": ("--predictions", "p.npz"), "scores": ("--scores", "s.npz")}
        given = ("--setup", name, "--seed", 0, *files[kind], "--called", "questions")
        seedwise("record", "s.db", *given)
    said = seedwise("compare", "s.db", "A", "B")
    assert said.startswith("B is better than A: accuracy is 11.6 points higher")
    assert "This is about these two models on new questions" in said
    assert "about no other seed" in said
    assert "one run of each on 500 questions" in said
    full = seedwise("compare", "s.db", "A", "B", "--full")
    assert "From one run of each on the same 500 questions (exact McNemar test)." in full
    found = Study("s.db").compare("A", "B")
    a, b = answers_of_two_models()
    apart = int((a > b).sum()), int((b > a).sum())
    expected = binomtest(apart[0], sum(apart)).pvalue
    assert found.verdict.p_value == pytest.approx(expected, rel=1e-9)
    assert (found.apart, found.of_models) == (apart, True)
    seedwise("compare", "s.db", "B", "A", "--fail-if", "worse", code=1)


def test_g01_models_that_cannot_be_told_apart_are_undecided():
    right, _ = answers_of_two_models()
    other = right.copy()
    other[:3] = 1 - other[:3]
    for name, each in (("A", right), ("B", other)):
        record("s.db", setup=name, seed=0, scores={"accuracy": each})
    said = seedwise("compare", "s.db", "A", "B")
    assert said.startswith("Undecided: these runs can't tell B from A")
    assert "about no other seed" in said


def test_g01_questions_of_one_passage_are_no_independent_questions():
    """All questions of a passage are alike: 500 of 20 passages tell no more than 20."""
    rng = np.random.default_rng(3)
    passage = np.repeat(np.arange(20), 25)
    a, b = rng.random(500) < 0.5, (rng.random(20) < 0.72)[passage]
    for name, each in (("A", a), ("B", b)):
        about = {"setup": name, "seed": 0, "scores": {"exact_match": each}}
        record("alone.db", **about)
        record("s.db", groups=passage, **about)
    alone = Study("alone.db").compare("A", "B")
    assert (alone.outcome, outcome(None, "A", "B")) == ("better", "undecided")
    assert "one run of each on 500 examples in 20 groups" in seedwise("compare", "s.db", "A", "B")


def test_g01_one_run_beside_several_stays_undecided():
    right, other = answers_of_two_models()
    record("s.db", setup="A", seed=0, scores={"accuracy": right})
    for seed in range(3):
        record("s.db", setup="B", seed=seed, scores={"accuracy": np.roll(other, seed)})
    found = Study("s.db").compare("A", "B")
    assert (found.outcome, found.of_models) == ("undecided", False)


def runs_of(name, layout="runs/{setup}/seed{seed}", change=None, file=None):
    """A folder with a log of two setups and two seeds, each a copy of a case that is changed."""
    (source,) = CASES.glob(f"{name}*")
    for setup in ("base", "new"):
        for seed in range(2):
            folder = Path(layout.format(setup=setup, seed=seed))
            folder.mkdir(parents=True)
            text = source.read_text(encoding="utf-8")
            for old, new in (change or {}).items():
                assert old in text
                value = float(new) + 0.01 * (setup == "new") + 0.001 * seed
                text = text.replace(old, f"{value:.6g}")
            (folder / (file or source.name)).write_text(text, encoding="utf-8")
    return "runs"


def values(metric, path="s.db"):
    found = Study(path).compare("base", "new", metric=metric).deciding
    return found.values_a, found.values_b


@pytest.mark.parametrize(
    ("name", "change", "metric", "base", "new"),
    [
        ("c10", {"0.61": "0.61"}, "Value", 0.61, 0.62),
        ("c11", {"0.871": "0.871"}, "test_acc", 0.871, 0.881),
        ("c12", {"0.69": "0.69"}, "val_accuracy", 0.69, 0.70),
        ("e02", {"0.8872": "0.8872"}, "eval_accuracy", 0.8872, 0.8972),
        ("e03", {"0.8872": "0.8872"}, "eval_accuracy", 0.8872, 0.8972),
    ],
)
def test_a_log_for_each_run_gives_its_last_value(name, change, metric, base, new):
    folder = runs_of(name, change=change, file="all_results.json" if name == "e02" else None)
    said = seedwise("import", folder, "s.db", "--better", f"{metric}=higher")
    assert "setup: from the path seed: from the path" in said
    found = values(metric)
    right = [[base, base + 0.001], [new, new + 0.001]]
    assert np.round(found, 9).tolist() == np.round(right, 9).tolist()


def test_c10_c11_c12_the_best_value():
    folder = runs_of("c12", change={"0.55": "0.75"})
    seedwise("import", folder, "s.db", "--best", "val_accuracy")
    assert values("val_accuracy") == ((0.75, 0.751), (0.76, 0.761))
    assert values("val_loss")[0] == (1.1, 1.1)  # of the same epoch, not the last one


def test_c11_the_other_columns_have_their_last_value():
    seedwise("import", runs_of("c11"), "s.db")
    assert values("val_loss")[0] == (0.41, 0.41)
    assert values("train_loss_epoch")[0] == (0.4, 0.4)


def test_c14_a_chart_of_groups_has_a_curve_for_each_setup():
    said = seedwise("import", case("c14"), "s.db", code=2)
    assert "no column names the seed" in said
    seedwise("import", case("c14"), "s.db", "--unpaired")
    found = {each.name: each.metrics["val/acc"].mean for each in Study("s.db").summary().setups}
    assert found == {"base": 0.6, "new": 0.63}


def test_a_chart_of_runs_has_a_curve_for_each_run():
    Path("chart.csv").write_text(
        '"Step","adam-seed1 - val/acc","adam-seed1 - val/acc__MIN","sgd-seed1 - val/acc",'
        '"adam-seed2 - val/acc","sgd-seed2 - val/acc"\n'
        '"0","0.5","0.5","0.4","0.52","0.42"\n"1","0.6","0.6","","0.62","0.43"\n'
    )
    said = seedwise("import", "chart.csv", "s.db")
    assert "metrics: columns val/acc" in said
    found = Study("s.db").compare("adam", "sgd").deciding
    assert (found.values_a, found.values_b) == ((0.6, 0.62), (0.4, 0.43))


def test_c16_a_column_for_each_setup():
    said = seedwise("import", case("c16"), "s.db")
    assert "setups: a column for each (baseline, mixup, cutmix)" in said
    assert "not known which: value (--better says it)" in said
    seedwise("import", case("c16"), "t.db", "--wide", "accuracy")
    assert verdict_of("t.db", "baseline", "mixup").startswith("mixup is better than baseline")
    found = Study("t.db").compare("baseline", "mixup").deciding
    assert found.values_b == (0.921, 0.92, 0.925, 0.919)
    assert found.difference.n_a == 4


def verdict_of(study, *words, code=0):
    return seedwise("compare", study, *words, code=code)


def test_a_column_for_each_setup_and_a_row_for_each_dataset():
    """As autorank has it: pairs are the datasets."""
    rows = "data,svm,forest iris,.91,.93 wine,.85,.89 digits,.97,.98 glass,.6,.66"
    said = seedwise("import", table(rows), "s.db", "--wide", "accuracy")
    assert "pairs are what stands in one row (data), and the verdict is for new rows" in said
    found = Study("s.db").compare("svm", "forest")
    assert found.paired
    assert found.deciding.values_b == (0.93, 0.89, 0.98, 0.66)


@pytest.mark.parametrize(
    "text", ["seed,acc,f1 0,.9,.8 1,.91,.81", "seed,accuracy,foo 0,.9,.8 1,.9,.7", "seed,x 0,1"]
)
def test_columns_of_metrics_are_no_setups(text):
    assert "names the setup" in seedwise("import", table(text), "s.db", code=2)


def test_c17_folds_of_scikit_learn_get_the_corrected_test():
    said = seedwise("import", case("c17"), "s.db", "--better", "higher")
    assert "seed: fold of column fold, the same in all setups" in said
    found = Study("s.db").compare("C=1", "C=10", metric="test_score")
    assert found.deciding.values_a == (0.91, 0.92, 0.90)
    assert found.deciding.values_b == (0.93, 0.94, 0.92)
    assert found.test_to_train == 0.5
    said = verdict_of("s.db", "C=1", "C=10")
    assert "3 folds of cross-validation" in said


def test_folds_of_scikit_learn_as_it_writes_them():
    """Columns of `DataFrame(search.cv_results_)`: parameters are masked where not given."""
    head = "mean_fit_time,param_C,param_kernel,params,split0_test_acc,split1_test_acc,"
    head += "split0_train_acc,split1_train_acc,mean_test_acc,rank_test_acc"
    Path("cv.csv").write_text(
        f"{head}\n0.1,1,rbf,\"{{'C': 1, 'kernel': 'rbf'}}\",.8,.9,.95,.96,.85,2\n"
        "0.1,2,rbf,\"{'C': 2, 'kernel': 'rbf'}\",.81,.92,.95,.97,.865,1\n"
    )
    seedwise("import", "cv.csv", "s.db", "--test-ratio", "0.25")
    found = Study("s.db").compare("C=1, kernel=rbf", "C=2, kernel=rbf", metric="test_acc")
    assert found.deciding.values_b == (0.81, 0.92)
    assert found.test_to_train == 0.25
