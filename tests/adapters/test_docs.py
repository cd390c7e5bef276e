"""What the documentation shows and needs a library of its own for runs as it stands."""

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from helpers.libraries import library
from seedwise.store import Store
from seedwise.study import Study
from seedwise.study.config import load_study

library("fastai.basics", install="pip install --no-deps -r requirements-nodeps.txt")
pytestmark = pytest.mark.adapters

DOCS = Path(__file__).parents[2] / "docs"
FASTAI = 2 if importlib.util.find_spec("fastai.learner") else 1


def blocks(page, language):
    return re.findall(rf"```{language}\n(.*?)```", (DOCS / page).read_text(), re.DOTALL)


@pytest.mark.slow
@pytest.mark.skipif(FASTAI == 2, reason="fastai 2 is here; make test-fastai1 has 1")
def test_the_training_with_fastai_1_runs_as_documented(tmp_path):
    (code,) = (
        block for block in blocks("fastai.md", "python") if "seedwise.adapters.fastai1" in block
    )
    command = [sys.executable, "-W", "ignore", "-c", code]
    # two threads that wait for each other on a busy machine take ten times as long
    one = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        command, cwd=tmp_path, env=one, capture_output=True, text=True, check=True
    )
    assert "pairs of runs with the same seeds" in " ".join(done.stdout.split())
    assert (tmp_path / "digits.db").exists()


@pytest.mark.skipif(FASTAI == 1, reason="DALI is in the other environment")
def test_the_study_with_dali_runs_as_documented_on_fewer_and_smaller_images(tmp_path):
    library("nvidia.dali", install="pip install --no-deps -r requirements-nodeps.txt")
    (study,) = blocks("dali.md", "toml")
    smaller = {
        '"imagenette"': '"digits"',
        '"page"': "{ per_class = 150, seed = 1 }",
        "seeds = 10": "seeds = 2",
        'loader = "dali"': 'loader = "dali"\nmodel = "xresnet10-narrow"\nsize = 16\nepochs = 1',
    }
    for shown, ours in smaller.items():
        assert study.count(shown) == 1
        study = study.replace(shown, ours)
    (tmp_path / "study.toml").write_text(study)
    config = load_study(tmp_path / "study.toml")
    made = Study(
        tmp_path / "s.db", dataset=config.dataset, split=config.split, cache=tmp_path / "cache"
    )
    made.run(config.setups, seeds=config.seeds)
    with Store.open(made.path, readonly=True) as store:
        assert [run.state for run in store.runs("dali")] == ["finished"] * 2
