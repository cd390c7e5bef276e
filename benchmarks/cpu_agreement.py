"""Whether the CPU engine's fused parts train as the plain ones do: same seeds, real images.

Trains a small network at few pixels on a part of Imagenette, three times a seed: fused and plain
in bf16, and plain in float32, which is the yardstick: what separates fused from plain should be no
more than what separates bf16 from float32.

    python benchmarks/cpu_agreement.py IMAGES CACHE [--seeds 6] [-o FILE]
"""

import argparse
import json
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import numpy as np
from scipy import stats

from seedwise import Seed, Setup
from seedwise.data import Split, open_data
from seedwise.train import train
from seedwise.train.cpu import parts

SIDES = {
    "fused bf16": ("bf16", True),
    "plain bf16": ("bf16", False),
    "plain float32": ("float32", False),
}
SETUP = Setup(model="xresnet10-narrow", size=32, epochs=4, deterministic=True, loader="cache")
TRAIN, VALID = 2560, 1250


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("images", type=Path)
    parser.add_argument("cache", type=Path)
    parser.add_argument("--seeds", type=int, default=6)
    parser.add_argument("-o", "--output", type=Path)
    arguments = parser.parse_args()
    whole = open_data(str(arguments.images), Split.of("page"), cache=arguments.cache)
    rng = np.random.default_rng(0)
    data = replace(
        whole,
        train=np.sort(rng.choice(whole.train, TRAIN, replace=False)),
        valid=np.sort(rng.choice(whole.valid, VALID, replace=False)),
    )
    runs = {side: [] for side in SIDES}
    for seed in range(arguments.seeds):
        for side, (precision, fused) in SIDES.items():
            with patch.object(parts, "fits", lambda *_, fused=fused: fused):
                runs[side].append(train(SETUP.but(precision=precision), Seed.of(seed), data))
    report(runs, arguments.output)


def report(runs, output):
    figures = {
        side: {
            "accuracy": [run.epochs[-1].figures["accuracy"] for run in made],
            "valid_loss": [run.epochs[-1].figures["valid_loss"] for run in made],
            "train_loss": [run.epochs[-1].figures["train_loss"] for run in made],
        }
        for side, made in runs.items()
    }
    for side, values in figures.items():
        print(
            side,
            {name: f"{np.mean(v):.4f} sd {np.std(v, ddof=1):.4f}" for name, v in values.items()},
        )
    for other in ("fused bf16", "plain float32"):
        for name in ("accuracy", "valid_loss"):
            apart = np.subtract(figures[other][name], figures["plain bf16"][name])
            half = stats.t.ppf(0.975, len(apart) - 1) * stats.sem(apart)
            mean, sd = apart.mean(), apart.std(ddof=1)
            print(f"{other} - plain bf16, {name}: {mean:+.4f} ± {half:.4f}, sd {sd:.4f}")
        pairs = zip(runs[other], runs["plain bf16"], strict=True)
        churn = [np.mean(a.logits.argmax(-1) != b.logits.argmax(-1)) for a, b in pairs]
        print(
            f"{other} and plain bf16 answer differently: {np.mean(churn):.4f} of the predictions"
        )
        figures[other]["churn"] = [float(share) for share in churn]
    if output:
        output.write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
