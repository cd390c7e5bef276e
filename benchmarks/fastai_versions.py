"""fastai 1.0.61 against fastai 2.8: the seconds of an epoch and of its parts, on a CPU.

Both train from the same JPEG files by the recipe that each library has for Imagenette: cropped and
resized by Pillow, mirrored, normalised, batches of 64 at 128 px, our model and our Ranger, label
smoothing, flat-then-cosine, float32. Arithmetic has one thread, and loading one worker process.
Each side is a process of its own in an environment of its own; the sides take turns.

    python benchmarks/fastai_versions.py run IMAGES PYTHON1 PYTHON2 [--rounds 7] [--long 3] -o FILE
    python benchmarks/fastai_versions.py table FILE
    python benchmarks/fastai_versions.py loops PYTHON1 PYTHON2 [--rounds 7] -o FILE

IMAGES has train/ and val/ with class folders; the first images of each class are taken. PYTHON1
and PYTHON2 are the interpreters of the environments that benchmarks/README.md names; `run` calls
`side` in each of them. `loops` measures what a Learner adds to each step of a plain loop, and for
fastai2 0.0.11 as well, of about the notebook's date: its loop still runs under today's torch.
"""

import argparse
import json
import os
import platform
import subprocess
import tempfile
import time
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path
from statistics import median

from machine import cpu_name

SIZE, BATCH = 128, 64
TRAIN, VALID = 128, 50  # images a class
NETWORKS = {"small": "xresnet10-narrow", "recipe": "xresnet18"}
PACKAGES = ("fastai", "fastcore", "torch", "torchvision", "pillow", "numpy")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    modes = parser.add_subparsers(dest="mode", required=True)
    run = modes.add_parser("run", help="measure both")
    run.add_argument("images", type=Path)
    run.add_argument("pythons", nargs=2)
    run.add_argument("--rounds", type=int, default=7, help="of the parts and the small network")
    run.add_argument("--long", type=int, default=3, help="rounds of the recipe's network as well")
    run.add_argument("-o", "--output", type=Path, required=True)
    side = modes.add_parser("side", help="measure the fastai that is here, once")
    side.add_argument("folder", type=Path)
    side.add_argument("network", choices=NETWORKS)
    table = modes.add_parser("table", help="print what was measured")
    table.add_argument("file", type=Path)
    loops = modes.add_parser("loops", help="measure what the three training loops add to a step")
    loops.add_argument("pythons", nargs=2)
    loops.add_argument("--rounds", type=int, default=7)
    loops.add_argument("-o", "--output", type=Path, required=True)
    loop = modes.add_parser("loop", help="measure the loop of a fastai that is here, once")
    loop.add_argument("package", choices=("fastai", "fastai2"))
    arguments = parser.parse_args()
    if arguments.mode == "run":
        run_rounds(arguments)
    elif arguments.mode == "loops":
        run_loops(arguments)
    elif arguments.mode == "loop":
        print(json.dumps(one_loop(arguments.package)))
    elif arguments.mode == "side":
        print(json.dumps(one_side(arguments.folder, arguments.network)))
    else:
        print(as_table(json.loads(arguments.file.read_text())))


def run_rounds(arguments: argparse.Namespace) -> None:
    record = {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, {cpu_name()}",
        "images": f"{10 * TRAIN} for training, {10 * VALID} for validation",
        "rounds": [],
    }
    with tempfile.TemporaryDirectory() as folder:
        take(arguments.images, Path(folder))
        for number in range(arguments.rounds):
            networks = ["small"] + ["recipe"] * (number < arguments.long)
            for network in networks:
                for python in arguments.pythons:
                    load = os.getloadavg()[0]
                    command = [python, __file__, "side", folder, network]
                    done = subprocess.run(command, check=True, capture_output=True, text=True)
                    result = json.loads(done.stdout.splitlines()[-1])
                    record["rounds"].append({"round": number, "load": load} | result)
                    print(number, network, result["versions"]["fastai"], flush=True)
                    arguments.output.write_text(json.dumps(record, indent=1) + "\n")
    print(as_table(record))


