import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from helpers.pictures import encoded, picture
from seedwise.data.decode import MOST_PIXELS, Undecodable, decode

GREY = Image.fromarray(picture(1)).convert("L")


def test_a_jpeg_is_what_pillow_makes_of_it_bit_for_bit():
    content = encoded(picture(0, height=37, width=51), "JPEG", quality=90)
    np.testing.assert_array_equal(decode(content), np.asarray(Image.open(io.BytesIO(content))))


@pytest.mark.parametrize("subsampling", [0, 1, 2])
@pytest.mark.parametrize("progressive", [True, False])
def test_every_kind_of_jpeg_is(subsampling, progressive):
    content = encoded(picture(2), "JPEG", subsampling=subsampling, progressive=progressive)
    np.testing.assert_array_equal(decode(content), np.asarray(Image.open(io.BytesIO(content))))


@pytest.mark.parametrize("kind", ["PNG", "BMP", "WEBP", "TIFF", "PPM"])
def test_lossless_files_come_back_as_they_were(kind):
    options = {"lossless": True} if kind == "WEBP" else {}
    np.testing.assert_array_equal(decode(encoded(picture(3), kind, **options)), picture(3))


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_grey_gets_three_equal_channels(kind):
    pixels = decode(encoded(GREY, kind))
    assert pixels.shape == (20, 24, 3)
    assert (pixels == pixels[..., :1]).all()


def test_cmyk_and_palette_become_rgb():
    image = Image.fromarray(picture(4))
    cmyk = decode(encoded(image.convert("CMYK"), "JPEG", quality=100))
    assert np.abs(cmyk.astype(int) - picture(4)).mean() < 4
    palette = image.quantize(256)
    np.testing.assert_array_equal(decode(encoded(palette)), np.asarray(palette.convert("RGB")))


def test_transparency_is_laid_on_white():
    image = Image.new("RGBA", (2, 1), (0, 0, 0, 0))
    image.putpixel((1, 0), (10, 20, 30, 255))
    assert decode(encoded(image)).tolist() == [[[255, 255, 255], [10, 20, 30]]]


def test_sixteen_bits_keep_their_upper_eight():
    values = np.array([[0, 256, 65_535]], dtype=np.uint16)
    assert decode(encoded(Image.fromarray(values)))[0, :, 0].tolist() == [0, 1, 255]


def tiff(values, kind):
    """A TIFF of one strip, as Pillow does not write them; 1: unsigned, 2: signed, 3: float."""
    data, (height, width) = values.tobytes(), values.shape
    tags = [(256, width), (257, height), (258, 8 * values.itemsize), (259, 1), (262, 1)]
    tags += [(273, 8), (277, 1), (278, height), (279, len(data)), (339, kind)]
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
    end = struct.pack("<H", len(tags)) + entries + bytes(4)
    return b"II*\0" + struct.pack("<I", 8 + len(data)) + data + end


RAMP = np.linspace(0, 65_535, 64).reshape(8, 8)


@pytest.mark.parametrize(
    "content",
    [
        tiff(RAMP.astype("<u2"), 1),
        encoded(Image.fromarray(RAMP.astype(np.uint16))),
        b"P5 8 8 65535\n" + RAMP.astype(">u2").tobytes(),
        b"P5 8 8 4095\n" + (RAMP // 16).astype(">u2").tobytes(),
    ],
)
def test_sixteen_bits_of_whatever_format_span_all_of_eight(content):
    np.testing.assert_allclose(decode(content)[..., 0], RAMP // 256, atol=1)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (tiff((RAMP / 65_535).astype("<f4"), 3), "floating-point pixels"),
        (tiff((RAMP / 257).astype("<f4"), 3), "floating-point pixels"),
        (b"Pf\n8 8\n-1.0\n" + (RAMP / 65_535).astype("<f4").tobytes(), "floating-point pixels"),
        (tiff(RAMP.astype("<i4"), 2), "32-bit or signed pixels"),
        (tiff(RAMP.astype("<u4") * 65_535, 1), "32-bit or signed pixels"),
        (tiff((RAMP / 2).astype("<i2"), 2), "32-bit or signed pixels"),
        (
            tiff((RAMP // 16).astype("<u2"), 1),
            "16-bit pixels that end at 4095 would be near",
        ),
        (tiff((RAMP / 65_535).astype("<f2"), 3), "not an image"),
    ],
)
def test_pixels_whose_white_nobody_knows_are_refused(content, message):
    """They came out as black, or as white wherever they were above 255."""
    with pytest.raises(Undecodable, match=message):
        decode(content)


def test_black_is_black_in_sixteen_bits_too():
    assert decode(tiff(np.zeros((8, 8), "<u2"), 1)).max() == 0


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(orientation):
    image = Image.fromarray(picture(5))
    exif = Image.Exif()
    exif[0x0112] = orientation
    content = encoded(image, "JPEG", exif=exif)
    pixels = decode(content)
    assert pixels.shape[:2] == ((20, 24) if orientation < 5 else (24, 20))
    plain = decode(encoded(image, "JPEG"))
    back = {1: plain, 3: plain[::-1, ::-1], 6: np.rot90(plain, -1), 8: np.rot90(plain)}
    if orientation in back:
        np.testing.assert_array_equal(pixels, back[orientation])


def test_of_several_frames_the_first_is_taken():
    frames = [Image.fromarray(picture(seed)).quantize(64) for seed in (6, 7)]
    content = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    np.testing.assert_array_equal(decode(content), np.asarray(frames[0].convert("RGB")))


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
@pytest.mark.parametrize("share", [0.3, 0.7, 0.95])
def test_a_truncated_file_is_refused(kind, share):
    content = encoded(picture(8, height=200, width=200), kind)
    with pytest.raises(Undecodable):
        decode(content[: int(len(content) * share)])


@pytest.mark.parametrize("content", [b"", b"\xff\xd8", b"not an image", b"<html></html>"])
def test_what_is_no_image_is_refused(content):
    with pytest.raises(Undecodable):
        decode(content)


def test_an_absurd_size_is_refused_by_its_header():
    side = 9_000
    assert side * side > MOST_PIXELS
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    with pytest.raises(Undecodable, match="9000 x 9000 pixels are more than 64 Mpixel"):
        decode(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")))


def chunk(kind, content):
    body = kind + content
    return struct.pack(">I", len(content)) + body + struct.pack(">I", zlib.crc32(body))


def test_shrinking_keeps_the_aspect_and_never_enlarges():
    content = encoded(picture(9, height=40, width=60))
    assert decode(content, pixels=20).shape == (20, 30, 3)
    np.testing.assert_array_equal(decode(content, pixels=50), decode(content))
