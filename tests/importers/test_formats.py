"""Formats that need no library: as programs write them, as people change them, and broken."""

import json
from pathlib import Path

import pytest

from helpers.commands import seedwise
from helpers.effort import effort
from seedwise.errors import DataError
from seedwise.importers.logs import Candidate
from seedwise.importers.records import mapping_in
from seedwise.importers.registry import importer_of
from seedwise.store import Store

RUNS = [(setup, seed) for setup in ("base", "new") for seed in (0, 1)]


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """An empty folder to work in."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "300")
    return tmp_path


def write(name, content):
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def stored(path="s.db"):
    with Store.open(path, readonly=True) as store:
        return {(run.setup, run.seed.init): dict(run.metrics) for run in store.runs()}


def acc(setup, seed):
    return 0.8 + 0.1 * (setup == "new") + 0.01 * seed


def right(metric):
    return {run: {metric: acc(*run)} for run in RUNS}


def read(name, content):
    """The only log of a file."""
    path = Path(name)
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        write(name, content)
    candidate = Candidate(text=name)
    (log,) = importer_of(candidate).read(candidate)
    return log


@pytest.mark.parametrize(
    "value",
    [
        [{"setup": s, "seed": n, "acc": acc(s, n)} for s, n in RUNS],
        {"version": 3, "runs": [{"setup": s, "seed": n, "acc": acc(s, n)} for s, n in RUNS]},
        {
            "setup": [s for s, _ in RUNS],
            "seed": [n for _, n in RUNS],
            "acc": [acc(*run) for run in RUNS],
            "step": [1, 1, 1, 1],
        },
        {
            name: {str(i): each[name] for i, each in enumerate(rows)}
            for rows in [[{"setup": s, "seed": n, "acc": acc(s, n)} for s, n in RUNS]]
            for name in ("setup", "seed", "acc")
        },
        {"columns": ["setup", "seed", "acc"], "data": [[s, n, acc(s, n)] for s, n in RUNS]},
    ],
    ids=["list", "list in a record", "columns", "pandas", "pandas split"],
)
def test_a_table_in_json(value):
    write("x.json", value)
    seedwise("import", "x.json", "s.db")
    assert stored() == right("acc")


def test_lines_of_nested_records():
    lines = [
        json.dumps({"config": {"opt": s, "seed": n}, "eval": {"acc": acc(s, n), "n": [1, 2]}})
        for s, n in RUNS
    ]
    write("x.jsonl", "\n\n".join(lines) + "\n")
    seedwise("import", "x.jsonl", "s.db", "--setup", "config.opt")
    assert stored() == right("eval.acc")


@pytest.mark.parametrize("name", ["history.json", "log.jsonl", "metrics.json"])
def test_a_history_for_each_run(name):
    for s, n in RUNS:
        epochs = [0.1, 0.95, acc(s, n)]
        record = {"val_acc": epochs}
        lines = "\n".join(json.dumps({"epoch": i, "val_acc": v}) for i, v in enumerate(epochs))
        write(f"r/{s}/seed{n}/{name}", record if name == "history.json" else lines)
    seedwise("import", "r", "s.db")
    assert stored() == right("val_acc")
    seedwise("import", "r", "t.db", "--best", "val_acc")
    assert stored("t.db")["base", 0] == {"val_acc": 0.95}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[" * 100_000, "nested too deeply"),
        ('{"a":' * 60_000 + "1" + "}" * 60_000, "nested too deeply"),
        ('{"setup": "a", "seed": 1, "acc": 1, "acc": 2}', "has the name 'acc' twice"),
        ('{"acc": ' + "9" * 5_000 + "}", "a number that is too long"),
        ("[1, 2]", "holds no records"),
        ('"text"', "holds no records"),
        ("", "is not JSON"),
        ('{"acc": 0.5', "is not JSON"),
        ('[{"acc": 1}, 3]', "holds no records"),
        ('{"a": ' * 30 + "1" + "}" * 30, "nested more than"),
        (json.dumps({f"k{i}": i for i in range(5_000)}), "more than 4,000 values"),
        ("\ud800", "UTF-8"),
    ],
)
def test_broken_json_is_one_line(text, message):
    Path("x.json").write_bytes(text.encode("utf-8", "surrogatepass"))
    with pytest.raises(DataError, match=message) as caught, effort() as taken:
        read("x.json", Path("x.json").read_bytes())
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300
    assert taken.units < 200
    assert "x.json" in seedwise("import", "x.json", "s.db", code=2)


def test_not_a_number_in_json_is_a_result():
    write("x.json", '[{"setup":"a","seed":0,"f1":NaN},{"setup":"a","seed":1,"f1":-Infinity}]')
    seedwise("import", "x.json", "s.db")
    with Store.open("s.db", readonly=True) as store:
        assert [run.not_finite for run in store.runs()] == [("f1",), ("f1",)]


def state(*accuracies):
    history = [
        {"epoch": e, "eval_accuracy": a, "eval_runtime": 2.5, "step": 100 * (e + 1)}
        for e, a in enumerate(accuracies)
    ]
    history.insert(
        1, {"epoch": 0.5, "grad_norm": 3.1, "learning_rate": 5e-5, "loss": 0.6, "step": 50}
    )
    end = {
        "epoch": 3.0,
        "step": 300,
        "total_flos": 1e15,
        "train_loss": 0.31,
        "train_runtime": 77.5,
    }
    return {"best_metric": 0.9, "log_history": [*history, end], "global_step": 300}


def test_runs_of_the_trainer_of_hugging_face():
    for s, n in RUNS:
        top = f"out/{s}/seed-{n}"
        write(f"{top}/checkpoint-90/trainer_state.json", state(0.1))
        write(f"{top}/checkpoint-1000/trainer_state.json", state(0.2, 0.95, acc(s, n)))
        write(f"{top}/checkpoint-1000/config.json", {"seed": 9})
        write(f"{top}/config.json", {"model_type": "bert"})
    seedwise("import", "out", "s.db")
    assert stored() == {
        run: {"eval_accuracy": acc(*run), "loss": 0.6, "train_loss": 0.31} for run in RUNS
    }
    with Store.open("s.db", readonly=True) as store:
        assert store.runs()[0].seconds == 77.5
    for s, n in RUNS:
        results = {"eval_accuracy": 0.5, "eval_samples_per_second": 9.0, "epoch": 3.0}
        write(f"out/{s}/seed-{n}/all_results.json", results)
        write(f"out/{s}/seed-{n}/eval_results.json", results)
    seedwise("import", "out", "t.db", "--metric", "eval_accuracy")
    assert stored("t.db")["new", 1] == {"eval_accuracy": 0.5}
    seedwise("import", "out", "u.db", "--metric", "eval_accuracy", "--best", "eval_accuracy")
    assert stored("u.db")["new", 1] == {"eval_accuracy": 0.95}


@pytest.mark.parametrize(
    "value", [{"global_step": 3}, [1], {"log_history": 3}, {"log_history": [1]}]
)
def test_a_state_that_is_none_is_refused(value):
    write("trainer_state.json", value)
    assert "trainer_state.json" in seedwise("import", "trainer_state.json", "s.db", code=2)


@pytest.mark.parametrize("kind", ["result.json", "progress.csv"])
def test_trials_of_ray_tune(kind):
    for number, (s, n) in enumerate(RUNS):
        top = f"exp/train_ab12_0000{number}_{number}_opt={s},seed={n}_2026-01-01_10-0{number}-00"
        write(f"{top}/params.json", {"opt": s, "seed": n, "layers": [1, 2]})
        rows = [
            {
                **{"mean_accuracy": a, "training_iteration": i, "time_total_s": 3.5 * i, "pid": 9},
                **{"config": {"opt": s, "seed": n}, "trial_id": f"ab12_{number}", "done": False},
            }
            for i, a in enumerate((0.2, acc(s, n)), 1)
        ]
        if kind == "result.json":
            write(f"{top}/result.json", "".join(json.dumps(row) + "\n" for row in rows))
        head = "mean_accuracy,training_iteration,time_total_s,pid,config/opt,config/seed"
        lines = [f"{r['mean_accuracy']},{i},{3.5 * i},9,{s},{n}" for i, r in enumerate(rows, 1)]
        write(f"{top}/progress.csv", "\n".join([head, *lines]) + "\n")
    said = seedwise("import", "exp", "s.db")
    assert "setup: column config.opt seed: column config.seed" in said
    assert stored() == right("mean_accuracy")
    with Store.open("s.db", readonly=True) as store:
        assert {run.seconds for run in store.runs()} == {7.0}


def test_monitors_of_stable_baselines():
    """The mean of the last 100 episodes, over both environments of a run."""
    for s, n in RUNS:
        for env in range(2):
            head = '#{"t_start": 1.5, "env_id": "CartPole-v1"}\nr,l,t\n'
            rows = [f"{100 * acc(s, n) + (-1) ** env},10,{i + env / 2}" for i in range(60)]
            write(f"logs/{s}/seed{n}/{env}.monitor.csv", head + "9999,1,-1\n" + "\n".join(rows))
    said = seedwise("import", "logs", "s.db")
    assert "higher is better: ep_rew_mean" in said
    found = {run: each["ep_rew_mean"] for run, each in stored().items()}
    assert found == pytest.approx({run: 100 * acc(*run) for run in RUNS})


def test_tables_of_wandb_with_mappings_in_cells():
    """As W&B's own example of an export writes it."""
    lines = ["summary,config,name"]
    for s, n in RUNS:
        lines.append(
            f"\"{{'val/acc': {acc(s, n)}, '_runtime': 9, 'bad': nan}}\","
            f"\"{{'method': '{s}', 'seed': {n}, 'f': None}}\",run-{s}-{n}"
        )
    write("wandb.csv", "\n".join(lines))
    seedwise("import", "wandb.csv", "s.db", "--setup", "config.method", "--metric", "val/acc")
    assert stored() == right("val/acc")