def run_loops(arguments: argparse.Namespace) -> None:
    one, two = arguments.pythons
    milliseconds: dict[str, list[float]] = {}
    loads = []
    for _ in range(arguments.rounds):
        for python, package in ((one, "fastai"), (one, "fastai2"), (two, "fastai")):
            loads.append(os.getloadavg()[0])
            command = [python, __file__, "loop", package]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            name, seconds = json.loads(done.stdout.splitlines()[-1])
            milliseconds.setdefault(name, []).append(1000 * seconds)
    for name, values in milliseconds.items():
        print(f"{name}: {median(values):.3f} ms [{min(values):.3f}, {max(values):.3f}]")
    record = {"milliseconds a step": milliseconds, "load": loads}
    arguments.output.write_text(json.dumps(record, indent=1) + "\n")


def one_loop(package: str) -> tuple[str, float]:
    """The library and what its loop adds to a step, in seconds."""
    import torch

    import torchvision_alone  # noqa: F401 - both import torchvision

    torch.set_num_threads(1)
    side = Version2020() if package == "fastai2" else SIDES[version(package)[0]]()
    return f"{package} {version(package)}", looping(side)


def take(images: Path, folder: Path) -> None:
    """Links to the first images of each class, by name."""
    for group, most in (("train", TRAIN), ("val", VALID)):
        for each in sorted((images / group).iterdir()):
            (folder / group / each.name).mkdir(parents=True)
            for file in sorted(each.iterdir())[:most]:
                (folder / group / each.name / file.name).symlink_to(file.resolve())


def one_side(folder: Path, network: str) -> dict[str, object]:
    """What one process measures, in seconds."""
    import torch

    import torchvision_alone  # noqa: F401 - both import torchvision

    torch.set_num_threads(1)
    side = SIDES[version("fastai")[0]]()
    epochs = side.epochs(folder, NETWORKS[network], 1 if network == "recipe" else 2)
    return {
        "network": network,
        "versions": {name: version(name) for name in PACKAGES},
        "last epoch": epochs[-1],
        "parts": parts(side, folder) if network == "small" else {},
    }


def parts(side: "Version1 | Version2", folder: Path) -> dict[str, float]:
    """Seconds of loading, and of an optimizer's step."""
    result = {}
    for flip in side.flips:
        data = side.data(folder, flip)
        images = range(0, 10 * TRAIN, 10)
        result[f"an image, mirrored by {flip}"] = best(
            lambda: [side.item(data, image) for image in images],  # noqa: B023
            per=len(images),
        )
        batch = side.collated(data, [side.item(data, image) for image in range(BATCH)])
        result[f"a batch in the main process, mirrored by {flip}"] = best(
            lambda: side.transformed(data, batch),  # noqa: B023
            per=1,
        )
        for what, loader in zip(("training", "validation"), side.loaders(data), strict=True):
            result[f"loading for {what}, mirrored by {flip}"] = best(
                lambda: [None for _ in loader],  # noqa: B023
                per=1,
                times=2,
            )
    for name, step in side.optimizer_steps().items():
        result[f"an optimizer step, {name}"] = best(step, per=1, times=20)
    return result


def best(work, *, per: int, times: int = 3) -> float:
    """Seconds of the fastest of some times, after one that does not count."""
    seconds = []
    for _ in range(times + 1):
        started = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - started)
    return min(seconds[1:]) / per


def looping(side: "Version1 | Version2", steps: int = 200) -> float:
    """What a Learner's fit adds to each step of a plain loop; the network is next to nothing."""
    import torch

    batches = [(torch.zeros(BATCH, 3, 2, 2), torch.zeros(BATCH, dtype=torch.long))] * steps
    loader = side.loader(batches)

    def network() -> torch.nn.Module:
        return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(12, 10))

    def plain() -> None:
        model = network()
        update, loss_of = ranger()(model.parameters(), lr=4e-3), side.loss()
        for images, targets in loader:
            loss = loss_of(model(images), targets)
            loss.backward()
            update.step()
            update.zero_grad()
            loss.item()

    learner = side.learner(side.ready(loader, side.loader(batches[:1])), network())
    return best(lambda: side.fit(learner, 1), per=steps) - best(plain, per=steps)


def ranger():
    from functools import partial

    from seedwise.optim import Ranger

    return partial(Ranger, betas=(0.95, 0.99), eps=1e-6)


def our_model(name: str):
    from seedwise.models import build, initialise

    model = build(name, classes=10, self_attention=True, activation="mish")
    initialise(model, 0)
    return model


