"""CSV files as people and their tools write them."""

import pytest

from helpers import trainings
from seedwise.errors import ConfigError, DataError, StudyError, UnknownName
from seedwise.importers.mapped import Mapped
from seedwise.store import Store
from seedwise.study import Study
from seedwise.study.importing import import_runs

WIDE = """setup,seed,val_acc,loss,lr
sgd,0,0.91,0.30,0.1
sgd,1,0.92,0.29,0.1
adam,0,0.93,0.28,0.01
adam,1,0.94,,0.01
"""

# Columns and quoting as in W&B's "Export CSV" of a table of runs.
WANDB = """"Name","Agent","State","Notes","User","Tags","Created","Runtime","Sweep","batch_size",\
"lr","method","seed","epoch","train_loss","val/acc"
"young-sun-1","","finished","-","me","","2025-11-13T09:48:11.000Z","9910","","8",\
"0.1","sgd","1","10","0.12","0.91"
"old-sun-2","","finished","-","me","","2025-11-13T09:48:11.000Z","9911","","8",\
"0.1","sgd","2","10","0.13","0.92"
"mid-sun-3","","crashed","-","me","","2025-11-13T09:48:11.000Z","100","","8",\
"0.1","sgd","3","1","0.9","0.1"
"red-sun-4","","finished","-","me","","2025-11-13T09:48:11.000Z","9912","","8",\
"0.01","adam","1","10","NaN","0.93"
"blue-sun-5","","finished","-","me","","2025-11-13T09:48:11.000Z","9913","","8",\
"0.01","adam","2","10","0.10","0.94"
"""

# As MLflow's page downloads it.
MLFLOW = """Start Time,Duration,Run ID,Name,Source Type,Source Name,User,Status,seed,optimizer,acc
2025-01-01 10:00:00,3.2s,a1,sgd,LOCAL,t.py,me,FINISHED,1,sgd,0.91
2025-01-01 10:00:00,3.2s,a2,sgd,LOCAL,t.py,me,FINISHED,2,sgd,0.92
2025-01-01 10:00:00,3.2s,a3,adam,LOCAL,t.py,me,FINISHED,1,adam,0.93
2025-01-01 10:00:00,3.2s,a4,adam,LOCAL,t.py,me,FAILED,2,adam,
"""

# As `mlflow experiments csv` writes it.
MLFLOW_CSV = """run_id,experiment_id,status,artifact_uri,start_time,end_time,metrics.acc,\
metrics.loss,params.lr,params.seed,tags.mlflow.runName
a1,1,FINISHED,file:///x,2025-01-01,2025-01-01,0.91,0.3,0.1,1.0,sgd
a2,1,FINISHED,file:///x,2025-01-01,2025-01-01,0.92,0.2,0.1,2.0,sgd
a3,1,FINISHED,file:///x,2025-01-01,2025-01-01,0.93,0.1,0.2,1.0,adam
"""


@pytest.fixture
def load(tmp_path):
    """Import a text; gives what was said and the runs that the study has then."""

    def load(text, **mapped):
        file = tmp_path / "runs.csv"
        file.write_text(text)
        said = import_runs(file, tmp_path / "study.db", Mapped(**mapped))
        return said, stored(tmp_path)

    return load


def stored(folder):
    with Store.open(folder / "study.db", readonly=True) as store:
        return {(run.setup, str(run.seed)): run for run in store.runs()}


def metrics(runs):
    return {key: dict(run.metrics) for key, run in runs.items() if run.state != "failed"}


def test_a_wide_file_has_a_row_for_each_run(load):
    said, runs = load(WIDE)
    assert metrics(runs) == {
        ("sgd", "0"): {"val_acc": 0.91, "loss": 0.3},
        ("sgd", "1"): {"val_acc": 0.92, "loss": 0.29},
        ("adam", "0"): {"val_acc": 0.93, "loss": 0.28},
        ("adam", "1"): {"val_acc": 0.94},
    }
    assert said.taken == (
        "setup: column setup",
        "seed: column seed",
        "metrics: columns val_acc, loss",
    )
    assert said.left_out == ("columns of numbers: lr",)
    assert (said.setups, said.stored) == (("sgd", "adam"), 4)


