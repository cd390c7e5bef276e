"""Small pictures and datasets, made by the tests."""

import io
import tarfile
import zipfile

import numpy as np
from PIL import Image


def picture(seed, *, height=20, width=24):
    """Smooth noise: JPEG keeps it well."""
    rng = np.random.default_rng(seed)
    small = Image.fromarray(rng.integers(0, 256, (4, 5, 3), dtype=np.uint8))
    return np.asarray(small.resize((width, height), Image.Resampling.BICUBIC))


def encoded(pixels, kind="PNG", **options):
    file = io.BytesIO()
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    image.save(file, kind, **options)
    return file.getvalue()


def folders(root, layout, *, kind="png"):
    """A dataset in folders: {path without suffix: seed of its picture}."""
    for path, seed in layout.items():
        file = root / f"{path}.{kind}"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(encoded(picture(seed), "JPEG" if kind == "jpg" else kind))
    return root


def as_tar(folder, target, mode="w"):
    with tarfile.open(target, mode) as archive:
        archive.add(folder, arcname=folder.name)
    return target


def as_zip(folder, target):
    with zipfile.ZipFile(target, "w") as archive:
        for file in sorted(folder.rglob("*")):
            archive.write(file, file.relative_to(folder.parent))
    return target


LAYOUT = {
    "train/cat/a": 0,
    "train/cat/b": 1,
    "train/cat/c": 2,
    "train/dog/d": 3,
    "train/dog/e": 4,
    "train/dog/f": 5,
    "val/cat/g": 6,
    "val/dog/h": 7,
}
