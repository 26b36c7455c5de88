"""The device's own key: made once, kept in a file that only its owner reads, never sent."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from nacl.signing import SigningKey

KEY_NAME: Final = "device.key"


class BadKeyFile(ValueError):
    """The key file is not one of ours; the message names it."""


def device_key(folder: Path) -> SigningKey:
    """The key in `folder`; made where there is none. Raises BadKeyFile and OSError."""
    path = folder / KEY_NAME
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        key = SigningKey.generate()
        new = path.with_suffix(".new")
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(key.encode().hex() + "\n")
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
        return key
    text = path.read_text().strip()
    try:
        return SigningKey(bytes.fromhex(text))
    except ValueError as error:
        raise BadKeyFile(f"{path}: not a device key (64 hexadecimal digits): {error}") from error
