"""Codes with something wrong: printed against a rule, damaged on the way, or made by somebody who may not.

Those of the trade break one rule each; which one is GS1's business and stands beside it. Those of ours are taken from
a phone and changed as light, thumbs and forgers change them. A forged one that counts is found by the checkers: its
serial was never given to anybody.
"""

from __future__ import annotations

from random import Random
from typing import Final

from nacl.signing import SigningKey

from loyalty.barcode import base45, moving, own
from loyalty.coupon import Coupon
from simulator.world.catalogue import Code

GCN: Final = b"2554912345678904"
PAPER: Final = b"8110106141416543213500110000"

TRADE: Final = (
    Code(b"", "gs1_128"),
    Code(b"]C1", "code128"),
    Code(b"6812345", "gs1_128"),  # no such identifier
    Code(b"2001" * 65, "gs1_128"),
    Code(b"(20)01" * 65, "qr"),
    Code(b"01ABCDEFGHIJKLMN", "gs1_128"),
    Code(b"010491", "gs1_128"),
    Code(b"0104912345678904" + b"21" + b"X" * 30, "gs1_128"),
    Code(GCN + b"\x1d17271301", "gs1_128"),
    Code(GCN + b"\x1d17270230", "gs1_128"),
    Code(GCN + b"\x1d17270200", "gs1_128"),  # the last of February: this one is right
    Code(GCN + b"\x1d1728013117280131", "gs1_128"),  # the same said twice: right too
    Code(GCN + b"\x1d1728013117280132", "gs1_128"),
    Code(GCN + b"\x1d1728013117280130", "gs1_128"),
    Code(GCN + b"\x1d3900500\x1d3901500", "gs1_128"),
    Code(GCN + b"\x1d3900500\x1d81110010", "gs1_128"),
    Code(GCN + b"\x1d81110010", "gs1_128"),
    Code(b"10LOT", "gs1_128"),
    Code(b"0104912345678904" + GCN, "gs1_128"),
    Code(b"800311111111111111", "gs1_128"),
    Code(b"800304912345678904", "gs1_128"),
    Code(b"00123456789012345675", "gs1_128"),
    Code(b"80184912345678901234", "gs1_128"),
    Code(PAPER[:-2], "databar_expanded"),
    Code(PAPER[:16], "databar_expanded"),
    Code(PAPER + b"A", "databar_expanded"),
    Code(PAPER + b"8", "databar_expanded"),
    Code(PAPER.replace(b"81101", b"81109"), "databar_expanded"),
    Code(PAPER[:-4] + b"7000", "databar_expanded"),  # no such unit
    Code(PAPER + b"3281301", "databar_expanded"),
    Code(PAPER + b"3280132", "databar_expanded"),
    Code(PAPER + b"32801314280201", "databar_expanded"),  # ends before it starts
    Code(PAPER + b"93000", "databar_expanded"),
    Code(b"(0000)12", "qr"),
    Code(b"(255)4912345678904(8111)10(8111)20", "qr"),
    Code(b"(01)04912345678904(10)A\\(21)B", "qr"),
    Code(b"https:///255/4912345678904", "qr"),
    Code(b"https://a_b.example/255/4912345678904", "qr"),
    Code(b"https://a.example/255/4912345678904/", "qr"),
    Code(b"https://a.example/255/4912345678904?17=28 0131", "qr"),
    Code(b"https://a.example/255/4912345678904?17=280131&17=280131", "qr"),
    Code(b"https://a.example/255/4912345678904?01=04912345678904", "qr"),
    Code(b"https://a.example/255/4912345678904?6800=1;x=2;3900=3+0", "qr"),
    Code(b"https://a.example/255/4912345678904?3900=3+0", "qr"),
    Code(b"https://a.example/255/4912345678904?17=%2", "qr"),
    Code(b"https://a.example/01/04912345678904/21/X/10/A", "qr"),
    Code(b"https://a.example/01/04912345678904/22/V/10/A/21/X", "qr"),
    Code(b"https://a.example/01/04912345678904/10/A%0A", "qr"),
    Code(b"https://a.example/01/04912345678904/10/" + b"%41" * 21, "qr"),
    Code(b"https://a.example/01/99", "qr"),
    Code(b"https://a.example/2027/01/15", "qr"),
    Code(b"https://a.example/414/4512345000004/x/y", "qr"),
    Code(b"https://a.example?/01/2", "qr"),
    Code(b"https:/01/2", "qr"),
    Code(b"0212345012986", "ean13"),  # the price's own check digit
    Code(b"0212345712980", "ean13"),
    Code(b"2112345678903", "ean13"),
    Code(b"9912345605001", "ean13"),
    Code(b"A123456783A", "codabar"),
    Code(b"B123456782B", "codabar"),
    Code(b"1234567890", "itf"),
    Code(b"1234567x90", "itf"),
    Code("会員番号九".encode()[:10], "itf"),
    Code(b"491234567890", "ean13"),
    Code(b"4912345678905", "ean13"),
    Code(b"49123", "ean8"),
    Code(b"4912345678904", "code128"),
    Code(b"tel:+81312345678", "qr"),
    Code(b"TK", "qr"),
    Code(b"TK77:ABC", "qr"),
)


def of_the_trade(rng: Random) -> Code:
    """A code that somebody printed wrong."""
    return rng.choice(TRADE)


def damaged(rng: Random, text: bytes) -> bytes:
    """A code of ours after something happened to it: it is cut off, smeared, or had a character added."""
    kind = rng.randrange(6)
    place = rng.randrange(4, len(text))
    if kind == 0:
        return text[:place]
    if kind == 1:
        return text[:place] + b"?" + text[place + 1 :]
    if kind == 2:
        return text[:place] + b"q" + text[place + 1 : -3]
    if kind == 3:
        return text + b"0"
    if kind == 4:
        at = 4 + (place - 4) // 3 * 3
        return text[:at] + b":::" + text[at + 3 :]  # three characters that stand for no two bytes
    other = rng.choice(base45.ALPHABET)
    return text[:place] + bytes((other,)) + text[place + 1 :]


def forged(rng: Random) -> bytes:
    """Made by somebody without our keys: in their name, in the name of a key that there is not, or of the future."""
    key, phone = SigningKey(rng.randbytes(32)), SigningKey(rng.randbytes(32))
    kind = rng.randrange(7)
    number = rng.choice((1, 1, 2, 200))
    coupon = Coupon(campaign=rng.randrange(1, 20), serial=rng.getrandbits(64), key=number)
    if kind < 2:
        return own.mint(key, coupon).encode()
    if kind == 2:
        ticket = moving.mint(key, Coupon(campaign=9, serial=1, key=number, phone=phone.verify_key.encode()))
        return moving.show(ticket, phone, rng.randrange(1, 1 << 30)).encode()
    if kind == 3:
        ticket = moving.mint(key, Coupon(campaign=9, serial=1, key=number, phone=phone.verify_key.encode()))
        return moving.show(ticket, phone, 0).encode()
    prefix, length = (b"TK1:", 88) if kind < 6 else (b"TK2:", 188)
    head = bytes((rng.choice((1, 2, 9)), rng.choice((0, 1))))
    return prefix + base45.encode(head + rng.randbytes(length - len(head))).encode()