class Version1:
    """fastai 1.0.61, by the recipe of its own examples: train_imagenette.py."""

    flips = ("item",)

    def data(self, folder: Path, flip: str):
        from fastai import vision

        files = vision.ImageList.from_folder(folder).split_by_folder("train", "val")
        labelled = files.label_from_folder().transform(([vision.flip_lr(p=0.5)], []), size=SIZE)
        bunch = labelled.databunch(bs=BATCH, num_workers=1)
        return bunch.presize(SIZE, scale=(0.35, 1)).normalize(vision.imagenet_stats)

    def loaders(self, data):
        return data.train_dl, data.valid_dl

    def item(self, data, image: int):
        return data.train_ds[image]

    def collated(self, data, items):
        return data.train_dl.collate_fn(items)

    def transformed(self, data, batch):
        return data.train_dl.proc_batch([part.clone() for part in batch])

    def loss(self):
        from fastai.layers import LabelSmoothingCrossEntropy

        return LabelSmoothingCrossEntropy()

    def loader(self, batches):
        import torch
        from fastai import basic_data  # noqa: F401 - it changes DataLoader

        return torch.utils.data.DataLoader(batches, batch_size=None)

    def ready(self, train, valid):
        from fastai.basic_data import DataBunch

        return DataBunch(train, valid, device="cpu", collate_fn=list, no_check=True)

    def learner(self, data, model):
        from fastai.basic_train import Learner
        from fastai.metrics import accuracy

        return Learner(
            data,
            model,
            opt_func=ranger(),
            wd=1e-2,
            bn_wd=False,
            true_wd=True,
            loss_func=self.loss(),
            metrics=[accuracy],
        )

    def fit(self, learner, epochs: int) -> None:
        from fastai.utils.mod_display import progress_disabled_ctx

        from seedwise.adapters.fastai1 import fit_flat_cos

        with progress_disabled_ctx(learner):
            fit_flat_cos(learner, epochs, 4e-3)

    def optimizer_steps(self):
        from fastai.callback import OptimWrapper

        model = with_gradients()
        update = OptimWrapper.create(ranger(), 4e-3, [model], wd=1e-2, true_wd=True, bn_wd=False)
        return {"our Ranger": update.step}

    def epochs(self, folder: Path, network: str, epochs: int) -> list[dict[str, float]]:
        from fastai.basic_train import LearnerCallback

        marks = []

        class Stopwatch(LearnerCallback):
            def on_epoch_begin(self, **_) -> None:
                marks.append([time.perf_counter(), 0.0, 0.0])

            def on_batch_end(self, train: bool, **_) -> None:
                marks[-1][1 if train else 2] = time.perf_counter()

        learner = self.learner(self.data(folder, "item"), our_model(network))
        learner.callback_fns.append(Stopwatch)
        self.fit(learner, epochs)
        return [between(mark) for mark in marks]


class Version2:
    """fastai 2.8, mirroring batches as its examples do, or each image as fastai 1 does."""

    flips = ("batch", "item")

    def data(self, folder: Path, flip: str):
        from fastai.vision import all as fastai

        # the rim that validation cuts off is 32 pixels in fastai 1, and in 2 a share of the size
        crop = fastai.RandomResizedCrop(SIZE, min_scale=0.35, val_xtra=0.25)
        normalise = fastai.Normalize.from_stats(*fastai.imagenet_stats)
        return fastai.ImageDataLoaders.from_folder(
            folder,
            train="train",
            valid="val",
            bs=BATCH,
            val_bs=BATCH,
            num_workers=1,
            item_tfms=[crop, fastai.FlipItem()] if flip == "item" else crop,
            batch_tfms=normalise if flip == "item" else [fastai.Flip(), normalise],
        )

    def loaders(self, data):
        return data.train, data.valid

    def item(self, data, image: int):
        return data.train.do_item(image)

    def collated(self, data, items):
        return data.train.create_batch(data.train.before_batch(items))

    def transformed(self, data, batch):
        return data.train.after_batch(tuple(part.clone() for part in batch))

    def loss(self):
        from fastai.losses import LabelSmoothingCrossEntropy

        return LabelSmoothingCrossEntropy()

    def loader(self, batches):
        import torch

        return torch.utils.data.DataLoader(batches, batch_size=None)

    def ready(self, train, valid):
        from fastai.data.core import DataLoaders

        return DataLoaders(train, valid, device="cpu")

    def learner(self, data, model, cbs=()):
        from fastai.callback import schedule  # noqa: F401 - fit_flat_cos
        from fastai.learner import Learner
        from fastai.metrics import accuracy

        return Learner(
            data,
            model,
            opt_func=wrapped_ranger,
            loss_func=self.loss(),
            metrics=[accuracy],
            cbs=list(cbs),
        )

    def fit(self, learner, epochs: int) -> None:
        from fastai.callback import progress  # noqa: F401 - no_bar

        with learner.no_bar(), learner.no_logging():
            learner.fit_flat_cos(epochs, 4e-3, pct_start=0.72, wd=1e-2)

    def optimizer_steps(self):
        from fastai.optimizer import ranger as its_own

        ours = wrapped_ranger(list(with_gradients().parameters()), lr=4e-3)
        ours.set_hyper("wd", 1e-2)
        own = its_own(list(with_gradients().parameters()), lr=4e-3, wd=1e-2)
        return {"our Ranger": ours.step, "its own ranger": own.step}

    def epochs(self, folder: Path, network: str, epochs: int) -> list[dict[str, float]]:
        from fastai.callback.core import Callback

        marks = []

        class Stopwatch(Callback):
            def before_epoch(self) -> None:
                marks.append([time.perf_counter(), 0.0, 0.0])

            def after_batch(self) -> None:
                marks[-1][1 if self.training else 2] = time.perf_counter()

        learner = self.learner(self.data(folder, "batch"), our_model(network), [Stopwatch()])
        self.fit(learner, epochs)
        return [between(mark) for mark in marks]