@pytest.mark.parametrize("name", ["model", "Method", "algo", "variant"])
def test_a_likely_column_names_the_setup_where_no_other_may(load, name):
    said, _ = load(WIDE.replace("setup", name))
    assert said.setups == ("sgd", "adam")
    assert said.taken[0] == f"setup: column {name}"


def test_of_two_likely_columns_none_is_taken(load):
    text = "model,method,seed,acc\n" + "".join(
        f"{model},{method},{seed},0.{seed + 5}\n"
        for model in ("small", "large")
        for method in ("old", "new")
        for seed in range(3)
    )
    with pytest.raises(ConfigError, match="no column names the setup"):
        load(text)


def test_seeds_may_stand_behind_a_word(load):
    _, runs = load("setup,seed,acc\na,seed 0,0.9\na,run_1,0.8\nb,s0,0.7\nb,Seed-1,0.6\n")
    assert set(runs) == {("a", "0"), ("a", "1"), ("b", "0"), ("b", "1")}


def test_a_long_file_has_a_row_for_each_value(load):
    text = "Setup;Seed;Metric;Value\na;0;acc;0.9\na;0;f1;0.8\na;1/1/2;acc;0.7\nb;0;acc;0.6\n"
    said, runs = load(text)
    assert metrics(runs) == {
        ("a", "0"): {"acc": 0.9, "f1": 0.8},
        ("a", "1/1/2"): {"acc": 0.7},
        ("b", "0"): {"acc": 0.6},
    }
    assert said.taken[2] == "metrics: named in column Metric, values in Value"


def test_an_export_of_wandb_is_read_as_it_is(load):
    said, runs = load(WANDB, setup="method", metrics={"val/acc": "accuracy"})
    assert metrics(runs) == {
        ("sgd", "1"): {"accuracy": 0.91},
        ("sgd", "2"): {"accuracy": 0.92},
        ("adam", "1"): {"accuracy": 0.93},
        ("adam", "2"): {"accuracy": 0.94},
    }
    assert runs["sgd", "1"].seconds == 9910
    assert said.left_out[0] == "1 whose State is crashed"
    assert runs["sgd", "3"].error.endswith("its State is crashed")


HOLES = "setup,seed,acc\n" + "".join(
    f"{setup},{seed},{'OOM' if setup + str(seed) in ('b1', 'b4') else f'0.8{digit}'}\n"
    for setup, digits in (("a", "293847"), ("b", "516209"))
    for seed, digit in enumerate(digits)
)


def test_runs_without_a_result_are_failed_and_the_first_thing_that_compare_says(load, tmp_path):
    said, runs = load(HOLES)
    assert said.stored == 10
    failed = {key for key, run in runs.items() if run.state == "failed"}
    assert failed == {("b", "1"), ("b", "4")}
    again, runs = load(HOLES)  # neither results nor failures count twice
    assert (again.stored, len(runs)) == (0, 12)
    words = Study(tmp_path / "study.db").compare("a", "b").view
    assert "2 of 6 runs of b failed" in words.cautions[0]
    assert "biased" in words.cautions[0]
    _, runs = load(HOLES.replace("OOM", "0.9"))  # tried again, with success
    assert all(run.state == "finished" for run in runs.values())


def test_metrics_are_guessed_as_the_numbers_that_vary_within_a_setup(load):
    said, runs = load(WANDB, setup="method")
    assert said.taken[2] == "metrics: columns train_loss, val/acc"
    assert said.left_out[1] == "columns of numbers: batch_size, lr, epoch"
    assert runs["adam", "1"].state == "finished"  # its val/acc is as good as any
    assert runs["adam", "1"].not_finite == ("train_loss",)


