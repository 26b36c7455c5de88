"""The Application Identifiers (GS1 General Specifications, 3; GS1's Syntax Dictionary): how their values are built.

A line of `_TABLE` is one AI or a run of them, and the parts of its value: n digits, x the set of 82 characters, y the
set of 39, z base64 of addresses; a number is an exact length, '1..20' a range. What follows '#' is GS1's title.

The last digit of the runs 31nn to 36nn and 39nn tells where the decimal point stands. All AIs that begin with the
same two digits have the same length, so an AI is found with two look-ups.
"""

from __future__ import annotations

from typing import Final, NamedTuple

_TABLE: Final = """
00 n18 # SSCC
01 n14 # GTIN
02 n14 # CONTENT
03 n14 # MTO GTIN
10 x1..20 # BATCH/LOT
11 n6 # PROD DATE
12 n6 # DUE DATE
13 n6 # PACK DATE
15 n6 # BEST BEFORE
16 n6 # SELL BY
17 n6 # EXPIRY
20 n2 # VARIANT
21 x1..20 # SERIAL
22 x1..20 # CPV
235 x1..28 # TPX
240 x1..30 # ADDITIONAL ID
241 x1..30 # CUST. PART No.
242 n1..6 # MTO VARIANT
243 x1..20 # PCN
250 x1..30 # SECONDARY SERIAL
251 x1..30 # REF. TO SOURCE
253 n13 x0..17 # GDTI
254 x1..20 # GLN EXTENSION COMPONENT
255 n13 n0..12 # GCN
30 n1..8 # VAR. COUNT
3100-3105 n6 # NET WEIGHT (kg)
3110-3115 n6 # LENGTH (m)
3120-3125 n6 # WIDTH (m)
3130-3135 n6 # HEIGHT (m)
3140-3145 n6 # AREA (m2)
3150-3155 n6 # NET VOLUME (l)
3160-3165 n6 # NET VOLUME (m3)
3200-3205 n6 # NET WEIGHT (lb)
3210-3215 n6 # LENGTH (in)
3220-3225 n6 # LENGTH (ft)
3230-3235 n6 # LENGTH (yd)
3240-3245 n6 # WIDTH (in)
3250-3255 n6 # WIDTH (ft)
3260-3265 n6 # WIDTH (yd)
3270-3275 n6 # HEIGHT (in)
3280-3285 n6 # HEIGHT (ft)
3290-3295 n6 # HEIGHT (yd)
3300-3305 n6 # GROSS WEIGHT (kg)
3310-3315 n6 # LENGTH (m), log
3320-3325 n6 # WIDTH (m), log
3330-3335 n6 # HEIGHT (m), log
3340-3345 n6 # AREA (m2), log
3350-3355 n6 # VOLUME (l), log
3360-3365 n6 # VOLUME (m3), log
3370-3375 n6 # KG PER m2
3400-3405 n6 # GROSS WEIGHT (lb)
3410-3415 n6 # LENGTH (in), log
3420-3425 n6 # LENGTH (ft), log
3430-3435 n6 # LENGTH (yd), log
3440-3445 n6 # WIDTH (in), log
3450-3455 n6 # WIDTH (ft), log
3460-3465 n6 # WIDTH (yd), log
3470-3475 n6 # HEIGHT (in), log
3480-3485 n6 # HEIGHT (ft), log
3490-3495 n6 # HEIGHT (yd), log
3500-3505 n6 # AREA (in2)
3510-3515 n6 # AREA (ft2)
3520-3525 n6 # AREA (yd2)
3530-3535 n6 # AREA (in2), log
3540-3545 n6 # AREA (ft2), log
3550-3555 n6 # AREA (yd2), log
3560-3565 n6 # NET WEIGHT (t oz)
3570-3575 n6 # NET VOLUME (oz)
3600-3605 n6 # NET VOLUME (qt)
3610-3615 n6 # NET VOLUME (gal.)
3620-3625 n6 # VOLUME (qt), log
3630-3635 n6 # VOLUME (gal.), log
3640-3645 n6 # VOLUME (in3)
3650-3655 n6 # VOLUME (ft3)
3660-3665 n6 # VOLUME (yd3)
3670-3675 n6 # VOLUME (in3), log
3680-3685 n6 # VOLUME (ft3), log
3690-3695 n6 # VOLUME (yd3), log
37 n1..8 # COUNT
3900-3909 n1..15 # AMOUNT
3910-3919 n3 n1..15 # AMOUNT with currency
3920-3929 n1..15 # PRICE
3930-3939 n3 n1..15 # PRICE with currency
3940-3943 n4 # PRCNT OFF
3950-3955 n6 # PRICE/UoM
400 x1..30 # ORDER NUMBER
401 x1..30 # GINC
402 n17 # GSIN
403 x1..30 # ROUTE
410-417 n13 # GLN
420 x1..20 # SHIP TO POST
421 n3 x1..9 # SHIP TO POST with country
422 n3 # ORIGIN
423 n3..15 # COUNTRY - INITIAL PROCESS
424 n3 # COUNTRY - PROCESS
425 n3..15 # COUNTRY - DISASSEMBLY
426 n3 # COUNTRY - FULL PROCESS
427 x1..3 # ORIGIN SUBDIVISION
4300-4301 x1..35 # SHIP TO
4302-4306 x1..70 # SHIP TO
4307 x2 # SHIP TO COUNTRY
4308 x1..30 # SHIP TO PHONE
4309 n20 # SHIP TO GEO
4310-4311 x1..35 # RTN TO
4312-4316 x1..70 # RTN TO
4317 x2 # RTN TO COUNTRY
4318 x1..20 # RTN TO POST
4319 x1..30 # RTN TO PHONE
4320 x1..35 # SRV DESCRIPTION
4321-4323 n1 # DELIVERY
4324-4325 n10 # DEL DT
4326 n6 # REL DATE
4330-4333 n6 x0..1 # TEMP
7001 n13 # NSN
7002 x1..30 # MEAT CUT
7003 n10 # EXPIRY TIME
7004 n1..4 # ACTIVE POTENCY
7005 x1..12 # CATCH AREA
7006 n6 # FIRST FREEZE DATE
7007 n6 n0..6 # HARVEST DATE
7008 x1..3 # AQUATIC SPECIES
7009 x1..10 # FISHING GEAR TYPE
7010 x1..2 # PROD METHOD
7011 n6 n0..4 # TEST BY DATE
7020-7022 x1..20 # REFURB
7023 x1..30 # GIAI - ASSEMBLY
7030-7039 n3 x1..27 # PROCESSOR
7040 n1 x3 # UIC+EXT
7041 x1..4 # UFRGT UNIT TYPE
710-717 x1..20 # NHRN
7230-7239 x3..30 # CERT
7240 x1..20 # PROTOCOL
7241 n2 # AIDC MEDIA TYPE
7242 x1..25 # VCN
7250 n8 # DOB
7251 n12 # DOB TIME
7252 n1 # BIO SEX
7253-7254 x1..40 # NAME
7255 x1..10 # SUFFIX
7256 x1..90 # FULL NAME
7257 x1..70 # PERSON ADDR
7258 n1 x1 n1 # BIRTH SEQUENCE
7259 x1..40 # BABY
8001 n14 # DIMENSIONS
8002 x1..20 # CMT No.
8003 n14 x0..16 # GRAI
8004 x1..30 # GIAI
8005 n6 # PRICE PER UNIT
8006 n18 # ITIP
8007 x1..34 # IBAN
8008 n8 n0..4 # PROD TIME
8009 x1..50 # OPTSEN
8010 y1..30 # CPID
8011 n1..12 # CPID SERIAL
8012 x1..20 # VERSION
8013 x1..25 # GMN
8014 x1..25 # HIDRI
8017 n18 # GSRN - PROVIDER
8018 n18 # GSRN - RECIPIENT
8019 n1..10 # SRIN
8020 x1..25 # REF No.
8026 n18 # ITIP CONTENT
8030 z1..90 # DIGSIG
8040-8041 n15 # IMEI
8042 n32 # ESIM
8043 n18 n0..2 # PSIM
8110 x1..70 # COUPON
8111 n4 # POINTS
8112 x1..70 # COUPON, POSITIVE OFFER FILE
8200 x1..70 # PRODUCT URL
90 x1..30 # INTERNAL
91-99 x1..90 # INTERNAL
"""

