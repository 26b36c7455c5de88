"""The key files of the centre, in <data_dir>/keys/, readable by its owner alone.

    centre.key       Ed25519: seals what goes down to the units
    cache.secret     32 bytes: the keyed hashes of serials in the caches (wire.sealing)
    k<ID>.key        Ed25519: signs coupons
    account.secret   32 bytes: seals the numbers of bank accounts in the database
    card<N>.key      32 bytes: authenticates member cards; the highest number writes, a file that is gone counts no more
    operator.token   what an operator shows to the HTTP API

Each file holds one line of hexadecimal digits. A key file never changes: rotation makes a new one.
"""

from __future__ import annotations

import os
import re
import secrets
from hashlib import sha256
from pathlib import Path
from typing import Final

from nacl.signing import SigningKey

KEY_BYTES: Final = 32
CARD_KEYS_MAX: Final = 4  # that are accepted: each is tried on every card
_CARD_KEY: Final = re.compile(r"card([1-9][0-9]{0,5})\.key")


class KeyFileError(Exception):
    """A key file is missing or is not what it should be; the message names it and says what to do."""


def read_secret(path: Path) -> bytes:
    """The bytes in a key file. Raises KeyFileError."""
    try:
        text = path.read_text(encoding="ascii").strip()
        value = bytes.fromhex(text)
    except FileNotFoundError:
        raise KeyFileError(f"{path} is missing: run `tokuten central init`, or bring it back from a backup") from None
    except (OSError, ValueError) as error:
        raise KeyFileError(f"{path} can't be read as a key: {error}") from error
    if len(value) != KEY_BYTES:
        raise KeyFileError(f"{path} holds {len(value)} bytes; a key has {KEY_BYTES}")
    return value


def write_secret(path: Path, value: bytes) -> None:
    """Writes a new key file, on disk when this returns. Raises FileExistsError rather than replace one."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write(value.hex() + "\n")
        file.flush()
        os.fsync(file.fileno())
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


class Keys:
    """The files of one centre."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def create_missing(self, operator_token: Path) -> None:
        """Makes what a centre needs and does not have yet."""
        for path in (self.folder / "centre.key", self.folder / "cache.secret", operator_token):
            if not path.exists():
                write_secret(path, secrets.token_bytes(KEY_BYTES))

    @property
    def made(self) -> bool:
        return (self.folder / "centre.key").exists()

    def fingerprint(self) -> bytes:
        """Tells two sets of keys apart, and nothing about them."""
        return sha256(b"tokuten keys" + bytes(self.centre().verify_key) + self.cache_secret()).digest()

    def centre(self) -> SigningKey:
        return SigningKey(read_secret(self.folder / "centre.key"))

    def cache_secret(self) -> bytes:
        return read_secret(self.folder / "cache.secret")

    def account_secret(self, *, create: bool = False) -> bytes:
        """The key of the accounts' numbers; a centre that was made before there were any gets one with the first."""
        path = self.folder / "account.secret"
        if create and not path.exists():
            write_secret(path, secrets.token_bytes(KEY_BYTES))
        return read_secret(path)

    def cards(self) -> list[tuple[int, bytes]]:
        """Number and secret of each key that authenticates member cards, the newest first, at most CARD_KEYS_MAX."""
        found = ((_CARD_KEY.fullmatch(path.name), path) for path in self.folder.glob("card*.key"))
        numbered = sorted(((int(match[1]), path) for match, path in found if match), reverse=True)
        return [(number, read_secret(path)) for number, path in numbered[:CARD_KEYS_MAX]]

    def create_card(self) -> int:
        """The next key for member cards; gives its number. Units learn it with their next snapshot."""
        number = max((number for number, _ in self.cards()), default=0) + 1
        write_secret(self.folder / f"card{number}.key", secrets.token_bytes(KEY_BYTES))
        return number

    def coupon(self, key: int) -> SigningKey:
        return SigningKey(read_secret(self.folder / f"k{key}.key"))

    def create_coupon(self, key: int) -> SigningKey:
        """A new key that signs coupons. Its file is on disk before anybody can hear of it."""
        path = self.folder / f"k{key}.key"
        if not path.exists():  # it exists after a crash between file and database: then that key is used
            write_secret(path, secrets.token_bytes(KEY_BYTES))
        return self.coupon(key)
