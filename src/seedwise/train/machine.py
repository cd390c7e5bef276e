"""The machine that a run is made on: the meaning of `auto` there, and the run's record of it."""

import ctypes
import platform
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib.metadata import version
from typing import Any, Literal

import torch

from seedwise.cards import Card, spread
from seedwise.cores import cores
from seedwise.errors import ConfigError
from seedwise.setups import AUTO, Setup
from seedwise.train.beside import is_captured, side_by_side

__all__ = ["Machine", "choose", "describe", "gpu_count", "over_cards", "prepared"]

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
"""Numbers of two settings in glibc's malloc.h."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """Place and manner in which the runs of a study are made.

    Attributes:
        device: `cpu` or `cuda`.
        workers: Runs side by side: in processes on a CPU's cores, or on its GPUs.
        share: On a GPU, whether they may be threads of one process.
        threads: Threads of each of them.
        precision: What `auto` means in this study.
        deterministic: What `auto` means in this study.
        loader: What `auto` means in this study.
        cards: The GPUs, each for a process of its own, with its runs side by side; none where one
            GPU is used from the caller's process.
    """

    device: str
    workers: int
    share: bool
    threads: int
    precision: str
    deterministic: bool
    loader: str
    cards: tuple[Card, ...] = ()


def choose(
    *,
    device: str = "auto",
    jobs: int | None = None,
    pack: int | Literal["auto"] = "auto",
    runs: int = 1,
    setups: Sequence[Setup] = (),
) -> Machine:
    """Choose what to use on this machine.

    On a CPU several single-thread processes beat one process with several threads, so there is a
    worker for each core as long as there are runs for them. A GPU takes several runs at once where
    all are made by captured steps.

    Args:
        device: `auto`, `cpu` or `cuda`; `auto` takes CUDA where torch sees it.
        jobs: Processes on a CPU; None chooses.
        pack: Runs side by side on a GPU; `auto` chooses.
        runs: How many runs are wanted.
        setups: What they are runs of.

    Raises:
        ConfigError: The device is not there, or a number is below 1.
    """
    if device not in ("auto", "cpu", "cuda"):
        raise ConfigError(f"device must be auto, cpu or cuda, got {device!r}")
    if device == "cuda" and not torch.cuda.is_available():
        raise ConfigError("device cuda was asked for, but torch sees no GPU; use --device cpu")
    if jobs is not None and jobs < 1:
        raise ConfigError(f"jobs must be 1 or more, got {jobs}")
    if pack != "auto" and pack < 1:
        raise ConfigError(f"pack must be auto, or 1 or more, got {pack}")
    if device != "cpu" and torch.cuda.is_available():
        return _packed(_gpu(), pack, runs, setups)
    workers = jobs or max(1, min(cores(), runs))
    return Machine(
        device="cpu",
        workers=workers,
        share=False,
        threads=max(1, cores() // workers),
        precision="bf16" if _cpu_multiplies_bf16() else "float32",
        deterministic=True,
        loader="cache",
    )


def gpu_count() -> int:
    """The number of GPUs that torch sees."""
    return torch.cuda.device_count()


def _gpu() -> Machine:
    """A GPU with one run on it."""
    return Machine(
        device="cuda",
        workers=1,
        share=False,
        threads=cores(),
        precision="bf16" if torch.cuda.is_bf16_supported() else "fp16",
        deterministic=True,
        loader="cache",
    )


def _packed(
    gpu: Machine, pack: int | Literal["auto"], runs: int, setups: Sequence[Setup]
) -> Machine:
    """A GPU with several runs on it: as many as were asked for, or as pay and have room."""
    meant, share = _meant(gpu, setups)
    if pack == "auto":
        pack = side_by_side(meant, free=torch.cuda.mem_get_info()[0], runs=runs) if share else 1
    return replace(gpu, workers=pack, share=share, threads=max(1, gpu.threads // pack))


def _meant(gpu: Machine, setups: Sequence[Setup]) -> tuple[list[Setup], bool]:
    """The setups without `auto`, and whether their runs may share a process."""
    meant = [setup.resolved({name: getattr(gpu, name) for name in AUTO}) for setup in setups]
    return meant, bool(meant) and all(map(is_captured, meant))


def over_cards(
    gpu: Machine,
    cards: Sequence[Card],
    *,
    jobs: int | None,
    pack: int | Literal["auto"],
    runs: int,
    setups: Sequence[Setup],
) -> Machine:
    """A machine of several GPUs, with as many runs on each as were asked for or as have room.

    Args:
        gpu: What `choose` says of one of them.
        cards: The GPUs.
        jobs: Runs side by side on all of them; None chooses.
        pack: The most on one of them; `auto` chooses.
        runs: How many are wanted.
        setups: What they are runs of.
    """
    meant, share = _meant(gpu, setups)

    def most(card: Card, wanted: int) -> int:
        if pack != "auto":
            return min(pack, wanted)
        if jobs is not None:
            return wanted
        return side_by_side(meant, free=card.free, runs=wanted) if share else 1

    even = spread(cards, runs if jobs is None else min(jobs, runs))
    placed = tuple(replace(card, runs=most(card, card.runs)) for card in even)
    workers = sum(card.runs for card in placed)
    threads = max(1, cores() // workers)
    return replace(gpu, workers=workers, share=share, threads=threads, cards=placed)


def describe(device: torch.device) -> Mapping[str, Any]:
    """Machine, versions and kernels, for the record of a run."""
    about: dict[str, Any] = {
        "seedwise": version("seedwise"),
        "torch": torch.__version__,
        "numpy": version("numpy"),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "host": platform.node(),
        "device": device.type,
        "threads": torch.get_num_threads(),
    }
    if device.type == "cuda":
        return about | {"gpu": torch.cuda.get_device_name(device), "cuda": torch.version.cuda}
    return about | {"cpu": torch.backends.cpu.get_cpu_capability()}


@contextmanager
def prepared(*, threads: int, deterministic: bool) -> Generator[None]:
    """Torch's global switches set for a run, and put back after it.

    On a CPU the number of threads decides the order of sums, and so the last bits of a run. On a
    GPU float32 means float32: torch would let cuDNN round its inputs to 10 bits (TF32).
    """
    _keep_freed_memory()
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        with torch.backends.cudnn.flags(
            enabled=True, benchmark=False, deterministic=deterministic, allow_tf32=False
        ):
            yield
    finally:
        torch.set_num_threads(before)


def _keep_freed_memory() -> None:
    """Have glibc keep what tensors leave free, for the next ones.

    Above 32 MiB it maps each allocation anew, whose pages the kernel then has to clear: 20 of the
    101 ms of a convolution of the stem, 15 of the 18 ms of a sum, 10 % of a training step in bf16.
    Holds for the rest of the process; other C libraries are left as they are.
    """
    if platform.libc_ver()[0] == "glibc":
        libc = ctypes.CDLL(None)
        libc.mallopt(_M_MMAP_THRESHOLD, 1 << 30)
        libc.mallopt(_M_TRIM_THRESHOLD, (1 << 31) - 1)


def _cpu_multiplies_bf16() -> bool:
    """True if bf16 products are done in hardware: emulated, they are slower than float32."""
    if not hasattr(torch.cpu, "get_capabilities"):
        return False
    able = torch.cpu.get_capabilities()
    return bool(able.get("amx_bf16") or able.get("avx512_bf16"))
