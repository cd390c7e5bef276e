"""Folders of logs, each log a run: setup and seed from paths and configuration files."""

import json
import os
from pathlib import Path

import pytest

from helpers.commands import seedwise
from seedwise.store import Store


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """An empty folder to work in."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "300")
    return tmp_path


def log(path, *values, head="epoch,val_acc", config=None):
    """A log with an epoch for each value."""
    file = Path(path)
    file.parent.mkdir(parents=True, exist_ok=True)
    rows = [f"{epoch},{value}" for epoch, value in enumerate(values)]
    file.write_text("\n".join([head, *rows]) + "\n")
    if config is not None:
        (file.parent / "config.json").write_text(json.dumps(config))


def stored(path="s.db"):
    with Store.open(path, readonly=True) as store:
        return {(run.setup, str(run.seed)): dict(run.metrics) for run in store.runs()}


def two_setups(name="runs/{setup}/seed{seed}/metrics.csv"):
    """Two setups with two seeds, of which the last epochs are .4 to .7."""
    for place, (setup, seed) in enumerate((s, n) for s in ("adam", "sgd") for n in (3, 4)):
        log(name.format(setup=setup, seed=seed), 0.9, round(0.4 + place / 10, 1))


RIGHT = {
    ("adam", "3"): {"val_acc": 0.4},
    ("adam", "4"): {"val_acc": 0.5},
    ("sgd", "3"): {"val_acc": 0.6},
    ("sgd", "4"): {"val_acc": 0.7},
}


@pytest.mark.parametrize(
    "name",
    [
        "runs/{setup}/seed{seed}/metrics.csv",
        "runs/seed_{seed}/{setup}/version_0/metrics.csv",
        "runs/{setup}_seed{seed}.csv",
        "runs/{setup}-seed-{seed}/2026-01-0{seed}_10-00-00/log.csv",
        "runs/exp/{setup},seed={seed}/progress.csv",
    ],
)
def test_paths_that_say_setup_and_seed_need_no_options(name):
    two_setups(name)
    said = seedwise("import", "runs", "s.db")
    assert "setup: from the path seed: from the path" in said
    assert "rows: the last of each run" in said
    assert stored() == RIGHT


@pytest.mark.parametrize(
    ("name", "layout"),
    [
        ("runs/{setup}/{seed}/metrics.csv", "{setup}/{seed}"),
        ("runs/{setup}/run{seed}/a/b/metrics.csv", "{setup}/run{seed}"),
        ("runs/{setup}/run{seed}/a/metrics.csv", "runs/{setup}/run{seed}"),
        ("runs/x/{setup}.{seed}.csv", "*/{setup}.{seed}.csv"),
        ("runs/x/{setup}_{seed}.csv", "*/{setup}_{seed}"),
        ("runs/x/y/{setup}/z{seed}/m.csv", "**/{setup}/z{seed}"),
    ],
)
def test_a_layout_says_where_setup_and_seed_are(name, layout):
    two_setups(name)
    seedwise("import", "runs", "s.db", "--layout", layout)
    assert stored() == RIGHT


def test_files_that_are_named_are_laid_out_as_they_are_written():
    two_setups()
    files = sorted(Path("runs").glob("*/*/*.csv"))
    seedwise("import", *files, "s.db", "--layout", "runs/{setup}/seed{seed}")
    seedwise("import", *files, "t.db")
    assert stored() == stored("t.db") == RIGHT


def test_a_layout_that_does_not_fit_shows_a_path_and_how_many():
    two_setups()
    said = seedwise("import", "runs", "s.db", "--layout", "{setup}/run{seed}", code=2)
    assert "'{setup}/run{seed}' does not fit adam/seed3/metrics.csv (4 of 4 logs)" in said
    log("runs/notes/x.csv", 1, 2)
    said = seedwise("import", "runs", "s.db", "--layout", "{setup}/seed{seed}", code=2)
    assert "does not fit notes/x.csv (1 of 5 logs)" in said
    assert not Path("s.db").exists()


@pytest.mark.parametrize(
    ("layout", "message"),
    [
        ("seed", "a pattern of paths"),
        ("", "a pattern of paths"),
        ("{setup", "a pattern of paths"),
        ("{setup}/{seed", "a brace is left over"),
        ("{setup}{seed}", "there must be some text"),
        ("{a b}", "is a word"),
        ("{setup}/{setup}", "stands there once"),
    ],
)
def test_a_layout_that_is_none_is_refused(layout, message):
    two_setups()
    assert message in seedwise("import", "runs", "s.db", "--layout", layout, code=2)


def test_a_layout_that_names_files_leaves_others_alone():
    two_setups()
    for file in list(Path("runs").glob("*/*/metrics.csv")):
        file.with_name("predictions.csv").write_text("epoch,val_acc\n0,0.1\n")
    said = seedwise("import", "runs", "s.db", code=2)
    assert "occurs several times, in adam/seed3/metrics.csv" in said
    assert "predictions.csv" in said
    seedwise("import", "runs", "s.db", "--layout", "{setup}/seed{seed}/metrics.csv")
    assert stored() == RIGHT


def test_any_name_in_a_layout_is_a_column():
    for task in ("easy", "hard"):
        two_setups(f"runs/{task}/{{setup}}/s{{seed}}.csv")
    flags = ("--layout", "{data}/{setup}/s{seed}", "--task", "data")
    seedwise("import", "runs", "s.db", *flags)
    assert stored()["sgd", "4"] == {"easy/val_acc": 0.7, "hard/val_acc": 0.7}


def test_setup_and_seed_from_configuration_files():
    for place in range(8):
        opt = ("adam", "sgd")[place % 2]
        config = {"seed": place // 2, "optimizer": {"name": opt}, "lr": 0.1, "epochs": 5}
        log(f"runs/x{place}/logs/m.csv", 0.1 * place, 0.01 * place, config=config)
        Path(f"runs/x{place}/logs/config.json").rename(f"runs/x{place}/config.json")
    said = seedwise("import", "runs", "s.db")
    assert "setup: column config.optimizer.name seed: column config.seed" in said
    assert stored()["sgd", "2"] == {"val_acc": 0.05}
    seedwise("import", "runs", "t.db", "--setup", "config.optimizer.name")
    assert stored("t.db") == stored()


def test_several_settings_that_vary_are_asked_about():
    for place in range(8):
        config = {"seed": place // 4, "opt": "ab"[place % 2], "lr": (1, 2)[place // 2 % 2]}
        log(f"runs/x{place}/m.csv", 0.1 * place, config=config)
    said = seedwise("import", "runs", "s.db", code=2)
    assert "give --setup COLUMN for one of the settings that vary: config.opt, config.lr" in said


def test_yaml_beside_a_log_makes_nothing():
    for setup in "ab":
        for seed in range(2):
            log(f"runs/{setup}{seed}/m.csv", 0.1 + seed)
            Path(f"runs/{setup}{seed}/hparams.yaml").write_text(
                f"arch: {setup}\nseed: {seed}\n"
                "x: !!python/object/apply:os.system ['touch made']\n"
                "n: !!python/object:argparse.Namespace\n  lr: 0.1\n"
            )
    assert "column config.arch" in seedwise("import", "runs", "s.db")
    assert not Path("made").exists()


@pytest.mark.parametrize(
    "text", ["[" * 60_000, "- " * 60_000, "{a: " * 60_000, "a: &a {b: *a}", "\t- x", "a: " * 9]
)
def test_yaml_that_is_none_says_nothing(text):
    two_setups()
    Path("runs/adam/seed3/hparams.yaml").write_text(text)
    seedwise("import", "runs", "s.db")
    assert stored() == RIGHT


def test_what_would_be_stored_is_shown_and_nothing_is():
    two_setups()
    said = seedwise("import", "runs", "s.db", "--show")
    assert "setup seed val_acc adam 3 0.4 adam 4 0.5 sgd 3 0.6 sgd 4 0.7" in said
    assert "4 runs of 2 setups would be stored" in said
    assert [path.name for path in Path().iterdir()] == ["runs"]
    seedwise("import", "runs/adam", "s.db", "--layout", "runs/{setup}/seed{seed}")
    before = Path("s.db").read_bytes()
    said = seedwise("import", "runs", "s.db", "--show")
    assert "2 runs of 2 setups would be stored, 2 were already stored" in said
    assert Path("s.db").read_bytes() == before


def test_the_best_epoch_and_a_step():
    two_setups()
    seedwise("import", "runs", "s.db", "--best", "val_acc")
    assert stored()["adam", "3"] == {"val_acc": 0.9}
    seedwise("import", "runs", "t.db", "--step", "0")
    assert stored("t.db")["sgd", "4"] == {"val_acc": 0.9}
    said = seedwise("import", "runs", "u.db", "--step", "2", code=2)
    assert "adam/seed3/metrics.csv ends before 2" in said
    said = seedwise("import", "runs", "u.db", "--step", "2", "--last", code=2)
    assert "one of --last and --step N" in said


def test_runs_that_end_early_are_said_or_left_out():
    two_setups()
    log("runs/sgd/seed4/metrics.csv", 0.2)
    said = seedwise("import", "runs", "s.db")
    assert "runs end at epoch 0 to 1; the first to end is sgd with seed 4" in said
    assert "--skip-incomplete" in said
    said = seedwise("import", "runs", "t.db", "--skip-incomplete")
    assert "sgd with seed 4 ends at epoch 0 of 1; if that is because" in said
    assert ("sgd", "4") not in stored("t.db")
    log("runs/adam/seed3/metrics.csv", "", "")
    log("runs/adam/seed3/test.csv", 0.3, 0.4, head="epoch,test_acc")
    said = seedwise("import", "runs", "u.db", "--skip-incomplete")
    assert "adam with seed 3 has no val_acc" in said


def test_a_run_that_is_there_twice_is_refused_or_chosen():
    two_setups("runs/{setup}/seed{seed}/version_9/metrics.csv")
    log("runs/adam/seed3/version_10/metrics.csv", 0.1, 0.2)
    said = seedwise("import", "runs", "s.db", code=2)
    assert "'adam' with seed 3 occurs several times" in said
    assert "version_9/metrics.csv" in said
    assert "--duplicates last (or first)" in said
    seedwise("import", "runs", "s.db", "--duplicates", "last")
    seedwise("import", "runs", "t.db", "--duplicates", "first")
    assert stored()["adam", "3"] == {"val_acc": 0.2}
    assert stored("t.db") == RIGHT
    Path("x.csv").write_text("setup,seed,f1\na,0,.1\na,0,.2\nb,0,.3\n")
    seedwise("import", "x.csv", "u.db", "--duplicates", "first")
    assert stored("u.db")["a", "0"] == {"f1": 0.1}


def test_several_logs_of_a_run_with_metrics_of_their_own_are_one_run():
    two_setups()
    for file in list(Path("runs").glob("*/*/metrics.csv")):
        log(file.with_name("test.csv"), 0.25, head="epoch,test_acc")
    seedwise("import", "runs", "s.db")
    assert stored()["adam", "3"] == {"val_acc": 0.4, "test_acc": 0.25}


def test_logs_in_folders_of_their_own_are_never_one_run():
    two_setups("a/{setup}/seed{seed}/m.csv")
    log("b/adam/seed3/x.csv", 0.1, head="epoch,f1")
    assert "5 runs of 3 setups" in seedwise("import", "a", "b", "s.db")
    assert stored()["b/adam", "3"] == {"f1": 0.1}
    for place, head in enumerate(("epoch,f1", "epoch,val_acc", "epoch,f1")):
        log(f"c/x{place}/m.csv", 0.1, head=head, config={"seed": 1, "setup": "ab"[place // 2]})
    said = seedwise("import", "c", "t.db", code=2)
    assert "'a' with seed 1 occurs several times, in x0/m.csv, line 2 and in x1/m.csv" in said


def test_what_is_named_twice_is_read_once():
    two_setups()
    files = [*Path("runs").glob("*/*/*.csv")]
    flags = ("--layout", "runs/{setup}/seed{seed}")
    seedwise("import", *files, "runs", "runs/adam", Path("runs").resolve(), "s.db", *flags)
    assert stored() == RIGHT


def test_a_table_for_each_setup_is_called_as_the_setup():
    for setup, values in {"adam": (0.4, 0.5), "sgd": (0.6, 0.7)}.items():
        write = "seed,val_acc\n" + "".join(
            f"{n},{v}\n" for n, v in zip((3, 4), values, strict=True)
        )
        Path("runs").mkdir(exist_ok=True)
        Path(f"runs/{setup}.csv").write_text(write)
    said = seedwise("import", "runs", "s.db")
    assert "setup: from the path seed: column seed" in said
    assert stored() == RIGHT


def test_numbers_that_loggers_give_are_no_setups():
    two_setups("runs/{setup}/seed{seed}/run_0/m.csv")
    log("runs/adam/seed3/run_1/m.csv", 0.4)
    assert "'adam' with seed 3 occurs several times" in seedwise("import", "runs", "s.db", code=2)


def test_the_best_by_a_metric_that_is_not_there():
    two_setups()
    said = seedwise("import", "runs", "s.db", "--best", "val_accc", code=2)
    assert "unknown metric 'val_accc'; did you mean 'val_acc'" in said


def test_the_next_command_is_said():
    two_setups()
    assert seedwise("import", "runs", "s.db").endswith("next: seedwise compare s.db adam sgd")
    for file in list(Path("runs").glob("*/*/metrics.csv")):
        text = "epoch,loss,val_acc\n0,1,0.5\n1,0.9,0.{}\n"
        file.write_text(text.format(file.parent.name[-1]))
    said = seedwise("import", "runs", "t.db")
    assert said.endswith("next: seedwise compare t.db adam sgd --metric val_acc (or loss)")


def test_a_table_by_another_name_is_read():
    two_setups("runs/{setup}_seed{seed}/training.log")
    Path("runs/adam_seed3/stdout.log").write_text("epoch 1, loss 2\nsaved\n")
    seedwise("import", "runs", "s.db")
    assert stored() == RIGHT


def test_sparse_rows_give_the_last_value_of_each_metric():
    """As Lightning writes them."""
    for setup in "ab":
        for seed in range(2):
            file = Path(f"runs/{setup}/seed{seed}/version_0/metrics.csv")
            file.parent.mkdir(parents=True)
            file.write_text(
                "epoch,step,test_acc,train_loss_step,val_loss\n"
                f"0,49,,0.61,\n0,99,,,0.4{seed}\n1,199,,0.4,\n1,199,,,0.5{seed}\n2,200,0.9{seed},,\n"
            )
    seedwise("import", "runs", "s.db")
    assert stored()["b", "1"] == {"test_acc": 0.91, "train_loss_step": 0.4, "val_loss": 0.51}
    seedwise("import", "runs", "t.db", "--best", "val_loss")
    assert stored("t.db")["b", "1"] == {
        "test_acc": 0.91,
        "train_loss_step": 0.61,
        "val_loss": 0.41,
    }


def test_the_accuracy_of_training_never_decides():
    """Keras calls it accuracy, and that of validation val_accuracy."""
    for setup in "ab":
        for seed in range(2):
            file = Path(f"runs/{setup}_seed{seed}.csv")
            file.parent.mkdir(exist_ok=True)
            file.write_text(f"epoch,accuracy,loss,val_accuracy\n0,0.5,1,0.4\n1,0.9,.9,0.6{seed}\n")
    said = seedwise("import", "runs", "s.db")
    assert "accuracy as train_accuracy" in said
    assert "choose one" in seedwise("compare", "s.db", "a", "b", code=2)


def test_a_log_that_cannot_be_read_is_left_out_and_said():
    two_setups()
    Path("runs/adam/seed3/metrics.csv").write_bytes(b"")
    Path("runs/adam/seed4/metrics.csv").write_bytes(b"\xfe\xfd" * 90)
    said = seedwise("import", "runs", "s.db", "--layout", "{setup}/seed{seed}")
    assert "seed3/metrics.csv has no rows" in said
    assert "seed4/metrics.csv is not a CSV file: it is not UTF-8" in said
    assert len(stored()) == 2


def test_folders_that_lead_to_themselves_end():
    two_setups()
    Path("runs/adam/again").symlink_to(Path("runs").resolve())
    Path("runs/broken.csv").symlink_to("nowhere")
    os.mkfifo("runs/pipe.csv")
    seedwise("import", "runs", "s.db")
    assert stored() == RIGHT


def test_a_folder_without_logs_is_said():
    Path("runs/x").mkdir(parents=True)
    Path("runs/x/config.json").write_text("{}")
    assert "runs holds no log of a known format" in seedwise("import", "runs", "s.db", code=2)
    assert "cannot be read" in seedwise("import", "nothing", "s.db", code=2)
    assert "unknown format 'cvs'" in seedwise("import", "runs", "s.db", "--format", "cvs", code=2)


def test_too_many_files_are_refused_by_their_count(monkeypatch):
    from seedwise.importers import finding

    two_setups()
    monkeypatch.setattr(finding, "_MOST_ENTRIES", 5)
    assert "more than 5 files and folders" in seedwise("import", "runs", "s.db", code=2)