SET_39: Final = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ#-/"
SET_64: Final = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-_="
SET_82: Final = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!\"%&'()*+,-./:;<=>?_"
_SETS: Final = {"n": b"0123456789", "x": SET_82, "y": SET_39, "z": SET_64}

_PREDEFINED: Final = (*("00", "01", "02", "03", "04"), *map(str, range(11, 21)), *map(str, range(31, 37)), "41")
"""AIs that begin so have a predefined length: they end without a separator (General Specifications, 7.8.5)."""


class Part(NamedTuple):
    """One stretch of a value."""

    characters: bytes
    least: int
    most: int


class Ai(NamedTuple):
    """One Application Identifier."""

    ai: str
    title: str
    parts: tuple[Part, ...]
    least: int  # of the whole value
    most: int
    predefined: bool  # ends without a separator
    digits: bool  # the whole value is digits


def _part(words: str) -> Part:
    low, _, high = words[1:].partition("..")
    return Part(_SETS[words[0]], int(low), int(high or low))


def _entry(ai: str, specification: str, title: str) -> Ai:
    parts = tuple(_part(words) for words in specification.split())
    least, most = sum(part.least for part in parts), sum(part.most for part in parts)
    digits = all(part.characters is _SETS["n"] for part in parts)
    return Ai(ai, title, parts, least, most, ai[:2] in _PREDEFINED, digits)


def _table() -> dict[bytes, Ai]:
    out = {}
    for line in _TABLE.strip().splitlines():
        entry, _, title = line.partition(" # ")
        ais, _, specification = entry.partition(" ")
        first, _, last = ais.partition("-")
        for number in range(int(first), int(last or first) + 1):
            ai = f"{number:0{len(first)}}"
            out[ai.encode()] = _entry(ai, specification, title)
    return out


AIS: Final = _table()
"""By their digits."""
AI_LENGTHS: Final = {ai[:2]: len(ai) for ai in AIS}
"""By the first two digits."""


def at(text: bytes, place: int) -> Ai | None:
    """The AI that begins at `place`, if it is one that we know."""
    length = AI_LENGTHS.get(text[place : place + 2])
    return None if length is None else AIS.get(text[place : place + length])
