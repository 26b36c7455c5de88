"""Picture files -> grey pixels, for pictures from anywhere: cut off, enormous, or no pictures at all.

What can fail: BadPicture, with a sentence that says why. The bounds keep a small file from filling the memory.
"""

from __future__ import annotations

import io
import warnings
from pathlib import Path
from typing import BinaryIO, Final

import numpy as np
from PIL import Image, UnidentifiedImageError

from hal.decode.engines import Grey

FILE_BYTES_MAX: Final = 64 * 1024 * 1024
PIXELS_MAX: Final = 64_000_000
SUFFIXES: Final = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".pgm", ".ppm"})


class BadPicture(ValueError):
    """This can't be looked at; the text says why."""


def from_path(path: Path) -> Grey:
    """Raises BadPicture."""
    try:
        with path.open("rb") as file:
            return from_stream(file)
    except OSError as error:
        raise BadPicture(error.strerror or str(error)) from error


def from_stream(stream: BinaryIO) -> Grey:
    """Raises BadPicture; OSError from the stream itself."""
    data = stream.read(FILE_BYTES_MAX + 1)
    if not data:
        raise BadPicture("empty")
    if len(data) > FILE_BYTES_MAX:
        raise BadPicture(f"more than {FILE_BYTES_MAX // 2**20} MiB")
    return from_bytes(data)


def from_bytes(data: bytes) -> Grey:
    """The first image of the file, in grey, white where it is transparent. Raises BadPicture."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns of what is checked below, and of odd metadata
            with Image.open(io.BytesIO(data)) as image:
                if image.width * image.height > PIXELS_MAX:
                    size = f"{image.width}x{image.height}"
                    raise BadPicture(f"{size} pixels; {PIXELS_MAX // 10**6} million are the most that is looked at")
                return _grey(image)
    except UnidentifiedImageError as error:
        raise BadPicture("not a picture of a kind that is known here") from error
    except Image.DecompressionBombError as error:
        raise BadPicture(f"more than {PIXELS_MAX // 10**6} million pixels") from error
    # Pillow's readers raise these for files that are cut off or broken; there is no narrower promise.
    except (OSError, SyntaxError, EOFError, IndexError, KeyError, OverflowError, TypeError, MemoryError) as error:
        raise BadPicture(f"broken: {error}") from error
    except ValueError as error:
        raise error if isinstance(error, BadPicture) else BadPicture(f"broken: {error}") from error


def _grey(image: Image.Image) -> Grey:
    if image.mode.startswith("I"):  # 16 bits a pixel
        return (np.asarray(image).clip(0, 65535) // 256).astype(np.uint8)
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        over = image.convert("RGBA")
        paper = Image.new("RGBA", over.size, "white")
        paper.alpha_composite(over)
        return np.asarray(paper.convert("L"))
    return np.asarray(image.convert("L"))
