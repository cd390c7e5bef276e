"""Names from a study in what other programs read: spreadsheets, LaTeX, GitHub, Vega."""

import csv
import io
import json
import re

import numpy as np
import pytest
from click.testing import CliRunner

from helpers.store_records import ENDED, dataset, run
from seedwise.cli import cli
from seedwise.comparison.study_runs import StudyRuns
from seedwise.report.findings import Findings
from seedwise.report.markdown import pull_request
from seedwise.seeds import Seed
from seedwise.setups import Setup
from seedwise.store import Store

COMMANDS = [
    *("=cmd|'/c calc'!A1", "+1+2", "-2+3", "@SUM(A1)"),
    *("\t=1", "\r=1", " =1", "\uff1d1", '"=1'),
]
ESCAPES = ["\x1b[2Jmish", "\x9b31m", "mish\x07", "\u202ehsim"]
MENTIONS = [
    *("@everyone", "fixes #123", "GH-12", "a@org/team"),
    *("https://evil.example", "www.evil.example"),
]
OBJECTS = ["constructor", "toString", "valueOf", "__proto__", "hasOwnProperty"]
LATEX = ["\n\\input{/etc/passwd}", "a % b", "x\n\n\\end{tabular}"]


def call(*words):
    return CliRunner().invoke(cli, [str(word) for word in words])


def study_of(path, names, metric=None):
    with Store.open(path, create=True) as store:
        store.set_dataset(dataset())
        for number, name in enumerate(names):
            store.add_setup(name, Setup(lr=1.0 + number))
            for seed in range(3):
                rng = np.random.default_rng([number, seed])
                logits = rng.normal(size=(2, 6, 2)).astype(np.float16)
                record = run(logits=logits) if metric is None else None
                if record is None:
                    record = run(logits=None, views=(), metrics={metric: float(rng.random())})
                store.add_run(name, Seed.of(seed), record, ended_at=ENDED)
            failed = run(state="failed", error=name)
            store.add_run(name, Seed.of(9), failed, ended_at=ENDED)
    return path


def test_no_cell_of_an_exported_csv_is_a_formula(tmp_path):
    names = [*COMMANDS, "plain", "a-b=c"]
    study = study_of(tmp_path / "s.db", names, metric="=1+1")
    rows = list(csv.reader(io.StringIO(call("export", study).stdout)))
    texts = {cell for row in rows for cell in row if not re.fullmatch(r"-?\d[\d.e+:T-]*", cell)}
    assert all(not re.match(r"[\s\"]*[=+\-@\uff1d]", text) for text in texts), texts
    assert {"plain", "a-b=c", "'=1+1", "'=cmd|'/c calc'!A1"} <= texts
    assert not {row[0] for row in rows[1:]} & set(COMMANDS)
    assert len(rows) == 1 + 4 * len(names)


@pytest.mark.parametrize("words", [["export"], ["table"], ["table", "--format", "latex"]])
def test_nothing_that_is_written_commands_a_terminal(tmp_path, words):
    for number, metric in enumerate([None, "f\x1b[2J1"]):
        study = study_of(tmp_path / f"{number}.db", ESCAPES, metric=metric)
        said = call(words[0], study, *words[1:])
        assert said.exit_code == 0
        assert {char for char in said.stdout if not char.isprintable()} <= {"\n"}
        assert "x1b" in said.stdout


def test_names_in_latex_are_text_in_the_table_and_in_its_comment(tmp_path):
    for number, metric in enumerate(["loss", *LATEX]):
        study = study_of(tmp_path / f"{number}.db", LATEX, metric=metric)
        lines = call("table", study, "--format", "latex").stdout.splitlines()
        body = [line for line in lines if not line.startswith("%")]
        commands = set(re.findall(r"\\[a-zA-Z]+", "\n".join(body)))
        assert commands <= {
            *(r"\begin", r"\end", r"\toprule", r"\midrule", r"\bottomrule", r"\pm"),
            *(r"\textbackslash", r"\textless", r"\textgreater", r"\textbar"),
        }
        assert "\n".join(body).count(r"\end{tabular}") == 1
        assert not any(line.startswith(r"\input") for line in lines)


def test_nobody_is_called_and_nothing_is_linked_by_a_pull_request(tmp_path):
    study = study_of(tmp_path / "s.db", ["base", *MENTIONS])
    with StudyRuns.open(study) as runs:
        block = pull_request(Findings(runs))
    block += call("table", study).stdout
    assert not re.search(r"@\w|#\d|GH-\d|://|www\.\w", block)
    unseen = block.replace("<!-- -->", "").replace("\\", "")
    assert all(name in unseen for name in MENTIONS)


@pytest.mark.parametrize("kind", ["forest", "runs", "curves", "classes", "images"])
@pytest.mark.parametrize("names", [OBJECTS, ["a\0b", "\x1b[31mc", "\ud800x", "d\ne"]])
def test_any_name_can_be_drawn(tmp_path, kind, names):
    """Some are properties of every object of JavaScript; a NUL ended the process."""
    pytest.importorskip("vl_convert")
    study = study_of(tmp_path / "s.db", [name for name in names if "\ud800" not in name])
    for end in ("svg", "json"):
        said = call("plot", study, kind, "-o", tmp_path / f"chart.{end}")
        assert said.exit_code == 0, said.output
    assert "</svg>" in (tmp_path / "chart.svg").read_text()
    assert json.loads((tmp_path / "chart.json").read_text())
