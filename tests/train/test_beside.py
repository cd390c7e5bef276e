"""How many runs go side by side on one GPU."""

import types
from contextlib import nullcontext

import pytest

from seedwise.cards import Card
from seedwise.errors import ConfigError
from seedwise.executors.base import Place
from seedwise.setups import KNOWN, Setup
from seedwise.study import LocalExecutor, RayExecutor
from seedwise.train import machine
from seedwise.train.beside import MOST, captured_bytes, is_captured, side_by_side
from seedwise.train.machine import choose

FULL = Setup().but(precision="bf16", deterministic=True, loader="cache")
GIB = 2**30


def test_with_room_there_are_as_many_as_pay_or_as_there_are_runs():
    assert side_by_side([FULL], free=140 * GIB, runs=10) == MOST
    assert side_by_side([FULL], free=140 * GIB, runs=3) == 3


def test_models_have_half_of_the_free_memory_and_one_is_always_tried():
    need = 2 * captured_bytes(FULL)
    assert side_by_side([FULL], free=3 * need, runs=10) == 3
    assert side_by_side([FULL], free=3 * need - 1, runs=10) == 2
    assert side_by_side([FULL], free=need // 10, runs=10) == 1


def test_the_setup_that_needs_most_decides():
    large = FULL.but(size=256)
    free = 8 * captured_bytes(large)
    assert side_by_side([FULL, large], free=free, runs=10) == 4
    assert side_by_side([FULL], free=free, runs=10) > 4


@pytest.mark.parametrize("model", KNOWN["model"])
def test_memory_grows_with_batch_and_width_of_numbers(model):
    need = captured_bytes(FULL.but(model=model))
    assert captured_bytes(FULL.but(model=model, batch_size=128)) > 1.5 * need
    assert need < captured_bytes(FULL.but(model=model, precision="float32")) < 2 * need


def test_only_runs_of_captured_steps_share_a_process(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda _: object())
    assert is_captured(FULL)
    for change in ({"optimizer": "adam"}, {"loader": "dali"}, {"train": "mine:train"}):
        assert not is_captured(FULL.but(**change))
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    assert not is_captured(FULL)


@pytest.fixture
def gpu(monkeypatch):
    """A machine with 16 cores and a GPU with 140 GiB free, as far as `choose` can tell."""
    monkeypatch.setattr("seedwise.train.machine.cores", lambda: 16)
    monkeypatch.setattr("importlib.util.find_spec", lambda _: object())
    for name, value in {
        "is_available": True,
        "is_bf16_supported": True,
        "mem_get_info": (140 * GIB, 141 * GIB),
    }.items():
        monkeypatch.setattr(f"torch.cuda.{name}", lambda value=value: value)


def chosen(*setups, **said):
    machine = LocalExecutor(**said).choose(device="auto", setups=setups or [FULL], runs=10)
    return machine.workers, machine.share, machine.threads


@pytest.mark.usefixtures("gpu")
def test_a_gpu_is_filled_unless_it_is_said_how_many():
    assert chosen() == (MOST, True, 16 // MOST)
    assert chosen(pack=1) == (1, True, 16)
    assert chosen(pack=8) == (8, True, 2)
    assert chosen(workers=4) == (4, True, 4)
    assert chosen(workers=4, pack=2) == chosen(workers=2, pack=4) == (2, True, 8)
    assert chosen(time_limit=60.0) == (1, True, 16)


@pytest.mark.usefixtures("gpu")
def test_runs_of_the_plain_path_go_alone_or_in_processes():
    setups = Setup(), Setup(optimizer="adam")
    assert chosen(*setups) == (1, False, 16)
    assert chosen(*setups, pack=4) == (4, False, 4)


def packed_by_ray(*setups, runs=10, **said):
    """Runs of a task on the GPU above, which the driver's machine has."""
    executor = RayExecutor(**said)
    machine = executor.choose(device="auto", setups=setups or [FULL], runs=runs)
    place = Place(
        device=machine.device,
        workers=machine.workers,
        threads=machine.threads,
        share=machine.share,
        choices={},
    )
    return executor.placed(place).pack


@pytest.mark.usefixtures("gpu", "no_ray")
def test_a_task_of_ray_fills_its_gpu_unless_it_is_said_how_many():
    assert packed_by_ray() == MOST
    assert packed_by_ray(workers=2) == MOST
    assert packed_by_ray(runs=3) == 3
    assert packed_by_ray(pack=8) == 8
    assert packed_by_ray(gpus=0.5) == MOST // 2
    assert packed_by_ray(gpus=0.01) == 1
    assert packed_by_ray(time_limit=60.0) == 1
    assert packed_by_ray(Setup(), Setup(optimizer="adam")) == 1


@pytest.mark.usefixtures("no_ray")
def test_a_task_of_ray_makes_one_run_on_cores():
    place = Place(device="cpu", workers=4, threads=2, share=False, choices={})
    assert RayExecutor().placed(place).pack == 1
    assert RayExecutor(pack=3).placed(place).pack == 3


@pytest.mark.usefixtures("gpu")
def test_ray_spreads_runs_over_its_gpus_before_it_packs_them(monkeypatch):
    """Ten runs on a cluster of five GPUs are two on each, and not six on one."""
    monkeypatch.setattr(
        "seedwise.executors.cluster.connected", lambda address: nullcontext(FakeRay({"GPU": 5.0}))
    )
    assert packed_by_ray(address="auto", runs=10) == 2
    assert packed_by_ray(address="auto", runs=100) == MOST


class FakeRay:
    """A Ray whose tasks are done here."""

    exceptions = types.SimpleNamespace(RayTaskError=RuntimeError)

    def __init__(self, resources):
        self._resources = resources

    def cluster_resources(self):
        return self._resources

    def remote(self, function):
        return types.SimpleNamespace(
            options=lambda **_: types.SimpleNamespace(remote=lambda *given: function(*given))
        )

    def get(self, value):
        return value


@pytest.fixture
def no_ray(monkeypatch):
    """A package ray that is connected to nothing."""
    monkeypatch.setattr(
        "seedwise.executors.cluster.ray_package",
        lambda: types.SimpleNamespace(is_initialized=lambda: False),
    )


def test_a_cpu_takes_no_notice_of_pack(monkeypatch):
    monkeypatch.setattr("seedwise.train.machine.cores", lambda: 4)
    found = {choose(device="cpu", jobs=2, pack=pack, runs=10) for pack in ("auto", 1, 6)}
    assert [(machine.workers, machine.share, machine.threads) for machine in found] == [
        (2, False, 2)
    ]


def test_no_runs_side_by_side_are_refused():
    with pytest.raises(ConfigError, match="pack must be auto, or 1 or more, got 0"):
        choose(pack=0)


@pytest.mark.parametrize(
    ("jobs", "pack", "runs", "each"),
    [
        (None, "auto", 10, (5, 5)),
        (None, "auto", 40, (6, 6)),
        (None, 2, 40, (2, 2)),
        (3, "auto", 40, (2, 1)),
        (None, "auto", 1, (1,)),
    ],
)
def test_runs_are_spread_evenly_over_the_cards(monkeypatch, jobs, pack, runs, each):
    monkeypatch.setattr(machine, "is_captured", lambda setup: True)
    monkeypatch.setattr(machine, "side_by_side", lambda setups, free, runs: min(6, runs))
    gpu = machine.Machine(
        device="cuda",
        workers=1,
        share=False,
        threads=8,
        precision="bf16",
        deterministic=True,
        loader="cache",
    )
    cards = [Card(number=n, name="NVIDIA H200", free=2**36) for n in "01"]
    found = machine.over_cards(gpu, cards, jobs=jobs, pack=pack, runs=runs, setups=[Setup()])
    assert tuple(card.runs for card in found.cards) == each
    assert found.workers == sum(each)
    assert found.share
