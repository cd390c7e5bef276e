"""A whole study on a GPU, from the start of the process: where the seconds go.

    python benchmarks/gpu_study.py IMAGES [--runs 10] [--pack 4] [--devices 2] [--set F=JSON]

IMAGES is an archive or a folder in Imagenette's layout. Trains the recipe page-v1 with several
seeds into a new study file and prints when each thing was done. The caches of pixels and of
compiled kernels are used as they are found: run it twice for both figures.
"""

import time

STARTED = time.time()

import argparse  # noqa: E402  (the clock starts before anything is loaded)
import json  # noqa: E402
import os  # noqa: E402
import tempfile  # noqa: E402
from collections import Counter  # noqa: E402
from pathlib import Path  # noqa: E402


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("images", type=Path)
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--pack", type=int, help="left out: auto")
    parser.add_argument("--devices", type=int, help="how many GPUs; left out: all")
    parser.add_argument("--set", action="append", default=[], help="field=JSON of the setup")
    parser.add_argument("-o", "--output", type=Path)
    arguments = parser.parse_args()
    marks = {"interpreter": STARTED - process_start()}

    import torch

    mark(marks, "import torch")
    torch.cuda.init()
    mark(marks, "CUDA")
    import seedwise
    from seedwise.store import Store
    from seedwise.study import Study

    mark(marks, "import seedwise")
    changes = {name: json.loads(value) for name, value in (s.split("=") for s in arguments.set)}
    stored = []

    def watch(event: object) -> None:
        name = type(event).__name__
        if name in ("Planned", "RunStarted"):
            marks.setdefault(name, time.time() - process_start())
        if name == "RunStored":
            stored.append(round(time.time() - process_start(), 3))

    with tempfile.TemporaryDirectory() as folder:
        study = Study(
            Path(folder) / "study.db",
            dataset="imagenette",
            split="page",
            source=arguments.images,
        )
        summary = study.run(
            {"page": seedwise.Setup(**changes)},
            seeds=arguments.runs,
            pack=arguments.pack,
            devices=arguments.devices,
            watch=watch,
        )
        mark(marks, "end")
        with Store.open(study.path, readonly=True) as store:
            runs = [run.made_by for run in store.runs()]
    accuracy = summary.setups[0].metrics
    result = {
        "gpu": torch.cuda.get_device_name(),
        "torch": torch.__version__,
        "runs": arguments.runs,
        "pack": arguments.pack or "auto",
        "devices": arguments.devices or "all",
        "runs_by_card": dict(Counter(f"{run.get('card', '')} {run['gpu']}" for run in runs)),
        "side_by_side": max(run.get("side_by_side", 1) for run in runs),
        "setup": changes,
        "seconds_since_process_start": {name: round(t, 3) for name, t in marks.items()},
        "runs_stored_at": stored,
        "accuracy": {name: (s.n, s.mean, s.sd0, s.sd) for name, s in accuracy.items()},
        "peak_memory_gb": torch.cuda.max_memory_allocated() / 1e9,
    }
    print(json.dumps(result))
    if arguments.output:
        arguments.output.write_text(json.dumps(result, indent=1) + "\n")


def mark(marks: dict[str, float], name: str) -> None:
    marks[name] = time.time() - process_start()


def process_start() -> float:
    """When the kernel started this process, in seconds of the wall clock."""
    ticks = int(Path("/proc/self/stat").read_text().rsplit(")", 1)[1].split()[19])
    booted = time.time() - float(Path("/proc/uptime").read_text().split()[0])
    return booted + ticks / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()
