"""The tables of a unit's store, and its versions.

Positions number the rows of the journal for good; a fact's number within its epoch is its position less the
epoch's `base`.
"""

from __future__ import annotations

from typing import Final

from edge_agent.store.connection import Connection, StoreError

_TABLES: Final = """
CREATE TABLE meta (
    key TEXT PRIMARY KEY,
    value NOT NULL
) WITHOUT ROWID;

-- The journal is the outbox: what lies beyond the cursor of its epoch waits to be booked.
CREATE TABLE epochs (
    id INTEGER PRIMARY KEY,
    epoch BLOB NOT NULL UNIQUE,      -- 16 random bytes
    base INTEGER NOT NULL,           -- position before the first fact
    last INTEGER,                    -- number of the last fact; NULL: this epoch is open
    acked INTEGER NOT NULL,          -- the cursor: 1..acked are booked
    incarnation BLOB NOT NULL        -- of the centre's database that said so
);
CREATE TABLE journal (
    position INTEGER PRIMARY KEY,
    at_ms INTEGER NOT NULL,          -- wall time, for retention alone
    hash BLOB NOT NULL,              -- of the chain after this fact
    body BLOB NOT NULL
);

-- This unit's own redemptions, and whether the shopper saw the yes.
CREATE TABLE own (
    position INTEGER PRIMARY KEY,
    campaign INTEGER NOT NULL,
    serial INTEGER NOT NULL,         -- as signed 64 bits; 0: none
    holder INTEGER NOT NULL,
    at_ms INTEGER NOT NULL,
    shown INTEGER NOT NULL,
    fact BLOB NOT NULL               -- wire.sealing.fact_id
);
CREATE INDEX own_serial ON own (serial, campaign) WHERE serial <> 0;
CREATE INDEX own_holder ON own (holder, campaign) WHERE holder <> 0;
CREATE INDEX own_unseen ON own (campaign) WHERE shown = 0;
CREATE TABLE questions (
    question BLOB PRIMARY KEY,
    campaign INTEGER NOT NULL,
    serial INTEGER NOT NULL
) WITHOUT ROWID;

-- The cache: what the centre told. Redemptions stand in two tables; one is in force, the other takes a snapshot.
CREATE TABLE campaigns (id INTEGER PRIMARY KEY, jan TEXT NOT NULL, body BLOB NOT NULL);
CREATE INDEX campaigns_jan ON campaigns (jan) WHERE jan <> '';
CREATE TABLE keys (id INTEGER PRIMARY KEY, public BLOB NOT NULL, retired_ms INTEGER);
CREATE TABLE staged (id INTEGER PRIMARY KEY, body BLOB NOT NULL);
"""
_SEEN: Final = """
CREATE TABLE seen_{n} (
    key BLOB PRIMARY KEY,            -- keyed hash of the serial; for campaigns without serials the fact's id
    campaign INTEGER NOT NULL,
    holder BLOB NOT NULL,
    at_ms INTEGER NOT NULL,
    site TEXT NOT NULL,
    fact BLOB NOT NULL,
    provisional INTEGER NOT NULL     -- told by a hint, not yet booked
) WITHOUT ROWID;
CREATE INDEX seen_{n}_holder ON seen_{n} (holder, campaign) WHERE holder <> x'';
"""

_SITE: Final = """
-- The site's own network. Whom the centre named as lanes of this site:
CREATE TABLE lanes (device TEXT PRIMARY KEY, public BLOB NOT NULL) WITHOUT ROWID;
-- what those lanes told of their redemptions and the centre has not told yet; snapshots leave it alone
CREATE TABLE heard (
    id INTEGER PRIMARY KEY,          -- in the order in which it came
    fact BLOB NOT NULL,              -- wire.sealing.fact_id
    device TEXT NOT NULL,
    campaign INTEGER NOT NULL,
    serial BLOB NOT NULL,            -- keyed hash, or empty
    holder BLOB NOT NULL,            -- keyed hash, or empty
    at_ms INTEGER NOT NULL,          -- by the lane's clock
    kept_ms INTEGER NOT NULL         -- by ours
);
CREATE UNIQUE INDEX heard_fact ON heard (fact, serial);
CREATE INDEX heard_serial ON heard (serial) WHERE serial <> x'';
CREATE INDEX heard_holder ON heard (holder, campaign) WHERE holder <> x'';
-- how far each lane's journal was seen
CREATE TABLE marks (
    id INTEGER PRIMARY KEY,          -- in the order in which the epochs were first heard
    device TEXT NOT NULL,
    epoch BLOB NOT NULL,
    number INTEGER NOT NULL,
    hash BLOB NOT NULL,
    UNIQUE (device, epoch)
);
-- redemptions that the centre booked and took back: nobody's word brings them up again
CREATE TABLE taken_back (id INTEGER PRIMARY KEY, fact BLOB NOT NULL UNIQUE);
-- every epoch that was ever ours, as a witness may name it
CREATE TABLE my_epochs (epoch BLOB PRIMARY KEY) WITHOUT ROWID;
"""