@pytest.mark.parametrize(
    "text",
    [
        "{__import__('os').system('touch made')}",
        "{'a': __import__('os').system('touch made')}",
        "{'a': " + "-" * 50_000 + "1}",
        "{'a': " * 99 + "1" + "}" * 99,
        "{" + "[" * 90_000 + "}",
        "{'a': 9**9**9}",
        "{'a': [",
        "{x}",
        "{1, 2}",
    ],
)
def test_a_cell_is_never_executed(text):
    with effort() as taken:
        mapping_in(text)
    assert taken.units < 100
    assert not Path("made").exists()


@pytest.mark.parametrize(
    "content",
    [
        b"setup;seed;acc\na;0;0,5\nb;0;0,75\n",
        b"sep=;\r\nsetup;seed;acc\r\na;0;0,5\r\nb;0;0,75\r\n",
        b"\xef\xbb\xbfsep=\t\nsetup\tseed\tacc\na\t0\t0,5\nb\t0\t0,75\n",
        "setup\tseed\tacc\r\na\t0\t0,5\r\nb\t0\t0,75\r\n".encode("utf-16"),
        b"# made by me\n#\n\nsetup,seed,acc\na,0,0.5\n# half\nb,0,0.75\n",
        b"setup,seed,acc,note\na,0,0.5,x\x0cy\nb,0,0.75,p\xe2\x80\xa8q\n",
        b"sep=|\nsetup|seed|acc\na|0|0.5\nb|0|0.75",
    ],
)
def test_csv_as_spreadsheets_write_it(content):
    log = read("x.csv", content)
    found = [(row["setup"], row["seed"], float(row["acc"])) for row in log.rows]
    assert found == [("a", "0", 0.5), ("b", "0", 0.75)]
    lines = [int(row.where.removeprefix("line ")) for row in log.rows]
    text = content.decode("utf-16" if content[:2] == b"\xff\xfe" else "utf-8").split("\n")
    assert all(text[line - 1].startswith(name) for line, name in zip(lines, "ab", strict=True))


