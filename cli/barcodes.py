"""A coupon's barcode for people: in the terminal, or as a PNG or SVG file."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import segno
import typer

PNG_SCALE: Final = 8
QUIET_MODULES: Final = 4


def present(title: str, text: str, png: Path | None, svg: Path | None) -> None:
    """Shows `text`: a JAN as an EAN symbol (in the terminal as its digits), anything else as a QR code."""
    if text.isdigit():
        _present_ean(title, text, png, svg)
        return
    symbol = segno.make_qr(text, error="m", boost_error=False)
    for path, kind in ((png, "png"), (svg, "svg")):
        if path is not None:
            symbol.save(str(path), kind=kind, scale=PNG_SCALE, border=QUIET_MODULES)
            typer.echo(f"{title}: written to {path}")
    if png is None and svg is None:
        typer.echo(title)
        symbol.terminal(compact=True, border=QUIET_MODULES)


def _present_ean(title: str, digits: str, png: Path | None, svg: Path | None) -> None:
    import zxingcpp
    from PIL import Image

    kind = zxingcpp.BarcodeFormat.EAN13 if len(digits) == 13 else zxingcpp.BarcodeFormat.EAN8
    symbol = zxingcpp.create_barcode(digits, kind)
    if png is not None:
        Image.fromarray(symbol.to_image(scale=4, add_hrt=True, add_quiet_zones=True)).save(png)
        typer.echo(f"{title}: written to {png}")
    if svg is not None:
        svg.write_text(symbol.to_svg(scale=4, add_hrt=True, add_quiet_zones=True), encoding="utf-8")
        typer.echo(f"{title}: written to {svg}")
    if png is None and svg is None:
        typer.echo(f"{title}\nEAN/JAN {digits}: it is printed; --png or --svg draws it")
