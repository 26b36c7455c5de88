"""What can be set for the centre: the [central] section of the settings file."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from loyalty.barcode.instore import BarcodeSettings, Shop, shop


class CentralBroker(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[central.broker]: how the centre reaches the MQTT broker."""

    host: Annotated[str, Meta(description="Name or address of the MQTT broker.")] = "127.0.0.1"
    port: Annotated[int, Meta(ge=1, le=65535, description="TCP port of the broker.")] = 1883
    username: Annotated[str, Meta(description="Login name; empty: none is sent.")] = "centre"
    password_file: Annotated[str, Meta(description="File whose first line is the password; empty: none.")] = ""
    ca_file: Annotated[str, Meta(description="CA certificates (PEM) that vouch for the broker; empty: no TLS.")] = ""
    cert_file: Annotated[str, Meta(description="The centre's own certificate (PEM); empty: none.")] = ""
    key_file: Annotated[str, Meta(description="The private key of cert_file (PEM).")] = ""


class CentralHttp(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[central.http]: the API for phones and operators, and the web pages."""

    enabled: Annotated[bool, Meta(description="Whether the HTTP API (and the pages) are served.")] = True
    host: Annotated[str, Meta(description="Address to listen on.")] = "127.0.0.1"
    port: Annotated[int, Meta(ge=1, le=65535, description="Port to listen on.")] = 8470
    operator_token_file: Annotated[
        str, Meta(description="File with the operators' token; empty: <data_dir>/keys/operator.token.")
    ] = ""
    session_minutes: Annotated[int, Meta(ge=1, le=43200, description="How long a person stays logged in.")] = 720
    pages: Annotated[bool, Meta(description="Whether the web pages are served beside the API.")] = True
    registration: Annotated[bool, Meta(description="Whether people may register by themselves on the pages.")] = True
    secure_cookies: Annotated[
        bool,
        Meta(
            description="Set it when browsers reach the pages by TLS (a proxy in front): cookies are sent by TLS alone,"
            " and browsers are told to come back by TLS."
        ),
    ] = False
    forwarded_for: Annotated[
        bool,
        Meta(
            description="Set it when a proxy in front names its clients in X-Forwarded-For: the last entry is then the"
            " address that limits on registering go by. Without such a proxy anybody could write one."
        ),
    ] = False
    staff_session_minutes: Annotated[
        int, Meta(ge=1, le=1440, description="How long a member of staff stays logged in on the pages.")
    ] = 240


class CentralBank(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[central.bank]: the bank that payments by account are debited by."""

    url: Annotated[str, Meta(description="Address of the bank's interface; empty: no payment by account.")] = ""
    token_file: Annotated[str, Meta(description="File whose first line is shown to the bank; empty: nothing is.")] = ""
    timeout_ms: Annotated[
        int, Meta(ge=100, le=10_000, description="How long the bank may take to answer; then a payment is in doubt.")
    ] = 3_000


class MailSecurity(StrEnum):
    """How the connection to the mail server is kept secret."""

    STARTTLS = "starttls"
    TLS = "tls"
    NONE = "none"


class CentralMail(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[central.mail]: the mail server that offers go out by."""

    host: Annotated[str, Meta(description="Name or address of the mail server; empty: no mail is sent.")] = ""
    port: Annotated[int, Meta(ge=1, le=65535, description="Port of the mail server.")] = 587
    security: Annotated[
        MailSecurity, Meta(description="'starttls' (port 587), 'tls' (port 465), 'none' (a server on this machine).")
    ] = MailSecurity.STARTTLS
    username: Annotated[str, Meta(description="Login name; empty: none is sent.")] = ""
    password_file: Annotated[str, Meta(description="File whose first line is the password; empty: none.")] = ""
    ca_file: Annotated[
        str, Meta(description="CA certificates (PEM) that vouch for the mail server; empty: those of the system.")
    ] = ""
    sender: Annotated[
        str,
        Meta(
            pattern=r"^$|^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9.-]+$", description="Address that mails come from."
        ),
    ] = ""
    pages: Annotated[
        str,
        Meta(
            pattern=r"^$|^https?://[!-~]+$",
            description="Address at which people reach the pages, such as https://points.example: links lead there.",
        ),
    ] = ""
    timeout_s: Annotated[
        float, Meta(ge=0.1, le=60, description="How long the mail server may take for each answer.")
    ] = 20.0


class CentralOffers(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[central.offers]: purchases, and letters."""

    purchases_kept_days: Annotated[
        int, Meta(ge=1, le=3650, description="So many days a purchase is kept; then it is deleted.")
    ] = 730
    letter_font: Annotated[
        str,
        Meta(
            description="Font file (TTF, OTF, TTC) with Japanese, for letters; empty: the first that is there of those"
            " that docs/offers.md names."
        ),
    ] = ""
    letter_from: Annotated[
        str, Meta(max_length=200, description="Who letters come from, one or two lines with \\n between.")
    ] = "Tokuten"


class CentralSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[central]: one centre serves one tenant."""

    tenant: Annotated[str, Meta(description="The tenant whose units this centre serves; part of every topic.")] = "demo"
    data_dir: Annotated[str, Meta(description="Folder of the database and of keys/.")] = "var/central"
    database: Annotated[
        str,
        Meta(
            description="URL of the database, such as postgresql://tokuten@db/tokuten?passfile=/etc/tokuten/pgpass (no "
            "password in here); empty: SQLite in <data_dir>/centre.db."
        ),
    ] = ""
    broker: CentralBroker = CentralBroker()
    http: CentralHttp = CentralHttp()
    bank: CentralBank = CentralBank()
    mail: CentralMail = CentralMail()
    offers: CentralOffers = CentralOffers()
    log_kept_changes: Annotated[
        int, Meta(ge=0, description="Changes kept for each site's feed; a cache further behind gets a snapshot.")
    ] = 100_000
    hint_life_s: Annotated[
        int, Meta(ge=1, description="A hinted redemption that is not booked after so many seconds is taken back.")
    ] = 86_400
    utc_offset_min: Annotated[
        int, Meta(ge=-840, le=840, description="Where the dates in printed codes are days, minutes east of UTC.")
    ] = 540
    barcodes: BarcodeSettings = BarcodeSettings()
    card_page: Annotated[
        str,
        Meta(
            pattern=r"^[!-z]{1,31}\{code\}$",
            description="Address behind the QR of a kiosk that gives out member cards, short enough for its display;"
            " {code} names the request.",
        ),
    ] = "http://127.0.0.1:8470/card/{code}"

    @property
    def shop(self) -> Shop:
        """The shops' own codes, ready for reading."""
        return shop(self.barcodes, self.utc_offset_min)

    @property
    def folder(self) -> Path:
        return Path(self.data_dir)

    @property
    def url(self) -> str:
        return self.database or f"sqlite:///{self.folder / 'centre.db'}"

    @property
    def keys_folder(self) -> Path:
        return self.folder / "keys"

    @property
    def operator_token_path(self) -> Path:
        named = self.http.operator_token_file
        return Path(named) if named else self.keys_folder / "operator.token"
