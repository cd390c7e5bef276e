"""A fastai Learner from our DataLoaders against the same Learner from its ImageDataLoaders.

Both sides train the same network, by the same fastai Learner, from the same JPEG files and the
same initial weights: xresnet10-narrow with Mish at 64 px, batch 64, Ranger, flat-then-cosine. What
differs is where batches come from: fastai decodes, crops and flips; ours come from the pixel
cache, which is made before the clock starts and whose making is reported apart. Arithmetic has one
thread, and loading one more: a worker process of fastai's, a thread of ours. Each side is a
process of its own; the sides take turns.

    python benchmarks/fastai_loaders.py ARCHIVE [--rounds 3] [--epochs 5] [-o FILE]

ARCHIVE is Imagenette as one archive in v1 or v2 layout; 200 training and 50 validation images a
class are taken from it. Needs what benchmarks/README.md says.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tarfile
import tempfile
import time
from functools import partial
from importlib.metadata import version
from pathlib import Path

from machine import cpu_name

SIDES = ("ImageDataLoaders", "data_loaders")
SIZE, BATCH = 64, 64
TRAIN, VALID = 200, 50
PACKAGES = ("seedwise", "fastai", "fastcore", "torch", "torchvision", "pillow", "numpy")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("images", type=Path)
    parser.add_argument("--rounds", type=int, default=3, help="seeds, one a round")
    parser.add_argument("--epochs", type=int, default=5, help="2 or more: the first is not timed")
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    parser.add_argument("--seed", type=int, default=0, help=argparse.SUPPRESS)
    parser.add_argument("-o", "--output", type=Path)
    arguments = parser.parse_args()
    if arguments.side:
        print(json.dumps(one_side(arguments)))
        return
    with tempfile.TemporaryDirectory() as folder:
        images = chosen_images(arguments.images, Path(folder) / "images")
        os.environ["SEEDWISE_CACHE"] = f"{folder}/cache"
        started = time.perf_counter()
        open_images(images)
        decoding = time.perf_counter() - started
        results = {side: [] for side in SIDES}
        for seed in range(arguments.rounds):
            for side in SIDES:
                results[side].append(one_round(side, seed, images, arguments.epochs))
                print(f"seed {seed} {side:17} {results[side][-1]}", flush=True)
    report(results, decoding, arguments)


def chosen_images(archive: Path, folder: Path) -> Path:
    """The first images of each class, as folders, with their files as they are."""
    from seedwise.data import Split

    data = open_images(archive, Split.of("page"))
    places: dict[str, Path] = {}
    for group, images, most in (("train", data.train, TRAIN), ("val", data.valid, VALID)):
        taken = dict.fromkeys(data.classes, 0)
        for name in (data.names[i] for i in images):
            taken[name.split("/")[0]] += 1
            if taken[name.split("/")[0]] <= most:
                places[name] = folder / group / name
    with tarfile.open(archive) as files:
        for member in files:
            path = places.get("/".join(member.name.split("/")[-2:]))
            if path is not None:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(files.extractfile(member).read())
    return folder


def open_images(folder: Path, split=None):
    from seedwise.data import Split, open_data

    return open_data(str(folder), split or Split.of("shipped"))


def one_round(side: str, seed: int, images: Path, epochs: int) -> dict[str, float]:
    command = [sys.executable, __file__, str(images), "--side", side]
    command += ["--seed", str(seed), "--epochs", str(epochs)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def one_side(arguments: argparse.Namespace) -> dict[str, float]:
    """Images a second of loading alone and of training, and the accuracy of the original view."""
    import torch

    import torchvision_alone  # noqa: F401 - fastai.vision imports torchvision

    torch.set_num_threads(1)
    from fastai.vision import all as fastai

    from seedwise import Setup
    from seedwise.adapters.fastai import RecordRun, data_loaders, smoothed_accuracy
    from seedwise.models import build, initialise
    from seedwise.optim import Ranger
    from seedwise.stats import accuracy
    from seedwise.store import Store

    class Stopwatch(fastai.Callback):
        """Time of each training epoch, from before its first batch to after its last step."""

        def before_fit(self) -> None:
            self.seconds = []

        def before_train(self) -> None:
            self.started = time.perf_counter()

        def after_train(self) -> None:
            self.seconds.append(time.perf_counter() - self.started)

    setup = Setup(model="xresnet10-narrow", size=SIZE, batch_size=BATCH, epochs=arguments.epochs)
    make = {
        "data_loaders": lambda: data_loaders(
            setup, arguments.seed, open_images(arguments.images), threads=1
        ),
        "ImageDataLoaders": lambda: fastai.ImageDataLoaders.from_folder(
            arguments.images,
            train="train",
            valid="val",
            bs=BATCH,
            num_workers=1,
            item_tfms=fastai.RandomResizedCrop(SIZE, min_scale=setup.area[0]),
            batch_tfms=[fastai.Flip(), fastai.Normalize.from_stats(*fastai.imagenet_stats)],
        ),
    }[arguments.side]
    loaders = make()
    loading = []
    for _ in range(2):
        started = time.perf_counter()
        for _ in loaders.train:
            pass
        loading.append(len(loaders.train) * BATCH / (time.perf_counter() - started))
    fastai.set_seed(arguments.seed)
    model = build(setup.model, classes=10, self_attention=True, activation="mish")
    initialise(model, arguments.seed)
    study = Path(tempfile.mkdtemp()) / "study.db"
    learner = fastai.Learner(
        make(),
        model,
        loss_func=fastai.LabelSmoothingCrossEntropy(),
        opt_func=partial(fastai.OptimWrapper, opt=Ranger, betas=setup.betas, eps=setup.eps),
        metrics=[fastai.accuracy, smoothed_accuracy],
        cbs=[watch := Stopwatch(), RecordRun(study, setup=arguments.side, seed=arguments.seed)],
    )
    with learner.no_bar(), learner.no_logging():
        learner.fit_flat_cos(setup.epochs, setup.lr, pct_start=setup.flat, wd=setup.weight_decay)
    with Store.open(study, readonly=True) as store:
        (run,) = store.runs()
        logits, targets = store.logits([run.id])[0], store.dataset().targets
    return {
        "loading_images_per_second": max(loading),
        "training_images_per_second": len(watch.seconds[1:])
        * len(learner.dls.train)
        * BATCH
        / sum(watch.seconds[1:]),
        "accuracy": float(accuracy(logits, targets, views="original")),
    }


def report(results: dict, decoding: float, arguments: argparse.Namespace) -> None:
    """Each figure by its side, and ratios with a t interval of the mean logarithm."""
    import numpy as np
    from scipy import stats

    record = {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, {cpu_name()}",
        "versions": {
            name: version(name)
            for name in (
                "seedwise",
                "fastai",
                "fastcore",
                "torch",
                "torchvision",
                "pillow",
                "numpy",
            )
        },
        "images": f"{10 * TRAIN} for training, {10 * VALID} for validation",
        "epochs": arguments.epochs,
        "decoding_seconds_once": decoding,
        "rounds": results,
        "ours_to_theirs": {},
    }
    for figure in results[SIDES[0]][0]:
        theirs, ours = (np.array([one[figure] for one in results[side]]) for side in SIDES)
        print(f"{figure}: {SIDES[0]} {theirs.round(3)}, {SIDES[1]} {ours.round(3)}")
        if figure == "accuracy" or len(ours) < 2:
            continue
        logs = np.log(ours / theirs)
        half = stats.t.ppf(0.975, len(logs) - 1) * logs.std(ddof=1) / len(logs) ** 0.5
        low, mid, high = np.exp([logs.mean() - half, logs.mean(), logs.mean() + half])
        record["ours_to_theirs"][figure] = [float(low), float(mid), float(high)]
        print(f"    ours is {mid:.2f} times as fast [{low:.2f}, {high:.2f}], n = {len(logs)}")
    print(f"decoding once: {decoding:.1f} s")
    if arguments.output:
        arguments.output.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