def test_names_behind_a_number_sign():
    log = read("x.csv", b"# epoch,acc\n0,0.5\n1,0.6\n")
    assert [dict(row.cells) for row in log.rows] == [
        {"epoch": "0", "acc": "0.5"},
        {"epoch": "1", "acc": "0.6"},
    ]


@pytest.mark.parametrize(
    "content",
    [
        b"x" * 200_000,
        b"a,b\n" + b'"' + b"x" * 300_000 + b'",1\n',
        b"\x00" * 999,
        b"setup,seed\n" + b"\xff\xfe\xfd",
        b"#" * 100_000,
        b"# a\n" * 200_000,
        b"\n" * 3_000_000,
        b"a,b,a\n1,2\n",
        b"sep=;",
        b"",
    ],
)
def test_broken_csv_is_one_line(content):
    with pytest.raises(DataError) as caught, effort() as taken:
        read("x.csv", content)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300
    assert taken.units < 100


def test_the_log_of_one_run_is_told_what_it_lacks():
    write("x/trainer_state.json", state(0.5, 0.6))
    said = seedwise("import", "x/trainer_state.json", "s.db", code=2)
    assert "import the folder of all runs: this is the log of one" in said
    flags = ("--layout", "{setup}/*", "--unpaired", "--metric", "eval_accuracy")
    seedwise("import", "x/trainer_state.json", "s.db", *flags)
    assert stored() == {("x", 0): {"eval_accuracy": 0.6}}


def test_formats_in_one_folder_are_told_apart():
    for s, n in RUNS:
        write(f"r/{s}/seed{n}/result.json", json.dumps({"acc": acc(s, n)}) + "\n")
        write(f"r/{s}/notes{n}.csv", "a,b\n1,2\n")
    assert "left out: 4 csv files beside logs of ray" in seedwise("import", "r", "s.db")
    assert stored() == right("acc")
    write("r/x/checkpoint-1/trainer_state.json", state(0.5))
    said = seedwise("import", "r", "t.db", code=2)
    assert "logs of several formats: huggingface (1) and ray (4); give --format" in said
    seedwise("import", "r", "t.db", "--format", "ray")
    assert stored("t.db") == right("acc")
