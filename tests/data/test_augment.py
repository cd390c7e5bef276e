import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.reference import SHARED
from helpers.resample_reference import resample_reference
from seedwise.crops import CROPS
from seedwise.data import Pixels, centre_windows, crop_windows, resample
from seedwise.data.augment import MEAN, STD, crop_offsets, shorter_side

DALI = SHARED / "reference" / "dali_valid.npz"


def pixels_of(*images):
    sizes = np.array([image.shape[:2] for image in images], dtype=np.int32)
    ends = np.cumsum([image.size for image in images])
    return Pixels(
        flat=np.concatenate([image.ravel() for image in images]),
        offsets=np.concatenate([[0], ends[:-1]]).astype(np.int64),
        heights=sizes[:, 0].copy(),
        widths=sizes[:, 1].copy(),
    )


def noise(seed, height, width):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def levels(shown):
    """Back to the scale of 0 to 255."""
    return shown * np.array(STD) + np.array(MEAN)


@st.composite
def cropped(draw):
    height, width = draw(st.integers(1, 40)), draw(st.integers(1, 40))
    box_height, box_width = draw(st.integers(1, height)), draw(st.integers(1, width))
    top, left = draw(st.integers(0, height - box_height)), draw(st.integers(0, width - box_width))
    image = noise(draw(st.integers(0, 99)), height, width)
    return image, (top, left, box_height, box_width)


@given(st.lists(cropped(), min_size=1, max_size=3), st.integers(8, 33), st.data())
def test_crops_of_any_size_are_those_of_the_written_out_definition(crops, size, data):
    """Odd sizes, crops of one pixel, enlargements and reductions."""
    pixels = pixels_of(*(image for image, _ in crops))
    windows = crop_windows(np.array([box for _, box in crops], dtype=np.int32), size)
    count = len(crops)
    mirrored = np.array(data.draw(st.lists(st.booleans(), min_size=count, max_size=count)))
    arguments = (pixels, np.arange(count), windows, mirrored)
    got, want = resample(*arguments, size=size), resample_reference(*arguments, size=size)
    assert np.abs(levels(got) - levels(want)).max() < 1e-3


@given(st.integers(1, 60), st.integers(1, 60), st.integers(8, 33))
def test_centres_of_any_size_are_too(height, width, size):
    pixels = pixels_of(noise(0, height, width))
    windows = centre_windows(pixels.heights, pixels.widths, size=size)
    arguments = (pixels, np.array([0]), windows, np.array([False]))
    got, want = resample(*arguments, size=size), resample_reference(*arguments, size=size)
    assert np.abs(levels(got) - levels(want)).max() < 1e-3


def test_the_whole_image_at_its_own_size_is_the_image():
    image = noise(1, 16, 16)
    windows = crop_windows(np.array([[0, 0, 16, 16]], dtype=np.int32), 16)
    got = resample(pixels_of(image), np.array([0]), windows, np.array([False]), size=16)
    np.testing.assert_allclose(levels(got)[0], image, atol=1e-3)


def test_a_crop_reads_nothing_outside_it():
    image = np.full((20, 20, 3), 255, dtype=np.uint8)
    image[5:15, 4:14] = 0
    windows = crop_windows(np.array([[5, 4, 10, 10]], dtype=np.int32), 32)
    got = resample(pixels_of(image), np.array([0]), windows, np.array([False]), size=32)
    np.testing.assert_allclose(levels(got), 0, atol=1e-3)


def test_the_centre_of_a_wide_image_is_in_the_middle():
    """224 x 300 to 160 x 214, of which the columns from 43 on: half of 86 rounds to itself."""
    windows = centre_windows(np.array([224], np.int32), np.array([300], np.int32), size=128)
    step = 224 / 160
    assert windows.steps[0].tolist() == [step, step]
    assert windows.starts[0, 0] == pytest.approx(16 * step)
    assert windows.starts[0, 1] == pytest.approx((300 - 214 * step) / 2 + 43 * step)


@pytest.mark.parametrize(
    ("crop", "top", "left"),
    [
        ("centre", 4, 4),
        ("top-left", 0, 0),
        ("top-right", 0, 8),
        ("bottom-left", 8, 0),
        ("bottom-right", 8, 8),
        ("top", 0, 4),
        ("left", 4, 0),
        ("right", 4, 8),
        ("bottom", 8, 4),
    ],
)
def test_a_crop_of_a_square_is_cut_from_the_whole_resized_image(crop, top, left):
    """32 of 40 pixels: the centre is 4 from every edge."""
    pixels = pixels_of(noise(5, 57, 57))
    arguments = (pixels, np.array([0]))
    whole = crop_windows(np.array([[0, 0, 57, 57]], dtype=np.int32), 40)
    resized = resample(*arguments, whole, np.array([False]), size=40)[0]
    windows = centre_windows(pixels.heights, pixels.widths, size=32, crop=crop)
    for mirrored in (False, True):
        got = resample(*arguments, windows, np.array([mirrored]), size=32)[0]
        want = resized[top : top + 32, left : left + 32]
        np.testing.assert_allclose(got, want[:, ::-1] if mirrored else want, atol=1e-5)


def test_crops_of_a_wide_image_keep_to_its_central_square():
    """Of 214 columns the square has those from 27 to 187, and the centre begins 16 further on."""
    step = 224 / 160
    edge = (300 - 214 * step) / 2
    for crop, row, column in (("top-left", 0, 27), ("bottom-right", 32, 59), ("right", 16, 59)):
        windows = centre_windows(
            np.array([224], np.int32), np.array([300], np.int32), size=128, crop=crop
        )
        assert windows.starts[0, 0] == pytest.approx(row * step)
        assert windows.starts[0, 1] == pytest.approx(edge + column * step)


@given(st.integers(1, 60), st.integers(1, 60), st.integers(8, 33))
def test_no_crop_begins_or_ends_outside_the_image(height, width, size):
    sides = np.array([[height, width]])
    resized = np.floor(sides * (shorter_side(size) / sides.min()) + 0.5)
    for crop in CROPS:
        offset = crop_offsets(resized, size=size, crop=crop)
        assert (offset >= 0).all()
        assert (offset + size <= resized).all()


@pytest.fixture(scope="module")
def dali():
    if not DALI.exists():
        pytest.skip("the pictures that DALI resized are in ../shared, not in the project")
    with np.load(DALI) as arrays:
        return dict(arrays)


def shown_as_dali(dali, mirrored):
    images = dali["decoded_u8"]
    pixels = pixels_of(*images)
    windows = centre_windows(pixels.heights, pixels.widths, size=128)
    turned = np.full(len(images), mirrored)
    return levels(resample(pixels, np.arange(len(images)), windows, turned, size=128))


@pytest.mark.images
def test_validation_pixels_are_dalis_in_float32(dali):
    want = dali["resized160_f32"][:, 16:144, 16:144]
    assert np.abs(shown_as_dali(dali, mirrored=False) - want).max() < 0.005


@pytest.mark.images
@pytest.mark.parametrize("mirrored", [0, 1])
def test_validation_pixels_are_dalis_but_for_its_rounding(dali, mirrored):
    want = levels(dali[f"out_mirror{mirrored}"].transpose(0, 2, 3, 1))
    got = shown_as_dali(dali, mirrored=bool(mirrored))
    assert np.abs(got - want).max() < 0.51
    rounded = np.abs(np.rint(got) - np.rint(want))
    assert rounded.max() <= 1
    assert (rounded > 0).mean() < 0.005
