"""The processor cores that this process may use."""

import math
import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

__all__ = ["cores"]

_ROOT = Path("/")


def cores() -> int:
    """Number of cores that this process may use, 1 or more; what `auto` threads go by.

    Those that its affinity leaves (taskset, Slurm, `docker --cpuset-cpus`), and of these no more
    than the quota of its control group (`docker --cpus`, Kubernetes): more threads would only be
    held up in turns. A quota of 1.5 cores is 2.
    """
    if hasattr(os, "sched_getaffinity"):
        allowed = len(os.sched_getaffinity(0))
    else:
        allowed = os.cpu_count() or 1
    return max(1, min(allowed, *(math.ceil(quota) for quota in (*_quotas(_ROOT), allowed))))


def _quotas(root: Path) -> Iterator[float]:
    """Cores that each control group around this process grants; groups of both kinds."""
    try:
        lines = (root / "proc/self/cgroup").read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):  # no Linux, or nothing to be seen
        return
    for line in lines:
        _, kinds, path = line.split(":", 2)
        if not kinds:  # version 2
            for folder in _upwards(root / "sys/fs/cgroup", path):
                yield from _quota(folder, ("cpu.max",))
        elif "cpu" in kinds.split(","):
            for folder in _upwards(root / "sys/fs/cgroup/cpu", path):
                yield from _quota(folder, ("cpu.cfs_quota_us", "cpu.cfs_period_us"))


def _upwards(top: Path, path: str) -> Iterator[Path]:
    """The group's folder and those above it. A container may see only the top, as its own."""
    place = PurePosixPath(path.lstrip("/"))
    yield from (top / each for each in (place, *place.parents))


def _quota(folder: Path, files: tuple[str, ...]) -> Iterator[float]:
    """Microseconds of processor time in a period by its length; nothing where none is set."""
    try:
        quota, period = " ".join((folder / name).read_text() for name in files).split()
        if int(quota) > 0 and int(period) > 0:
            yield int(quota) / int(period)
    except (OSError, ValueError):  # no such file here, "max", or -1
        return
