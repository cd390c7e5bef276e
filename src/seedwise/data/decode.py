"""Image files to pixels: uint8, RGB, upright."""

import io

import numpy as np
import simplejpeg
from numpy import ndarray
from PIL import Image, ImageOps, UnidentifiedImageError

from seedwise.errors import DataError
from seedwise.shaped import Integer, UInt8

__all__ = ["MOST_PIXELS", "Undecodable", "decode"]

MOST_PIXELS = 64 * 2**20
"""Larger images are refused by their headers, before memory is taken for them."""

_FORMATS = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")
"""Formats that are read, whatever a suffix says. Pillow knows more, and hands EPS to Ghostscript,
which is a program that runs programs."""

_LEAST_WHITE = 1 << 12
"""Cameras and scanners put 10 or 12 bits into 16."""

_EXIF_REACH = 1 << 16
"""EXIF data stand in the first segments of a JPEG."""


class Undecodable(DataError):
    """A file is not a usable image; says why."""


def decode(content: bytes, *, pixels: int | None = None) -> UInt8[ndarray, "height width 3"]:
    """Decode an image file, by its content and not by its suffix.

    What is met in the wild, and what becomes of it: grey images get three equal channels; CMYK,
    palette and 16-bit images are converted to 8-bit RGB; transparency is laid on white; EXIF
    orientation is applied, as DALI does; of several frames the first is taken. Refused is a file
    that is truncated or broken or has more than 64 Mpixel, and one whose white level is unknown:
    of floats, of 32 bits, or of 12 bits in 16. Plain JPEGs go through libjpeg-turbo at its default
    settings: bit for bit what DALI, Pillow and OpenCV give.

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
    sixteen = image.mode.startswith("I;16") or (image.mode == "I" and image.format == "PPM")
    image = ImageOps.exif_transpose(image)
    if sixteen:
        image = Image.fromarray(_upper_half(np.asarray(image)))
    if image.mode in ("I", "F"):
        kind = "floating-point" if image.mode == "F" else "32-bit or signed"
        raise Undecodable(f"{kind} pixels, whose white level is unknown; save it as 8-bit")
    if "transparency" in image.info or image.mode in ("RGBA", "LA", "PA"):
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return np.asarray(image.convert("RGB"))


def _upper_half(wide: Integer[ndarray, "height width"]) -> UInt8[ndarray, "height width"]:
    """16-bit grey levels as 8-bit ones; Pillow itself would clip them at 255."""
    if 0 < wide.max() < _LEAST_WHITE:
        raise Undecodable(
            f"16-bit pixels that end at {wide.max()} would be nearly black; save it as 8-bit"
        )
    return (wide >> 8).astype(np.uint8)


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
