"""From an answer to bytes: templates with autoescape, the headers of every page, static files with their versions.

Nothing in a page is inline script or style, so the policy (CSP) allows none: what slips past the escaping can't run.
"""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta, timezone
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, NamedTuple

import segno
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from central.pages import words
from central.pages.asked import Asked
from central.staff import Role
from loyalty.campaign import Campaign, Lang, benefit
from loyalty.points import earned

FOLDER: Final = Path(__file__).parent
MEDIA: Final = {
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".txt": "text/plain",
}
CSP: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "manifest-src 'self'; worker-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS: Final = {
    "content-security-policy": CSP,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "permissions-policy": "camera=(), microphone=(), geolocation=(), payment=()",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
HSTS: Final = "max-age=31536000"
QR_ERROR_LEVEL: Final = "m"
SYMBOLS_KEPT: Final = 2_000
QR_QUIET: Final = 4  # modules, ISO/IEC 18004
_WEEKDAYS_JA: Final = "月火水木金土日"

# What each kind of visitor finds in the menu. A part that is not built has no entry.
MENU: Final[dict[Role | None, tuple[tuple[str, str], ...]]] = {
    None: (("/offers", "menu.offers"), ("/bargains", "menu.bargains")),
    Role.PERSON: (
        ("/coupons", "menu.coupons"),
        ("/offers", "menu.offers"),
        ("/for-me", "menu.mine"),
        ("/points", "menu.points"),
        ("/history", "menu.history"),
        ("/me", "menu.me"),
    ),
    Role.SHOP: (
        ("/shop", "menu.today"),
        ("/shop/customers", "menu.customers"),
        ("/shop/rules", "menu.rules"),
        ("/shop/bargains", "menu.bargains"),
        ("/shop/sales", "menu.sales"),
        ("/shop/analysis", "menu.analysis"),
    ),
    Role.PROVIDER: (
        ("/provider", "menu.issued"),
        ("/provider/issue", "menu.issue"),
        ("/provider/analysis", "menu.analysis"),
    ),
    Role.OPERATOR: (
        ("/operator", "menu.overview"),
        ("/operator/conflicts", "menu.conflicts"),
        ("/operator/people", "menu.people"),
        ("/operator/places", "menu.places"),
        ("/operator/programmes", "menu.programmes"),
        ("/operator/ledger", "menu.ledger"),
        ("/operator/offers", "menu.post"),
        ("/operator/analysis", "menu.analysis"),
        ("/operator/tokens", "menu.tokens"),
        ("/operator/audit", "menu.audit"),
    ),
}


class Static(NamedTuple):
    """A file that is the same for everybody."""

    body: bytes
    media_type: str
    version: str


class Renderer:
    """Fills templates. Safe between threads once made."""

    def __init__(self, utc_offset_min: int) -> None:
        self._zone = timezone(timedelta(minutes=utc_offset_min))
        self.static = {path.name: _static(path) for path in sorted((FOLDER / "static").iterdir()) if path.is_file()}
        self.version = hashlib.sha256("".join(one.version for one in self.static.values()).encode()).hexdigest()[:12]
        self._env = Environment(
            loader=FileSystemLoader(FOLDER / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._env.globals.update(qr=qr, static=self.address, version=self.version)

    def address(self, name: str) -> str:
        return f"/static/{name}?v={self.static[name].version}"

    def page(self, template: str, asked: Asked, data: dict[str, object]) -> bytes:
        """Raises jinja2.TemplateError for a fault of the template."""
        lang = asked.lang
        common: dict[str, Any] = {
            "asked": asked,
            "lang": lang,
            "visitor": asked.visitor,
            "csrf": asked.ticket.csrf,
            "menu": MENU[asked.visitor.role],
            "t": lambda key, **values: words.say(key, lang, **values),
            "benefit": lambda campaign: benefit(campaign, lang),
            "where": lambda campaign, titles: ("、" if lang == "ja" else ", ").join(
                titles.get(site, site) for site in campaign.shops
            ),
            "count": lambda value: f"{value:,}",
            "yen": lambda value: f"{value:,}円" if lang == "ja" else f"¥{value:,}",
            "day": lambda at_ms: self.day(at_ms, lang),
            "moment": lambda at_ms: self.moment(at_ms, lang),
            "rule": lambda rule: words.earn_rule(rule, lang),
            "rate": lambda rate: words.rate(rate, lang),
            "earned": earned,
            "counted": lambda points: words.counted(points, lang),
            "move_kind": words.move_kind,
            "clock": self.clock,
            "iso": self.iso,
        }
        return self._env.get_template(template).render(**common, **data).encode()

    def script(self, template: str, **data: object) -> bytes:
        """A script that is made from a template; what it is told goes through `tojson`."""
        return self._env.get_template(template).render(**data).encode()

    # --- times as people here read them ----------------------------------------------------------------

    def _local(self, at_ms: int) -> datetime:
        return datetime.fromtimestamp(at_ms / 1000, self._zone)

    def day(self, at_ms: int, lang: Lang) -> str:
        at = self._local(at_ms)
        if lang == "ja":
            return f"{at.year}年{at.month}月{at.day}日({_WEEKDAYS_JA[at.weekday()]})"
        return f"{at.day} {at:%b %Y}"

    def moment(self, at_ms: int, lang: Lang) -> str:
        at = self._local(at_ms)
        if lang == "ja":
            return f"{at.year}年{at.month}月{at.day}日 {at:%H:%M}"
        return f"{at.day} {at:%b %Y, %H:%M}"

    def clock(self, at_ms: int) -> str:
        return f"{self._local(at_ms):%H:%M}"

    def iso(self, at_ms: int) -> str:
        return self._local(at_ms).isoformat(timespec="minutes")

    def midnight_ms(self, now_ms: int, days: int = 0) -> int:
        """The first instant of today, or of so many days later."""
        today = self._local(now_ms).replace(hour=0, minute=0, second=0, microsecond=0)
        return int((today + timedelta(days=days)).timestamp() * 1000)

    def instant_ms(self, text: str, *, after: bool = False) -> int:
        """The midnight that begins a day '2026-07-30', or the one that ends it. Raises ValueError."""
        at = datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=self._zone)
        return int((at + timedelta(days=1 if after else 0)).timestamp() * 1000)


@lru_cache(SYMBOLS_KEPT)  # a phone asks for the same ones again, and making one takes milliseconds
def qr(text: str, title: str) -> Markup:
    """A coupon's text as a QR code (inline SVG) that any lane reads from a screen."""
    code = segno.make(text, error=QR_ERROR_LEVEL, boost_error=False, micro=False)
    drawn = code.svg_inline(border=QR_QUIET, omitsize=True, svgclass="qr", lineclass=None, light="#fff", title=title)
    return Markup(drawn)  # noqa: S704 - made by segno alone, which escapes the title


def last_instant_ms(campaign: Campaign) -> int | None:
    """The last moment at which it can be downloaded, for 'until'."""
    return None if campaign.download_ends_ms is None else campaign.download_ends_ms - 1


def _static(path: Path) -> Static:
    body = path.read_bytes()
    return Static(body, MEDIA[path.suffix], hashlib.sha256(body).hexdigest()[:12])
