"""A study from somebody else names code, and modules lie beside it: reading it runs none of them.

Every command is tried on such a study, in the folder where it lies.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from helpers.store_records import ENDED, dataset, run
from seedwise.cli import cli
from seedwise.comparison import Rule
from seedwise.comparison.rule import plan_of
from seedwise.errors import ConfigError, SeedwiseError
from seedwise.seeds import Seed
from seedwise.setups import Setup
from seedwise.store import PLAN, Store
from seedwise.study import Study
from seedwise.study.seeding import as_seeds

HERE = Path(__file__).parent
SHADOWS = (
    *("chardet", "charset_normalizer", "simplejson", "colorama", "IPython", "numexpr", "cffi"),
    *("bottleneck", "cupy", "dask", "pandas", "usercustomize", "matplotlib", "attr", "zoneinfo"),
    *("numpy", "scipy", "click", "rich", "sqlite3", "json", "PIL", "pyarrow", "vl_convert"),
)
"""What libraries import where it is there, and what is installed."""

EARLY = ("numpy", "json")
"""What `python -m seedwise` imports before a line of ours has run: Python's own rule."""

CODE = [
    *("evil:f", "venv.__main__:x"),
    *(
        pytest.param(name, marks=pytest.mark.slow)
        for name in ("evil:f:better=lower", "this:s", "os:getcwd", "evil:{}")
    ),
]
"""What plans name as their metric."""

KINDS = (
    *("forest", "runs", "trace", "curves", "metrics", "variance", "sources", "classes"),
    "images",
)


@pytest.fixture
def inbox(tmp_path, monkeypatch):
    """A folder as it may come in an archive; `ran-NAME` is there once a module of it has run."""
    folder, installed = tmp_path / "inbox", tmp_path / "installed"
    folder.mkdir()
    installed.mkdir()
    for name in ("evil", *SHADOWS):
        (folder / f"{name}.py").write_text(
            f"open({str(folder / f'ran-{name}')!r}, 'w').close()\n"
            "def f(*_): return 0.5\n"
            "def train(seed): return {'accuracy': 0.5}\n"
        )
    (installed / "evil.py").write_text((folder / "evil.py").read_text())  # for `importable`
    monkeypatch.chdir(folder)
    return folder


def hostile(path, metric="evil:f", *, stop=None):
    """A study that names code wherever a study has names."""
    with Store.open(path, create=True) as store:
        store.set_dataset(dataset(name="evil:f"))
        seeds = as_seeds(4)
        plan = plan_of(("a", "b"), seeds, Rule(metric=metric), stop=stop)
        store.fix_choice(PLAN, plan)
        store.fix_choice("evil:f", "evil:f")
        for number, name in enumerate(("a", "b")):
            store.add_setup(name, Setup(lr=1.0 + number))
            for seed in seeds:
                logits = np.random.default_rng([number, seed.init]).normal(size=(2, 6, 2))
                record = run(logits=logits.astype(np.float16))
                store.add_run(name, seed, record, ended_at=ENDED)
        store.add_setup("evil:f", Setup(train="evil:train"))
        for seed in range(4):  # a name among the metrics of some runs, which others lack
            record = run(logits=None, views=(), metrics={"evil:f": seed / 8, "accuracy": 0.5})
            store.add_run("evil:f", Seed.of(seed), record, ended_at=ENDED)
        store.put_metric_values("evil:f#00000000", {1: 0.5})
    return path


def reading(path, metric):
    """Every command that reads a study, with and without names."""
    name = str(path)
    yield from (["status", name], ["check", name], ["watch", name], ["serve", name])
    yield ["check", name, "--repair", f"{name}.whole"]
    yield ["merge", name, name, "-o", f"{name}.both"]
    yield ["drop", f"{name}.both", "no such setup"]
    yield from (["compare", name], ["compare", name, "a", "b"], ["compare", name, "--all-pairs"])
    yield from (["compare", name, "a", "b", "--json"], ["compare", name, "a", "evil:f"])
    yield ["compare", name, "a", "--target", "0.5"]
    yield from (["compare", name, "a", "b", "--metric", "smoothed_accuracy:beta=5"],)
    yield from (["export", name], ["export", name, "-o", f"{name}.csv"])
    yield ["export", name, "-o", f"{name}.parquet"]
    yield from (["table", name], ["table", name, "--format", "latex"])
    yield from (["report", name, "-o", f"{name}.html"], ["report", name, "a", "b"])
    yield ["report", name, "a", "b", "--metric", "smoothed_accuracy:beta=5"]
    yield from (["report", name, setup, "-o", f"{name}.{place}"] for place, setup in ODD)
    for kind in KINDS:
        yield ["plot", name, kind, "-o", f"{name}.{kind}.json"]
        yield ["plot", name, kind, "a", "b", "-o", f"{name}.{kind}.svg"]
        yield ["plot", name, kind, "a", "b", "--metric", "accuracy", "-o", f"{name}.json"]
    yield from (["variance", name, "a"], ["variance", name, "evil:f"])
    yield from (["plan", name, "a", "b"], ["plan", name, "a", "evil:f"])
    yield ["plan", name, "a", "b", "--margin", "0.01", "--max-runs", "10"]
    yield from (["repeat", name, "evil:f", "--seed", "1"], ["aa", name, "evil:f"])
    yield ["record", name, "--setup", "c", "--seed", "1", "--metrics", "evil:f=0.5"]
    yield from (["data", "show", "evil:f"], ["data", "list"], ["--help"], ["plot", "--help"])


