"""`seedwise report` and `seedwise plot` as a person calls them."""

import json
import subprocess
import sys
from datetime import UTC, datetime

import numpy as np
import pytest
from click.testing import CliRunner

from helpers import pictures
from seedwise import Setup, Study
from seedwise.cli import cli
from seedwise.records import VIEWS, RunRecord
from seedwise.report.charts import KINDS
from seedwise.seeds import Seed
from seedwise.store import Store
from seedwise.study import record


def call(*words):
    return CliRunner().invoke(cli, [str(word) for word in words])


@pytest.fixture
def study(tmp_path):
    path = tmp_path / "some.study.db"
    for seed in range(4):
        for setup, bonus, spread in (("a", 0.0, 1), ("b", 0.02, 2), ("c", 0.01, 3)):
            accuracy = 0.9 + bonus + 0.0001 * spread * seed**2
            record(path, setup=setup, seed=seed, metrics={"accuracy": accuracy, "loss": 0.1})
    return path


def test_a_report_is_written_beside_the_study_and_named(study):
    found = call("report", study)
    file = study.with_suffix(".html")
    assert (found.exit_code, found.output.strip()) == (0, str(file))
    assert file.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")


def test_named_setups_are_shown_and_no_others(study, tmp_path):
    file = tmp_path / "r.html"
    assert call("report", study, "c", "b", "-o", file).exit_code == 0
    page = file.read_text(encoding="utf-8")
    assert "b is better than c" in page
    assert "<bdi>a<" not in page


@pytest.mark.parametrize("kind", ["forest", "runs", "trace"])
def test_a_chart_is_written(study, tmp_path, kind):
    file = tmp_path / "f.json"
    assert call("plot", study, kind, "-o", file).output.strip() == str(file)
    assert "vega-lite" in json.loads(file.read_text())["$schema"]


def test_dark_is_another_picture(study, tmp_path):
    bright, dark = tmp_path / "f.svg", tmp_path / "d.svg"
    call("plot", study, "forest", "-o", bright)
    call("plot", study, "forest", "-o", dark, "--dark")
    assert "#ffffff" in bright.read_text()
    assert "#ffffff" not in dark.read_text()


def test_help_names_every_kind():
    text = call("plot", "--help").output
    assert all(f"  {kind} " in text for kind in KINDS)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("report", "none.db"), "none.db does not exist"),
        (("report", "STUDY", "aa"), "unknown setup 'aa'; did you mean 'a'?"),
        (("report", "STUDY", "--metric", "acuracy"), "did you mean 'accuracy'?"),
        (("report", "STUDY", "-o", "no/such/folder.html"), "no/such/folder.html"),
        (("plot", "STUDY", "forrest", "-o", "f.svg"), "did you mean 'forest'?"),
        (("plot", "STUDY", "images", "-o", "f.svg"), "came without predictions"),
        (("plot", "STUDY", "forest", "-o", "f.gif"), "got '.gif'"),
        (("plot", "STUDY", "forest"), "Missing option"),
        (("plot", "EMPTY", "forest", "-o", "f.svg"), "no finished run"),
        (("report", "EMPTY"), "no finished run"),
    ],
)
def test_a_fault_is_one_line_and_exit_code_2(study, tmp_path, monkeypatch, words, said):
    monkeypatch.chdir(tmp_path)
    Store.open("empty.db", create=True).close()
    places = {"STUDY": str(study), "EMPTY": "empty.db"}
    found = call(*(places.get(word, word) for word in words))
    assert found.exit_code == 2
    assert said in found.output
    assert found.output.count("\n") == 1


def test_a_report_needs_neither_torch_nor_what_draws_pictures(study, tmp_path):
    code = (
        "import sys; from seedwise.study import Study; Study(sys.argv[1]).report(sys.argv[2]); "
        "heavy = {'torch', 'PIL', 'numba', 'vl_convert', 'altair', 'scipy.stats'}; "
        "bad = heavy & set(sys.modules); "
        "assert not bad, bad"
    )
    subprocess.run([sys.executable, "-c", code, study, tmp_path / "r.html"], check=True)


def test_pictures_come_from_the_cache_of_pixels_and_are_missed_without(tmp_path):
    places = ("train/cat", 2), ("train/dog", 2), ("val/cat", 10), ("val/dog", 10)
    layout = {f"{place}/{i}": i for place, count in places for i in range(count)}
    folder = pictures.folders(tmp_path / "pets", layout)
    setup = Setup(model="xresnet10-narrow", size=16, epochs=1, batch_size=2)
    cache = tmp_path / "cache"
    study = Study(tmp_path / "s.db", dataset=str(folder), cache=cache)
    study.run({"a": setup, "b": setup.but(lr=1e-3)}, seeds=1, jobs=1, device="cpu")
    with Store.open(study.path) as store:  # so short a training calls every picture a cat
        for seed, name in ((1, "a"), (2, "a"), (1, "b"), (2, "b")):
            logits = (
                np.random.default_rng([seed, name == "a"])
                .normal(size=(2, 20, 2))
                .astype(np.float16)
            )
            made = RunRecord(state="finished", logits=logits, views=VIEWS, seconds=1.0)
            store.add_run(name, Seed.of(seed), made, ended_at=datetime.now(UTC))
    with_pictures = study.report(tmp_path / "with.html").read_text(encoding="utf-8")
    assert with_pictures.count("data:image/png;base64,") > 12
    call("report", tmp_path / "s.db", "-o", tmp_path / "o.html", "--cache", tmp_path / "none")
    without = (tmp_path / "o.html").read_text(encoding="utf-8")
    assert "data:image" not in without
    assert "their decoded pixels are not in this machine" in without
