"""Where the seconds of a study on a GPU go: what each of its threads did, and when.

    python benchmarks/gpu_timeline.py IMAGES [--runs 10] [--pack 5] [-o FILE]

Prints by kind of work: how often, seconds in all, and seconds until its first began and its last
ended, from the start of the process. Kinds nest (an epoch's replays, then its validation) but for
captures, which one thread makes for all.
"""

import time

STARTED = time.time()

import argparse  # noqa: E402  (the clock starts before anything is loaded)
import json  # noqa: E402
import tempfile  # noqa: E402
import threading  # noqa: E402
from collections.abc import Callable  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("images", type=Path)
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--pack", type=int)
    parser.add_argument("-o", "--output", type=Path)
    arguments = parser.parse_args()
    spans: list[tuple[str, str, float, float]] = []

    def timed(owner: Any, name: str, label: str) -> None:
        inner: Callable[..., Any] = getattr(owner, name)

        def outer(*args: Any, **more: Any) -> Any:
            began = time.time() - STARTED
            try:
                return inner(*args, **more)
            finally:
                thread = threading.current_thread().name
                spans.append((label, thread, began, time.time() - STARTED))

        setattr(owner, name, outer)

    began = time.time() - STARTED
    import torch

    torch.cuda.init()
    import seedwise
    from seedwise.store import Store
    from seedwise.study import Study
    from seedwise.train import trainer
    from seedwise.train.gpu import engine, garage, images

    spans.append(("imports", "MainThread", began, time.time() - STARTED))
    timed(engine, "initial_values", "initial weights")
    timed(engine, "draw", "draws")
    timed(garage, "start_of", "a run's start")
    timed(images._DevicePixels, "wait", "waiting for pixels")
    timed(images.ResidentImages, "begin", "tables to the device")
    timed(engine.GraphedModel, "__init__", "capture")
    timed(engine.GraphedModel, "_place", "capture: place")
    timed(engine.GraphedModel, "_warm_up", "capture: warm-up")
    timed(engine.GraphedModel, "_captured", "capture: record")
    timed(engine.GraphedModel, "reset", "reset")
    timed(engine.GraphedModel, "train_epoch", "epoch")
    timed(engine.GraphedModel, "validate", "validation")
    timed(garage._garage, "take", "waiting for a model")
    timed(trainer, "figures", "figures of an epoch")
    timed(trainer, "describe", "describe")
    timed(Store, "add_run", "store")
    with tempfile.TemporaryDirectory() as folder:
        study = Study(
            Path(folder) / "s.db", dataset="imagenette", split="page", source=arguments.images
        )
        began = time.time() - STARTED
        study.run({"page": seedwise.Setup()}, seeds=arguments.runs, pack=arguments.pack)
        spans.append(("study", "MainThread", began, time.time() - STARTED))
    for label in dict.fromkeys(span[0] for span in sorted(spans, key=lambda span: span[2])):
        mine = [span for span in spans if span[0] == label]
        total = sum(end - began for _, _, began, end in mine)
        first, last = min(span[2] for span in mine), max(span[3] for span in mine)
        print(f"{label:24} {len(mine):4}  {total:8.3f} s  from {first:7.3f} to {last:7.3f}")
    if arguments.output:
        arguments.output.write_text(json.dumps(spans) + "\n")


if __name__ == "__main__":
    main()