def test_both_exports_of_mlflow_are_read_as_they_are(load, tmp_path):
    _, runs = load(MLFLOW)
    assert metrics(runs) == {
        ("sgd", "1"): {"acc": 0.91},
        ("sgd", "2"): {"acc": 0.92},
        ("adam", "1"): {"acc": 0.93},
    }
    (tmp_path / "study.db").unlink()
    said, runs = load(MLFLOW_CSV)
    assert metrics(runs)["sgd", "2"] == {"acc": 0.92, "loss": 0.2}
    assert said.taken[:2] == ("setup: column tags.mlflow.runName", "seed: column params.seed")


def test_our_own_export_comes_back(tmp_path, load):
    from click.testing import CliRunner

    from seedwise.cli import cli

    old = tmp_path / "old.db"
    Study(old).run({"a": trainings.diverges, "b": trainings.plain}, seeds=[0, (1, 2, 3)])
    text = CliRunner().invoke(cli, ["export", str(old)]).output
    said, runs = load(text)
    assert said.taken[1] == "seed: column init, order, augment"
    assert runs["a", "0"].metrics == {"loss": 1.0}
    assert runs["a", "1/2/3"].state == "diverged"
    was, now = (Study(path).summary().setups[1] for path in (old, tmp_path / "study.db"))
    assert now.metrics["accuracy"] == was.metrics["accuracy"]


def test_importing_a_longer_export_over_a_shorter_adds_what_is_new(load):
    load("\n".join(WIDE.splitlines()[:3]), metrics={"val_acc": "val_acc", "loss": "loss"})
    said, runs = load(WIDE)
    assert (said.stored, said.known, len(runs)) == (2, 2, 4)


def test_other_figures_for_a_stored_run_are_refused_and_nothing_is_stored(load, tmp_path):
    load(WIDE)
    with pytest.raises(StudyError, match=r"other results for setup 'sgd' with seed 1 than line 3"):
        load(WIDE.replace("0.29", "0.28") + "new,0,0.5,0.5,0.5\n")
    assert len(stored(tmp_path)) == 4


def test_runs_that_are_numbered_share_no_seed(load, tmp_path):
    text = "name,acc\na,0.9\nb,0.8\na,0.7\n"
    load(text, unpaired=True)
    _, runs = load(text.replace("0.", "0.1"), unpaired=True)
    assert sorted(runs) == [*(("a", seed) for seed in "0235"), ("b", "1"), ("b", "4")]
    assert Study(tmp_path / "study.db").compare("a", "b", metric="acc").paired is False


def test_a_file_of_a_spreadsheet_is_read(load, tmp_path):
    """A byte order mark, semicolons, spaces, blank lines, an index without a name."""
    (tmp_path / "x.csv").write_bytes(
        "\ufeff;setup ;seed;acc\r\n0;a;1.0; 0.5\r\n\r\n1;b;1.0;0.6\r\n".encode()
    )
    said = import_runs(tmp_path / "x.csv", tmp_path / "study.db")
    assert said.taken[2] == "metrics: columns acc"
    assert metrics(stored(tmp_path)) == {("a", "1"): {"acc": 0.5}, ("b", "1"): {"acc": 0.6}}