class Version2020(Version2):
    """fastai2 0.0.11: its loop alone."""

    def __init__(self) -> None:
        import torch

        # it looks at each attribute of a vector, and these raise in a later torch
        for name in ("H", "mH", "mT", "imag"):
            setattr(torch.Tensor, name, None)

    def loss(self):
        from fastai2.layers import LabelSmoothingCrossEntropy

        return LabelSmoothingCrossEntropy()

    def ready(self, train, valid):
        import torch
        from fastai2.basics import DataLoaders

        return DataLoaders(train, valid, device=torch.device("cpu"))

    def learner(self, data, model, cbs=()):
        from fastai2.basics import Learner, OptimWrapper, accuracy

        def wrapped(parameters, lr: float):
            return OptimWrapper(ranger()(list(parameters), lr=lr))

        return Learner(
            data,
            model,
            opt_func=wrapped,
            loss_func=self.loss(),
            metrics=[accuracy],
            cbs=list(cbs),
        )

    def fit(self, learner, epochs: int) -> None:
        from fastai2.callback import all as _  # noqa: F401 - no_bar, fit_flat_cos

        with learner.no_bar(), learner.no_logging():
            learner.fit_flat_cos(epochs, 4e-3, pct_start=0.72, wd=1e-2)


SIDES = {"1": Version1, "2": Version2}


def wrapped_ranger(parameters, lr):
    from fastai.optimizer import OptimWrapper

    return OptimWrapper(parameters, opt=ranger(), lr=lr)


def with_gradients():
    """The recipe's network with a gradient in each tensor."""
    import torch

    model = our_model(NETWORKS["recipe"])
    for tensor in model.parameters():
        tensor.grad = torch.full_like(tensor, 1e-3)
    return model


def between(mark: list[float]) -> dict[str, float]:
    train, valid = (end - start for start, end in pairwise(mark))
    return {"training": train, "validation": valid}


def as_table(record: dict) -> str:
    """Median, range and number of each figure, of both versions."""
    figures: dict[str, dict[str, list[float]]] = {}
    for one in record["rounds"]:
        seconds = {f"{one['network']}: {name}": s for name, s in one["last epoch"].items()}
        seconds[f"{one['network']}: an epoch"] = sum(one["last epoch"].values())
        for name, value in (seconds | one["parts"]).items():
            figures.setdefault(name, {}).setdefault(one["versions"]["fastai"][0], []).append(value)
    lines = ["| seconds, median [range], n | fastai 1 | fastai 2 |", "| --- | --- | --- |"]
    for name, sides in figures.items():
        cells = [
            f"{median(sides[side]):.4g} [{min(sides[side]):.4g}, {max(sides[side]):.4g}], "
            f"{len(sides[side])}"
            if side in sides
            else ""
            for side in "12"
        ]
        lines.append(f"| {name} | {cells[0]} | {cells[1]} |")
    loads = [one["load"] for one in record["rounds"]]
    return "\n".join([*lines, f"load {min(loads):.1f} to {max(loads):.1f}"])


if __name__ == "__main__":
    main()
