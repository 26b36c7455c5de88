"""Who may log in to the embedded broker, and who may publish and subscribe what (DESIGN, 'Security').

The password file has Mosquitto's format (`name:$7$iterations$salt$hash`, PBKDF2-SHA512), so that one file
serves both brokers; `deploy/mosquitto/tokuten.acl` states the same rules for Mosquitto. The passwords of units are
made by machines (128 random bits), so few iterations are no weakness. The file is read again when it changed.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import os
from hashlib import pbkdf2_hmac
from pathlib import Path
from typing import Final

from wire.topics import ALL, DN_CMD, DN_FEED, ROOT, BadTopic, parse

CENTRE: Final = "centre"  # the user name of the centre; no device's name
SCHEME: Final = "7"  # Mosquitto's name for PBKDF2-SHA512
ITERATIONS: Final = 101  # Mosquitto's default
ITERATIONS_MAX: Final = 1_000_000
SALT_BYTES: Final = 12
USERS_MAX: Final = 100_000
RETAINED_MAX: Final = 10_000  # topics with a retained message


class BadPasswordFile(OSError):
    """The password file can't be read or understood; the message names file and line."""


def password_line(name: str, password: str, salt: bytes | None = None) -> str:
    """A line of the password file, without its end. Raises ValueError for a name that can't stand there."""
    if not name or ":" in name or any(c.isspace() for c in name):
        raise ValueError(f"user name {name!r}: must not be empty nor contain spaces or ':'")
    salt = os.urandom(SALT_BYTES) if salt is None else salt
    digest = pbkdf2_hmac("sha512", password.encode(), salt, ITERATIONS)
    return f"{name}:${SCHEME}${ITERATIONS}${_base64(salt)}${_base64(digest)}"


def may_publish(user: str, topic: str) -> bool:
    """The centre anywhere in the tree; a unit only under its own up/ and st/."""
    if user == CENTRE:
        return topic.startswith(ROOT + "/") and not set("+#") & set(topic)
    try:
        where, leaf = parse(topic)
    except BadTopic:
        return False
    return leaf.upward and where.device == user != ALL


def may_subscribe(user: str, topic_filter: str) -> bool:
    """The centre anything in the tree; a unit its own dn/ and what is for its whole site, without wildcards."""
    if user == CENTRE:
        return topic_filter.startswith(ROOT + "/")
    try:
        where, leaf = parse(topic_filter)
    except BadTopic:
        return False
    if where.device == ALL:
        return leaf in (DN_FEED, DN_CMD)
    return where.device == user and not leaf.upward


class Passwords:
    """The users of a password file."""

    retained_max = RETAINED_MAX

    def __init__(self, path: Path) -> None:
        """Raises BadPasswordFile."""
        self._path = path
        self._stamp: tuple[int, int, int] | None = None
        self._users: dict[str, tuple[int, bytes, bytes]] = {}
        self._refresh()

    def fit(self, user: str, password: str) -> bool:
        """Whether `user` may log in with `password`. A file that went bad meanwhile lets nobody in."""
        try:
            self._refresh()
        except BadPasswordFile:
            return False
        iterations, salt, digest = self._users.get(user, (ITERATIONS, b"nobody", b""))
        return hmac.compare_digest(pbkdf2_hmac("sha512", password.encode(), salt, iterations), digest)

    def may_publish(self, user: str, topic: str) -> bool:
        return may_publish(user, topic)

    def may_subscribe(self, user: str, topic_filter: str) -> bool:
        return may_subscribe(user, topic_filter)

    def _refresh(self) -> None:
        try:
            status = self._path.stat()
            stamp = (status.st_mtime_ns, status.st_size, status.st_ino)
            if stamp == self._stamp:
                return
            lines = self._path.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise BadPasswordFile(f"{self._path}: can't be read: {error}") from error
        if len(lines) > USERS_MAX:
            raise BadPasswordFile(f"{self._path}: more than {USERS_MAX} users")
        users = {}
        for number, line in enumerate(lines, start=1):
            if line.strip():
                name, entry = _entry(line, f"{self._path}, line {number}")
                users[name] = entry
        self._users, self._stamp = users, stamp


def _entry(line: str, where: str) -> tuple[str, tuple[int, bytes, bytes]]:
    name, _, rest = line.strip().partition(":")
    parts = rest.split("$")
    if not name or len(parts) != 5 or parts[1] != SCHEME or not parts[2].isdecimal():
        raise BadPasswordFile(f"{where}: expected name:$7$iterations$salt$hash")
    iterations = int(parts[2])
    if not 1 <= iterations <= ITERATIONS_MAX:
        raise BadPasswordFile(f"{where}: {iterations} iterations; 1 to {ITERATIONS_MAX} are allowed")
    try:
        return name, (iterations, base64.b64decode(parts[3], validate=True), base64.b64decode(parts[4], validate=True))
    except binascii.Error as error:
        raise BadPasswordFile(f"{where}: salt or hash is not base64") from error


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
