"""Batches a second on one core: seedwise's pixel cache against DALI's CPU pipeline.

Three sides make the notebook's training batches (random resized crop to 128 px, triangle filter,
mirrored or not, normalised, batch 64) from the same images, each with one thread on one core:

* DALI from JPEG files, as the notebook trained;
* DALI fed with decoded arrays, which leaves crop, resize and normalise to it;
* seedwise from its cache of decoded pixels.

The sides take turns. Decoding the cache once is timed apart.

    python benchmarks/loader.py IMAGES [--rounds 7] [--batches 12] [-o FILE]

IMAGES is a folder in Imagenette's layout. Needs what benchmarks/README.md says.
"""

import argparse
import json
import os
import platform
import tempfile
import time
from pathlib import Path

import numpy as np
from scipy import stats

from machine import cpu_name
from seedwise import Seed, Setup
from seedwise.data import Split, draw, open_data, train_batches

BATCH, SIZE = 64, 128


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("images", type=Path)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--batches", type=int, default=12)
    parser.add_argument("-o", "--output", type=Path)
    arguments = parser.parse_args()
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    with tempfile.TemporaryDirectory() as cache:
        started = time.perf_counter()
        data = open_data(str(arguments.images), Split.of("v1"), cache=Path(cache))
        decoding = time.perf_counter() - started
        sides = {
            "DALI from JPEG": dali_from_files(data, arguments.images),
            "DALI from arrays": dali_from_arrays(data),
            "seedwise": from_cache(data),
        }
        milliseconds = {name: [] for name in sides}
        for make in sides.values():
            make(2)  # compile, start threads, fill caches
        for _ in range(arguments.rounds):
            for name, make in sides.items():
                started = time.perf_counter()
                make(arguments.batches)
                took = time.perf_counter() - started
                milliseconds[name].append(1000 * took / (arguments.batches * BATCH))
    report(milliseconds, decoding, len(data.names), arguments.output)


def from_cache(data):
    batches = iter(())
    epoch = 0
    draws = draw(Setup(epochs=5), Seed.of(0), data)

    def make(count):
        nonlocal batches, epoch
        for _ in range(count):
            batch = next(batches, None)
            if batch is None:
                batches = train_batches(data, draws, epoch % 5, size=SIZE, threads=0)
                epoch += 1
                batch = next(batches)
            assert batch[0].shape == (BATCH, SIZE, SIZE, 3)

    return make


def training_graph(images, mirror):
    """The notebook's, after decoding, in today's names."""
    from nvidia.dali import fn, types

    resized = fn.random_resized_crop(
        images,
        size=SIZE,
        random_area=[0.35, 1.0],
        interp_type=types.INTERP_TRIANGULAR,
        antialias=True,
    )
    return fn.crop_mirror_normalize(
        resized,
        mirror=mirror,
        mean=[0.485 * 255, 0.456 * 255, 0.406 * 255],
        std=[0.229 * 255, 0.224 * 255, 0.225 * 255],
        dtype=types.FLOAT,
        output_layout="HWC",
    )


def dali_from_files(data, images):
    from nvidia.dali import fn, pipeline_def, types

    files = {path.name: str(path) for path in images.rglob("*.JPEG")}
    chosen = [files[data.names[i].rsplit("/", 1)[1]] for i in data.train]

    @pipeline_def(batch_size=BATCH, num_threads=1, device_id=None, seed=1)
    def graph():
        encoded, _ = fn.readers.file(files=chosen, random_shuffle=True, name="reader")
        decoded = fn.decoders.image_random_crop(
            encoded,
            output_type=types.RGB,
            random_area=[0.35, 1.0],
            random_aspect_ratio=[3 / 4, 4 / 3],
        )
        resized = fn.resize(
            decoded, size=[SIZE, SIZE], interp_type=types.INTERP_TRIANGULAR, antialias=True
        )
        return fn.crop_mirror_normalize(
            resized,
            mirror=fn.random.coin_flip(),
            mean=[0.485 * 255, 0.456 * 255, 0.406 * 255],
            std=[0.229 * 255, 0.224 * 255, 0.225 * 255],
            dtype=types.FLOAT,
            output_layout="HWC",
        )

    return runner(graph())


def dali_from_arrays(data):
    from nvidia.dali import fn, pipeline_def

    order = np.random.default_rng(0).permutation(data.train)

    def image(info):
        return data.pixels.image(order[info.idx_in_epoch % len(order)])

    @pipeline_def(batch_size=BATCH, num_threads=1, device_id=None, seed=1)
    def graph():
        arrays = fn.external_source(image, batch=False, layout="HWC")
        return training_graph(arrays, fn.random.coin_flip())

    return runner(graph())


def runner(pipeline):
    pipeline.build()

    def make(count):
        for _ in range(count):
            (batch,) = pipeline.run()
            assert len(batch) == BATCH

    return make


def report(milliseconds, decoding, count, output):
    import nvidia.dali

    print(f"decoding {count} images once: {decoding:.1f} s on one core")
    ours = np.log(milliseconds["seedwise"])
    result = {
        "machine": f"{platform.machine()}, one core of {cpu_name()}",
        "dali": nvidia.dali.__version__,
        "decoding_seconds_once": decoding,
        "milliseconds_per_image": milliseconds,
        "seedwise_times_faster_than": {},
    }
    for name, values in milliseconds.items():
        low, high = min(values), max(values)
        print(f"{name:17} {np.median(values):6.3f} ms an image [{low:.3f}, {high:.3f}]")
        if name != "seedwise":
            logs = np.log(values) - ours
            half = stats.t.ppf(0.975, len(logs) - 1) * logs.std(ddof=1) / len(logs) ** 0.5
            low, mid, high = np.exp([logs.mean() - half, logs.mean(), logs.mean() + half])
            result["seedwise_times_faster_than"][name] = [float(low), float(mid), float(high)]
            print(
                f"    seedwise is {mid:.2f} times as fast [{low:.2f}, {high:.2f}], n = {len(logs)}"
            )
    if output:
        output.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