@pytest.mark.parametrize(
    ("text", "mapped", "error", "message"),
    [
        ("", {}, DataError, "has no rows"),
        ("setup,seed,acc\n", {}, DataError, "has no rows"),
        (WIDE, {"setup": "stup"}, UnknownName, "unknown column 'stup'; did you mean 'setup'"),
        (WIDE, {"metrics": {"acc": "acc"}}, UnknownName, "did you mean 'val_acc'"),
        (WANDB.replace("method", "kind"), {}, ConfigError, "perhaps --setup kind; it has batch"),
        (
            "my method,seed,acc\na,0,1\na,1,2\nb,0,1\nb,1,3\n",
            {},
            ConfigError,
            "give --setup COLUMN, perhaps --setup 'my method'; it has",
        ),
        ("setup,acc\na,1\n", {}, ConfigError, "--seed COLUMN, or --unpaired"),
        ("setup,seed,note\na,1,x\n", {}, ConfigError, "give --metric COLUMN"),
        ("setup,seed,acc\na,1\n", {}, DataError, "line 2: 2 cells, but there are 3 columns"),
        ("setup,seed,acc\na,x,1\n", {}, DataError, "line 2: a seed is written 3 or 3/3/4"),
        ("setup,seed,acc\na,1.5,1\n", {}, DataError, "line 2: a seed is written"),
        ("setup,seed,acc\na,-1,1\n", {}, DataError, "line 2: a seed must be an integer from 0"),
        ("setup,seed,acc\n,1,1\n", {}, DataError, "line 2: the column setup is empty"),
        ("setup,seed,acc\na,1,1\na,1,2\n", {}, DataError, "line 3: .* is in line 2 already"),
        ("setup,seed,accuracy\na,1,930\n", {}, DataError, "line 2: accuracy must be a fraction"),
        ("setup,seed,seed,acc\na,1,2,1\n", {}, ConfigError, "two columns named 'seed'"),
        (
            "setup,seed,state,acc\na,1,running,1\n",
            {},
            DataError,
            "no finished run; its state",
        ),
        (
            "setup,seed,acc\na,1,x\n",
            {"metrics": {"acc": "acc"}},
            DataError,
            r"no run has a metric: acc is missing in line 2 \('x'\)",
        ),
        (
            "setup,seed,metric,value\na,1,acc,1\na,1,acc,2\n",
            {},
            DataError,
            "line 3: 'a' with seed 1 has acc twice",
        ),
        (
            "setup,seed,metric,value\na,1,acc,1\n",
            {"metrics": {"value": "acc"}},
            ConfigError,
            "leave --metric out",
        ),
        ('"Step","run-1 - acc","run-1 - acc__MIN"\n1,2,3\n', {}, ConfigError, "names the setup"),
        ('setup,seed,acc\n"a,1,2\n', {}, DataError, "is not a CSV file"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_line(
    load, tmp_path, text, mapped, error, message
):
    with pytest.raises(error, match=message) as caught:
        load(text, **mapped)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "study.db").exists() or stored(tmp_path) == {}


def test_a_setup_that_the_study_trains_is_not_imported_into(tmp_path, load):
    Study(tmp_path / "study.db").run({"sgd": trainings.plain}, seeds=1)
    with pytest.raises(StudyError, match="give the new one another name"):
        load(WIDE.replace("sgd,0", "sgd,7"))
    assert list(stored(tmp_path)) == [("sgd", "0")]


def test_other_files_than_text_are_refused(tmp_path):
    (tmp_path / "x.csv").write_bytes(bytes(range(128, 256)))
    with pytest.raises(DataError, match="not UTF-8"):
        import_runs(tmp_path / "x.csv", tmp_path / "study.db")
    with pytest.raises(DataError, match="cannot be read"):
        import_runs(tmp_path / "none.csv", tmp_path / "study.db")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigError, match="no log of a known format"):
        import_runs(tmp_path / "empty", tmp_path / "study.db")


@pytest.mark.parametrize("seed", ["9" * 5_000, "1e3", "-1", "0/1", str(2**63)])
def test_a_seed_that_is_none_is_told_with_its_line(load, seed):
    with pytest.raises(DataError, match=r"runs\.csv, line 2: ") as caught:
        load(f"setup,seed,f1\na,{seed},0.5\n")
    assert "\n" not in str(caught.value)


def test_a_name_that_commands_terminals_is_refused(load):
    with pytest.raises(DataError, match="line 2: a setup needs a printable name"):
        load("setup,seed,f1\na\x1b[2J,0,0.5\n")
