"""DALI itself, on a CPU, against its reference figures and against the loader from the cache."""

import hashlib
import tarfile

import numpy as np
import pytest
import torch

from helpers.libraries import library
from helpers.pictures import encoded, picture
from helpers.reference import SHARED
from seedwise.crops import CROPS
from seedwise.data import Split, choose_loader, draw, open_data
from seedwise.data.augment import MEAN, STD
from seedwise.data.decode import decode
from seedwise.seeds import Seed
from seedwise.setups import Setup
from seedwise.train import train

library("nvidia.dali", install="pip install --no-deps nvidia-dali-cuda130")
pytestmark = pytest.mark.adapters

REFERENCE = SHARED / "reference" / "dali_valid.npz"
IMAGES = SHARED / "data" / "imagenette-224.tar"
SETUP = Setup(
    model="xresnet10-narrow",
    epochs=2,
    batch_size=4,
    size=32,
    precision="float32",
    deterministic=True,
    loader="dali",
)
DALI, CACHE = (choose_loader(name, device="cpu") for name in ("dali", "cache"))


def a_data_set(root, images):
    """A dataset of images by their paths."""
    for path, image in images.items():
        file = root / "pets" / f"{path}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(encoded(image))
    return open_data(str(root / "pets"), Split.of("shipped"), cache=root / "cache")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Images of many shapes, larger and smaller than what is made of them."""
    sides = np.random.default_rng(0).integers(9, 90, (24, 2))
    images = {
        f"{'train' if i < 13 else 'val'}/{'ab'[i % 2]}/{i:02}": picture(i, height=h, width=w)
        for i, (h, w) in enumerate(sides)
    }
    return a_data_set(tmp_path_factory.mktemp("data"), images)


def levels(images):
    """Back to the scale of 0 to 255."""
    return np.asarray(images) * np.array(STD) + np.array(MEAN)


@pytest.mark.images
@pytest.mark.skipif(not REFERENCE.exists(), reason="the reference images are not beside this")
@pytest.mark.parametrize("mirrored", [False, True])
def test_validation_images_are_those_of_the_notebooks_graph(tmp_path, mirrored):
    with np.load(REFERENCE) as reference:
        want, decoded = reference[f"out_mirror{int(mirrored)}"], reference["decoded_u8"]
    images = {f"val/b/{i}": image for i, image in enumerate(decoded)}
    pictures = a_data_set(tmp_path, {"train/a/0": decoded[0], **images})
    batches = DALI.valid(pictures, size=128, batch_size=4, threads=1, mirrored=mirrored)
    got = np.concatenate([np.asarray(batch) for batch in batches])
    np.testing.assert_allclose(got.transpose(0, 3, 1, 2), want, rtol=0, atol=1e-5)


@pytest.mark.images
@pytest.mark.skipif(not IMAGES.exists(), reason="the reference images are not beside this")
def test_the_cache_holds_what_dalis_decoder_gives():
    """The graphs begin behind the decoder: this is what makes them the notebook's."""
    with np.load(REFERENCE) as reference, tarfile.open(IMAGES) as archive:
        digests = dict(zip(reference["sha256"], reference["decoded_u8"], strict=True))
        for member in archive:
            content = archive.extractfile(member).read() if member.isfile() else b""
            want = digests.pop(hashlib.sha256(content).hexdigest(), None)
            if want is not None:
                np.testing.assert_array_equal(decode(content), want)
            if not digests:
                return
    pytest.fail(f"{len(digests)} of the reference files are not in {IMAGES}")


@pytest.mark.parametrize("threads", [0, 2])
def test_crops_are_those_of_the_cache_but_for_the_rounding_to_whole_levels(data, threads):
    """DALI rounds to uint8 before it normalises; that is half a level at most."""
    draws = draw(SETUP, Seed.of(3), data)
    assert 0 < draws.mirrored.mean() < 1
    for epoch in range(SETUP.epochs):
        pairs = zip(
            DALI.train(data, draws, epoch, size=32, threads=threads),
            CACHE.train(data, draws, epoch, size=32, threads=0),
            strict=True,
        )
        for (images, targets), (ours, our_targets) in pairs:
            np.testing.assert_array_equal(targets, our_targets)
            assert np.abs(levels(images) - levels(ours)).max() < 0.51
            np.testing.assert_allclose(levels(images), np.rint(levels(images)), atol=1e-4)


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("crop", CROPS)
def test_crops_for_validation_of_any_shape_are_too(data, crop, mirrored):
    arguments = {"size": 32, "batch_size": 4, "crop": crop, "mirrored": mirrored}
    got, want = (
        np.concatenate([np.asarray(batch) for batch in loader.valid(data, threads=0, **arguments)])
        for loader in (DALI, CACHE)
    )
    assert got.shape == (11, 32, 32, 3)
    assert np.abs(levels(got) - levels(want)).max() < 0.51


def test_a_batch_outlives_the_next_ones(data):
    draws = draw(SETUP, Seed.of(0), data)
    held = [images for images, _ in DALI.train(data, draws, 0, size=32, threads=2)]
    fresh = DALI.train(data, draws, 0, size=32, threads=0)
    for kept, (images, _) in zip(held, fresh, strict=True):
        np.testing.assert_array_equal(np.asarray(kept), np.asarray(images))


def test_a_training_from_dali_repeats_and_stays_close_to_one_from_the_cache(data):
    first, again = (train(SETUP, Seed.of(1), data) for _ in range(2))
    np.testing.assert_array_equal(first.logits, again.logits)
    cached = train(SETUP.but(loader="cache"), Seed.of(1), data)
    apart = np.abs(first.logits.astype(float) - cached.logits)
    other = np.abs(train(SETUP, Seed.of(2), data).logits.astype(float) - first.logits)
    assert 0 < apart.mean() < other.mean() / 5


@pytest.mark.gpu
def test_batches_made_on_a_gpu_are_those_made_on_a_cpu(data, cuda):
    """Both round to whole levels; where they round differently is one level."""
    draws = draw(SETUP, Seed.of(3), data)
    there = choose_loader("dali", device=cuda)
    on_gpu = [
        *(images for images, _ in there.train(data, draws, 0, size=32, threads=2)),
        *there.valid(data, size=32, batch_size=4, threads=2),
    ]
    on_cpu = [
        *(images for images, _ in DALI.train(data, draws, 0, size=32, threads=0)),
        *DALI.valid(data, size=32, batch_size=4, threads=0),
    ]
    for images, ours in zip(on_gpu, on_cpu, strict=True):
        moved = torch.from_dlpack(images)
        assert moved.is_cuda
        assert np.abs(levels(moved.cpu().numpy()) - levels(ours)).max() < 1.01
