"""Pictures from a browser, opened with care: bounded bytes, bounded pixels, five known formats, one frame.

Raises BadPicture for anything else; nothing of a refused picture is kept.
"""

from __future__ import annotations

import io
import warnings
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

PICTURE_BYTES_MAX: Final = 8 * 1024 * 1024
PIXELS_MAX: Final = 40_000_000
SIDE_KEPT_MAX_PX: Final = 2400
WEBCAM_BYTES_MAX: Final = 512 * 1024
WEBCAM_SIDE_MAX_PX: Final = 1920
JPEG_QUALITY: Final = 72
FORMATS: Final = ("PNG", "JPEG", "WEBP", "GIF", "BMP")


class BadPicture(ValueError):
    """Not a picture that we take; the message says why."""


def opened(body: bytes, formats: tuple[str, ...] = FORMATS, bytes_max: int = PICTURE_BYTES_MAX) -> Image.Image:
    """The picture in `body`, upright, on white, in grey, at most SIDE_KEPT_MAX_PX long. Raises BadPicture."""
    if len(body) > bytes_max:
        raise BadPicture(f"a picture may have {bytes_max} bytes; this one has {len(body)}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            picture = Image.open(io.BytesIO(body), formats=formats)
            if picture.width * picture.height > PIXELS_MAX:
                raise BadPicture(
                    f"a picture may have {PIXELS_MAX} pixels; this one is {picture.width}x{picture.height}"
                )
            picture.draft("L", (SIDE_KEPT_MAX_PX, SIDE_KEPT_MAX_PX))
            return _grey(ImageOps.exif_transpose(picture))
    except BadPicture:
        raise
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise BadPicture(f"can't be read as a picture ({', '.join(formats)}): {error}") from error


def _grey(picture: Image.Image) -> Image.Image:
    picture.thumbnail((SIDE_KEPT_MAX_PX, SIDE_KEPT_MAX_PX))
    if picture.mode in ("RGBA", "LA", "PA") or "transparency" in picture.info:
        seen = picture.convert("RGBA")
        paper = Image.new("RGBA", seen.size, "white")
        paper.alpha_composite(seen)
        picture = paper
    return picture.convert("L")


def webcam_frame(body: bytes) -> NDArray[np.uint8]:
    """A frame of the browser's webcam (JPEG), uint8, shape (height, width). Raises BadPicture."""
    picture = opened(body, ("JPEG",), WEBCAM_BYTES_MAX)
    picture.thumbnail((WEBCAM_SIDE_MAX_PX, WEBCAM_SIDE_MAX_PX))
    return np.asarray(picture, np.uint8)


def view_jpeg(width_px: int, height_px: int, grey: memoryview, side_px: int = 640) -> bytes:
    """What the camera saw, small, for the page."""
    picture = Image.fromarray(np.frombuffer(grey, np.uint8).reshape(height_px, width_px))
    factor = max(1, round(width_px / side_px))
    out = io.BytesIO()
    (picture.reduce(factor) if factor > 1 else picture).save(out, "JPEG", quality=JPEG_QUALITY)
    return out.getvalue()