ODD = enumerate(("a", "evil:f"))
OTHERS = {"run", "demo", "bench", "import"}
"""Commands that read no study from elsewhere, or are asked to train what their user names."""


def environment(*folders):
    """That of these tests, in which nothing leads to the current folder."""
    path = [*(str(Path(each).resolve()) for each in sys.path if each), *map(str, folders)]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(path), "COLUMNS": "200"}


@pytest.mark.parametrize("metric", CODE)
def test_no_command_that_reads_runs_what_a_study_names_or_what_lies_beside_it(inbox, metric):
    path = hostile(inbox / "study.db", metric)
    asked = list(reading(path, metric))
    done = subprocess.run(
        [sys.executable, HERE / "reader.py", inbox],
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        env=environment(inbox.parent / "installed"),  # where `import evil` would find one
        timeout=500,
    )
    assert done.returncode == 0, done.stderr
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(found) == len(asked)
    for words, each in zip(asked, found, strict=True):
        assert each["loaded"] == [], words
        assert each["others"] == [], words
        assert not each["path"], words
        assert each["code"] in (0, 1, 2), (words, each["said"])
    assert [file.name for file in inbox.glob("ran-*")] == []
    tried = {words[0] for words in asked} | OTHERS
    assert set(cli.commands) <= tried, "a command that this test does not know"
    said = {
        " ".join(words[:1] + words[2:]): each["said"]
        for words, each in zip(asked, found, strict=True)
    }
    assert "never runs code because" in said["repeat evil:f --seed 1"]
    assert "--train evil:train" in said["aa evil:f"]
    if metric != "evil:{}":  # no name of a function
        assert f"names the metric {metric!r}" in said["compare a b"]
        assert f"--metric {metric} to run it" in said["compare a b"]
        assert said["compare a b"].count("\n") == 1


@pytest.mark.parametrize("command", ["compare", "report"])
def test_python_m_seedwise_imports_nothing_from_the_current_folder(inbox, command):
    hostile(inbox / "study.db", "accuracy")
    for name in EARLY:
        (inbox / f"{name}.py").unlink()
    done = subprocess.run(
        [sys.executable, "-m", "seedwise", command, "study.db", "a", "b"],
        capture_output=True,
        text=True,
        env=environment(),
    )
    assert done.returncode == 0, done.stderr
    assert [file.name for file in inbox.glob("ran-*")] == []


def test_a_command_line_that_names_the_code_runs_it_and_nothing_beside_it(inbox):
    hostile(inbox / "study.db")
    for name in EARLY:
        (inbox / f"{name}.py").unlink()
    named = ("--metric", "evil:f", "--better", "higher")
    done = subprocess.run(
        [sys.executable, "-m", "seedwise", "compare", "study.db", "a", "b", *named],
        capture_output=True,
        text=True,
        env=environment(),
    )
    assert done.returncode == 0, done.stderr
    assert [file.name for file in inbox.glob("ran-*")] == ["ran-evil"]


def test_a_call_runs_only_what_it_names_itself(inbox, monkeypatch):
    """Neither the plan's metric, nor a setup's function, and what one call names is no other's."""
    study = Study(hostile(inbox / "study.db"))
    for name in SHADOWS:
        (inbox / f"{name}.py").unlink()
    monkeypatch.setattr(sys, "path", [*sys.path, str(inbox)])
    for call in (
        lambda: study.compare("a", "b"),
        lambda: study.compare_several(["a", "b"]),
        lambda: study.compare_with_target("a", 0.5),
        lambda: study.chart("forest", "a", "b").save(inbox / "forest.json"),
        lambda: study.repeat("evil:f", 1),
        lambda: study.repeat("evil:f", 1, train="os:getcwd"),
        lambda: study.null_comparisons("evil:f"),
    ):
        with pytest.raises(
            SeedwiseError, match=r"because a (study )?file names it|not by os:getcwd"
        ):
            call()
    study.summary(), study.runs(), study.variance("a")
    page = study.report(inbox / "report.html", setups=["a", "b"]).read_text()
    assert "No verdict: the study file names the metric" in page
    study.chart("runs", "a", "b").save(inbox / "runs.json")
    assert "evil" not in sys.modules
    named = {"metric": "evil:f", "better": "higher"}
    assert study.compare("a", "b", **named).outcome == "undecided"
    assert (inbox / "ran-evil").exists()
    with pytest.raises(ConfigError, match="never runs code because a file names it"):
        study.compare("a", "b")
    assert study.repeat("evil:f", 1, train="evil:train") is not None
    monkeypatch.delitem(sys.modules, "evil")