_PARTS: Final = """
-- Parts of limits that this unit may spend alone, for the open epoch. What is left: granted + moved - spent.
CREATE TABLE parts (
    kind TEXT NOT NULL,              -- loyalty.lease.Pot
    id INTEGER NOT NULL,
    holder INTEGER NOT NULL,
    granted_count INTEGER NOT NULL,  -- by the centre, in all
    granted_yen INTEGER NOT NULL,
    moved_count INTEGER NOT NULL,    -- taken from other lanes, less given to them, less returned
    moved_yen INTEGER NOT NULL,
    spent_count INTEGER NOT NULL,
    spent_yen INTEGER NOT NULL,
    ends_ms INTEGER,                 -- wall time from which this unit stops
    PRIMARY KEY (kind, id, holder)
) WITHOUT ROWID;

-- Halves of transfers between lanes: given (sent until the other one has it) and taken (so that none is taken twice).
CREATE TABLE transfers (
    transfer BLOB PRIMARY KEY,
    given INTEGER NOT NULL,          -- 1: from here to `peer`, 0: from `peer` to here
    peer TEXT NOT NULL,
    kind TEXT NOT NULL,
    id INTEGER NOT NULL,
    holder INTEGER NOT NULL,
    count INTEGER NOT NULL,
    yen INTEGER NOT NULL,
    at_ms INTEGER NOT NULL,
    done INTEGER NOT NULL            -- given: the other one has said that it took it
) WITHOUT ROWID;

-- Serials whose home was here and that left.
CREATE TABLE away (
    campaign INTEGER NOT NULL,
    serial INTEGER NOT NULL,         -- as signed 64 bits
    question BLOB NOT NULL,
    device TEXT NOT NULL,            -- for whom; empty: the centre
    moves INTEGER NOT NULL,          -- how often its home had moved when it left
    PRIMARY KEY (campaign, serial)
) WITHOUT ROWID;

-- The cache: which campaigns are leased, who keeps which home, and the serials whose home moved.
CREATE TABLE homes (
    number INTEGER PRIMARY KEY, site TEXT NOT NULL, title TEXT NOT NULL, device TEXT NOT NULL, epoch BLOB NOT NULL,
    term INTEGER NOT NULL
);
ALTER TABLE campaigns ADD COLUMN leased INTEGER NOT NULL DEFAULT 0;
CREATE INDEX campaigns_leased ON campaigns (id) WHERE leased = 1;
CREATE TABLE moved (key BLOB PRIMARY KEY, home INTEGER NOT NULL, moves INTEGER NOT NULL) WITHOUT ROWID;
"""

# The stop list. A snapshot fills the generation that is not in force (`edge_agent.store.cache`).
_REVOKED: Final = """
CREATE TABLE revoked (
    generation INTEGER NOT NULL,
    key BLOB NOT NULL,               -- keyed hash of a serial or of a holder
    PRIMARY KEY (generation, key)
) WITHOUT ROWID;
"""

_CODES_OF_THE_TRADE: Final = """
-- What finds a campaign without its number: a JAN, or the key of a code of the trade.
DROP INDEX campaigns_jan;
ALTER TABLE campaigns RENAME COLUMN jan TO found_by;
CREATE INDEX campaigns_found_by ON campaigns (found_by) WHERE found_by <> '';

-- Cards that the centre told: keyed hash of the UID, and the pseudonym of its holder.
CREATE TABLE cards (card BLOB PRIMARY KEY, holder INTEGER NOT NULL) WITHOUT ROWID;

-- Moving codes without serials: keyed hash of campaign and phone, and the newest time step that counted here.
CREATE TABLE phones (phone BLOB PRIMARY KEY, step INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX phones_step ON phones (step);
"""

