import json

import pytest
from click.testing import CliRunner

from seedwise.cli import cli
from seedwise.errors import ConfigError
from seedwise.study import bench as measured

RESULT = measured.Bench(
    device="cpu",
    kernels="numba",
    precision="bf16",
    workers=2,
    threads=1,
    pixels="noise of 224 x 224 px",
    loading=1000.0,
    augmenting=3000.0,
    training=80.0,
    validating=300.0,
    start_seconds=5.0,
    study_seconds=7300.0,
    rival=20.0,
)


def called(monkeypatch, *words, result=RESULT):
    monkeypatch.setattr(measured, "bench", lambda **_: result)
    return CliRunner().invoke(cli, ["bench", *words])


def test_the_table_says_what_was_measured_on_what(monkeypatch):
    said = called(monkeypatch, "--against", "fastai").stdout
    assert "cpu, bf16, kernels: numba; 2 runs side by side, 1 thread each" in said
    assert "trained on noise of 224 x 224 px" in said
    assert "ten runs of page-v1 on Imagenette: 2:01:40" in said
    assert "4.0 times fastai's training" in said


def test_json_holds_all_of_it(monkeypatch):
    said = json.loads(called(monkeypatch, "--json").stdout)
    assert said["training"] == 80.0
    assert said["rival"] == 20.0
    assert set(said) == set(measured.Bench.__slots__)


def test_an_unknown_rival_is_refused_at_once():
    with pytest.raises(ConfigError, match="against must be one of fastai, got 'keras'"):
        measured.bench(against="keras", device="cpu", tell=print)


@pytest.mark.slow
def test_a_machine_is_measured(tmp_path):
    done = CliRunner().invoke(
        cli, ["bench", "--json", "--device", "cpu", "--cache", str(tmp_path)]
    )
    said = json.loads(done.stdout)
    run = 5 * said["workers"] * (170 * 64 / said["training"] + 5000 / said["validating"])
    assert said["study_seconds"] >= 10 / said["workers"] * run * 0.95
    assert said["kernels"] == "numba"
