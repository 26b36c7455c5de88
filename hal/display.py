"""The display: 128x64 pixels, one bit each, drawn by `edge_agent.screens` through luma.core."""

from __future__ import annotations

from typing import Final, Protocol

from PIL import Image

WIDTH_PX: Final = 128
HEIGHT_PX: Final = 64


class Display(Protocol):
    """Raises PartMissing at opening and PartFailed later."""

    def show(self, image: Image.Image) -> None:
        """Put a picture (mode '1', 128x64) on the display; returns when it is visible."""

    def close(self) -> None:
        """Blank the display and let go of it."""