_TRANSFERS_IN_ORDER: Final = """
-- In which order transfers were written down; those of older stores come first.
ALTER TABLE transfers ADD COLUMN number INTEGER NOT NULL DEFAULT 0;
CREATE INDEX transfers_number ON transfers (number);
"""

_MEMBER_CARDS: Final = """
-- The cache: what authenticates member cards, and which card of a holder is the valid one where that was told.
CREATE TABLE card_keys (number INTEGER PRIMARY KEY, secret BLOB NOT NULL);
CREATE TABLE generations (
    key BLOB PRIMARY KEY,            -- keyed hash of the holder
    generation INTEGER NOT NULL,
    blocked INTEGER NOT NULL
) WITHOUT ROWID;

-- Cards that were seen here, the newest last: an old state of one that is written back is known by its counter.
CREATE TABLE card_counters (
    number INTEGER PRIMARY KEY,
    card BLOB NOT NULL UNIQUE,       -- keyed hash of the UID
    counter INTEGER NOT NULL
);

-- Cards that were to be written, and that are not known to be.
CREATE TABLE card_writes (
    number INTEGER PRIMARY KEY,
    id BLOB NOT NULL UNIQUE,
    card BLOB NOT NULL,
    counter INTEGER NOT NULL,        -- that it was to get
    doubted INTEGER NOT NULL         -- 0: it is being written now, or the power went; 1: its fact says 'doubt'
);
CREATE INDEX card_writes_card ON card_writes (card);
"""

_TILL: Final = """
-- Sales of the till that are over, the newest last: a till that asks again is told the same again.
CREATE TABLE sales (
    number INTEGER PRIMARY KEY,
    sale BLOB NOT NULL UNIQUE,       -- the till's own id, 16 bytes
    state TEXT NOT NULL,             -- core.receipt.SaleState: paid or cancelled
    payment BLOB NOT NULL,           -- the till's own id of the payment, or empty
    body BLOB NOT NULL               -- core.receipt.SaleView
);

-- The cache: kinds of points, and what a purchase earns at this site, each revision of its rule.
CREATE TABLE programmes (id INTEGER PRIMARY KEY, body BLOB NOT NULL);
CREATE TABLE earn_rules (
    programme INTEGER NOT NULL,
    revision INTEGER NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (programme, revision)
) WITHOUT ROWID;
"""

_REVERSALS: Final = """
-- Sales that can be taken back: which of this unit's own redemptions belong to which sale of its till.
ALTER TABLE own ADD COLUMN sale BLOB NOT NULL DEFAULT x'';
CREATE INDEX own_sale ON own (sale) WHERE sale <> x'';

-- Reversals that this unit told, by the till's id: asked again they have the same answer.
CREATE TABLE reversals (
    position INTEGER PRIMARY KEY,
    id BLOB NOT NULL UNIQUE,
    body BLOB NOT NULL               -- wire.facts.Reversed
);

-- Redemptions of this unit that do not count any more, whoever still tells of them.
CREATE TABLE given_back (
    fact BLOB PRIMARY KEY,           -- wire.sealing.fact_id
    position INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX given_back_position ON given_back (position);
"""

STEPS: Final = (
    _TABLES + _SEEN.format(n=0) + _SEEN.format(n=1),
    _PARTS,
    _REVOKED,
    _CODES_OF_THE_TRADE,
    _SITE,
    _TRANSFERS_IN_ORDER,
    _MEMBER_CARDS,
    _REVERSALS,
    _TILL,
)
"""What brings a store from version n to n + 1. A step runs once, and is never edited after a release."""
VERSION: Final = len(STEPS)


def prepare(connection: Connection, *, read_only: bool = False) -> None:
    """Bring the tables to this version, in one transaction. Raises StoreError for a store of a newer one."""
    row = connection.row("PRAGMA user_version")
    version = row[0] if row else 0
    if version == VERSION:
        return
    if version > VERSION or read_only:
        raise StoreError(f"the store has version {version}, this software knows version {VERSION}")
    with connection.transaction():
        for step in STEPS[version:]:
            for statement in step.split(";\n"):
                if statement.strip():
                    connection.execute(statement)
        connection.execute(f"PRAGMA user_version={VERSION}")
