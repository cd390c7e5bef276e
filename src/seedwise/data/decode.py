"""Image files to pixels: uint8, RGB, upright."""

import io

import numpy as np
import simplejpeg
from jaxtyping import UInt8
from numpy import ndarray
from PIL import Image, ImageOps, UnidentifiedImageError

from seedwise.errors import DataError

__all__ = ["MOST_PIXELS", "Undecodable", "decode"]

MOST_PIXELS = 64 * 2**20
"""Larger images are refused by their headers, before memory is taken for them."""

_FORMATS = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")
"""What a file may be, whatever its suffix says. Pillow knows more, and hands EPS to Ghostscript,
which is a program that runs programs."""

_EXIF_REACH = 1 << 16
"""EXIF data stand in the first segments of a JPEG."""


class Undecodable(DataError):
    """One file is no image that can be used; says why."""


def decode(content: bytes, *, pixels: int | None = None) -> UInt8[ndarray, "height width 3"]:
    """Decode an image file, by its content and not by its suffix.

    What is met in the wild, and what becomes of it: grey images get three equal channels; CMYK,
    palette and 16-bit images are converted to 8-bit RGB; transparency is laid on white; EXIF
    orientation is applied, as DALI does; of several frames the first is taken. A truncated or
    broken file is refused, and so is one of more than 64 Mpixel. Plain JPEGs go through
    libjpeg-turbo at its default settings: bit for bit what DALI, Pillow and OpenCV give.

    Args:
        content: The bytes of the file.
        pixels: Shrink so that the shorter side has this many pixels (antialiased, triangle
            filter); None, or a smaller image, keeps the size.

    Raises:
        Undecodable: Broken, truncated, too large or not an image.
    """
    try:
        image = _decode_plain_jpeg(content)
        if image is None:
            image = _decode_any(content)
    except Undecodable:
        raise
    except Exception as error:  # of a damaged file, decoders raise all sorts of things
        raise Undecodable(" ".join(str(error).split()) or type(error).__name__) from None
    return image if pixels is None else _shrunk(image, pixels)


def _decode_plain_jpeg(content: bytes) -> UInt8[ndarray, "height width 3"] | None:
    """The pixels of an upright grey or colour JPEG; None for anything else."""
    if content[:2] != b"\xff\xd8" or b"Exif\x00" in content[:_EXIF_REACH]:
        return None
    height, width, colours, _ = simplejpeg.decode_jpeg_header(content)
    if colours not in ("YCbCr", "Gray", "RGB"):
        return None
    _check_size(int(width), int(height))
    return simplejpeg.decode_jpeg(content, colorspace="RGB")


def _decode_any(content: bytes) -> UInt8[ndarray, "height width 3"]:
    try:
        image = Image.open(io.BytesIO(content), formats=_FORMATS)
    except UnidentifiedImageError:
        raise Undecodable("not an image") from None
    _check_size(*image.size)
    image.load()
    image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I;16"):
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if "transparency" in image.info or image.mode in ("RGBA", "LA", "PA"):
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return np.asarray(image.convert("RGB"))


def _check_size(width: int, height: int) -> None:
    if width * height > MOST_PIXELS:
        raise Undecodable(f"{width} x {height} pixels are more than {MOST_PIXELS // 2**20} Mpixel")


def _shrunk(
    image: UInt8[ndarray, "height width 3"], pixels: int
) -> UInt8[ndarray, "height width 3"]:
    height, width = image.shape[:2]
    short = min(height, width)
    if short <= pixels:
        return image
    size = (max(1, round(width * pixels / short)), max(1, round(height * pixels / short)))
    return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BILINEAR))
