"""Made-up GPUs: which are seen, what each process is given, and what a failing one costs."""

import os
import sys

import pytest

from seedwise import cards
from seedwise.cards import Card, visible_cards
from seedwise.errors import ConfigError
from seedwise.executors.job import Job
from seedwise.executors.local import LocalExecutor
from seedwise.seeds import Seed
from seedwise.setups import Setup

TWO = tuple(Card(number=n, name="NVIDIA H200", free=2**36, runs=2) for n in "01")


@pytest.fixture
def driver(tmp_path, monkeypatch):
    """A made-up nvidia-smi that knows three GPUs."""
    rows = [f"NVIDIA {name}, GPU-{uuid}-0, 1024" for name, uuid in zip("ABB", "abc", strict=True)]
    file = tmp_path / "nvidia-smi"
    file.write_text("#!/bin/sh\n" + "".join(f"echo '{row}'\n" for row in rows))
    file.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)


@pytest.mark.parametrize(
    ("said", "seen"),
    [
        (None, "0A 1B 2B"),
        ("2,0", "2B 0A"),
        (" 1 , GPU-a ", "1B GPU-aA"),
        ("1,-1,2", "1B"),
        ("1,7", "1B"),
        ("", ""),
    ],
)
def test_the_cards_are_those_that_cuda_would_show(driver, monkeypatch, said, seen):
    if said is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", said)
    assert " ".join(card.number + card.name[-1] for card in visible_cards()) == seen


def test_a_machine_without_the_driver_has_none(monkeypatch):
    monkeypatch.setattr(cards.shutil, "which", lambda name: None)
    assert visible_cards() == ()


@pytest.mark.parametrize("bad", [0, -1, True, "two", (), (0, 0), (-1,), (True,)])
def test_what_names_no_cards_is_refused(bad):
    with pytest.raises(ConfigError, match="devices must be auto, a number"):
        LocalExecutor(devices=bad)


def test_more_cards_than_there_are_is_refused_with_those_there_are(driver):
    with pytest.raises(ConfigError, match=r"devices 0,3 .* 0 \(NVIDIA A\), 1 \(NVIDIA B\), 2"):
        LocalExecutor(devices=(0, 3)).cards_for_functions(device="auto", runs=9)


@pytest.mark.parametrize(
    ("said", "runs"),
    [
        ({"devices": 2}, {"0": 1, "1": 1}),
        ({"devices": (2,)}, {"2": 1}),
        ({"devices": 3, "workers": 4}, {"0": 2, "1": 1, "2": 1}),
        ({"devices": 3, "pack": 2}, {"0": 2, "1": 2, "2": 1}),
        ({"devices": 1}, {}),
        ({"workers": 1}, {}),
    ],
)
def test_functions_are_spread_over_the_cards(driver, said, runs):
    found = LocalExecutor(**said).cards_for_functions(device="auto", runs=5)
    assert {card.number: card.runs for card in found} == runs


def made(tmp_path, monkeypatch, code, runs=6, **said):
    """The metrics by seed, and the cards, of a function with `code`; and what was told."""
    (tmp_path / "on_a_card.py").write_text(
        f"import os\nCARD = os.environ['CUDA_VISIBLE_DEVICES']\ndef train(seed):\n    {code}\n"
    )
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    setup = Setup(train="on_a_card:train")
    waiting = [
        Job(name="a", setup=setup, seed=Seed.of(i), data=None, device="cpu", threads=1)
        for i in range(runs)
    ]
    told = []
    take = lambda: waiting.pop(0) if waiting else None  # noqa: E731
    given = {"workers": 4, "cards": TWO, **said}
    outcomes = list(LocalExecutor(**given).run(take, told.append))
    assert sorted(job.seed.init for job, _ in outcomes) == list(range(runs))
    return [record for _, record in outcomes], [getattr(event, "text", "") for event in told]


@pytest.mark.parametrize("share", [True, False])
def test_each_process_sees_its_card_before_the_users_module_is_loaded(
    tmp_path, monkeypatch, share
):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    records, _ = made(tmp_path, monkeypatch, "return {'card': int(CARD)}", share=share)
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "0,1"
    assert {record.made_by["card"] for record in records} == {"0", "1"}
    assert all(record.metrics["card"] == int(record.made_by["card"]) for record in records)


@pytest.mark.parametrize("share", [True, False])
@pytest.mark.parametrize(
    "fails",
    ["os._exit(9)", "raise RuntimeError('CUDA error: uncorrectable ECC error')"],
    ids=["dies", "errs"],
)
def test_a_card_that_fails_costs_no_run(tmp_path, monkeypatch, fails, share):
    code = f"if CARD == '0': {fails}\n    return 1.0"
    records, told = made(tmp_path, monkeypatch, code, share=share)
    assert {(record.state, record.made_by["card"]) for record in records} == {("finished", "1")}
    assert any("was lost with GPU 0; made again on another" in text for text in told)


def test_a_card_without_room_for_one_run_leaves_it_to_another(tmp_path, monkeypatch):
    code = "if CARD == '0': raise MemoryError\n    return 1.0"
    records, _ = made(tmp_path, monkeypatch, code, share=True)
    assert {(record.state, record.made_by["card"]) for record in records} == {("finished", "1")}


def test_a_run_that_ends_every_process_fails_and_takes_no_other_with_it(tmp_path, monkeypatch):
    code = "if seed.init == 3: os._exit(9)\n    return 1.0"
    records, _ = made(tmp_path, monkeypatch, code, runs=8, share=True)
    assert [record.state for record in records].count("finished") == 7
    (failed,) = [record for record in records if record.state == "failed"]
    assert "died (exit code 9)" in failed.error


def test_unlike_cards_are_said(tmp_path, monkeypatch):
    unlike = (TWO[0], Card(number="1", name="NVIDIA L4", free=0))
    _, told = made(tmp_path, monkeypatch, "return 1.0", cards=unlike)
    assert told[0].startswith("the GPUs differ (0 NVIDIA H200, 1 NVIDIA L4)")
