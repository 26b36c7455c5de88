"""What a mail says: subject, text and HTML, and the headers by which programs recognize and end it.

What shops and people entered goes into headers only as whole words that `email` encodes, and into HTML only escaped;
neither can begin a header or an element of its own. Nothing in a mail is loaded from elsewhere, nothing tells that it
was read.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from pathlib import Path
from typing import Final

import msgspec
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from central.offers import words
from central.offers.addresses import MailAddress, confirm_token, leave_token
from central.offers.told import Pick
from loyalty.campaign import Lang

_ENVIRONMENT: Final = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


class Sender(msgspec.Struct, frozen=True, kw_only=True):
    """In whose name, and where the pages are that links lead to."""

    address: str
    pages: str  # https://points.example, without a slash at its end
    secret: bytes
    utc_offset_min: int


def offers(sender: Sender, to: MailAddress, name: bytes, person: str, picks: list[Pick], now_ms: int) -> EmailMessage:
    """The offers of one person."""
    lang, leave = to.lang, f"{sender.pages}/unsubscribe?t={leave_token(sender.secret, to.nonce)}"
    blocks = [
        {
            "title": pick.title,
            "body": pick.body,
            "shop": pick.shop,
            "until": words.say("until", lang, day=day(sender.utc_offset_min, pick.until_ms - 1, lang)),
            "why": words.reason(pick, lang),
            "link": f"{sender.pages}/bargains/{pick.bargain}",
        }
        for pick in picks
    ]
    data = {
        "lead": words.say("mail.offers.lead", lang, name=person),
        "blocks": blocks,
        "see": words.say("mail.offers.see", lang),
        "all": f"{sender.pages}/for-me",
        "why": words.say("mail.offers.why", lang),
        "leave_words": words.say("mail.offers.leave", lang),
        "leave": leave,
        "lang": lang,
    }
    subject = words.say("mail.offers.subject", lang, name=person, count=len(picks))
    mail = _mail(sender, to, name, subject, "offers", data, now_ms)
    mail["List-Unsubscribe"] = f"<{leave}>"
    mail["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"  # RFC 8058
    return mail


def confirm(sender: Sender, to: MailAddress, name: bytes, now_ms: int) -> EmailMessage:
    """The link that confirms an address. It says nothing of whose it is: it may be a stranger's box."""
    data = {
        "lead": words.say("mail.confirm.lead", to.lang),
        "link": f"{sender.pages}/confirm?t={confirm_token(sender.secret, to.nonce)}",
        "not_you": words.say("mail.confirm.not_you", to.lang),
        "lang": to.lang,
    }
    return _mail(sender, to, name, words.say("mail.confirm.subject", to.lang), "confirm", data, now_ms)


def _mail(
    sender: Sender, to: MailAddress, name: bytes, subject: str, template: str, data: Mapping[str, object], now_ms: int
) -> EmailMessage:
    mail = EmailMessage(policy=SMTP)
    mail["From"] = sender.address
    mail["To"] = to.address
    mail["Subject"] = subject
    mail["Date"] = format_datetime(datetime.fromtimestamp(now_ms // 1000, _zone(sender.utc_offset_min)))
    mail["Message-ID"] = f"<{name.hex()}@{sender.address.rpartition('@')[2]}>"
    mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: no holiday notes in answer
    mail.set_content(_ENVIRONMENT.get_template(f"{template}.txt").render(data), cte="base64")
    mail.add_alternative(_ENVIRONMENT.get_template(f"{template}.html").render(data), subtype="html", cte="base64")
    return mail


def _zone(utc_offset_min: int) -> timezone:
    return timezone(timedelta(minutes=utc_offset_min))


def day(utc_offset_min: int, at_ms: int, lang: Lang) -> str:
    """A day as people there read it."""
    at = datetime.fromtimestamp(at_ms / 1000, _zone(utc_offset_min))
    return f"{at.year}年{at.month}月{at.day}日" if lang == "ja" else f"{at.day} {at:%b %Y}"
