/* The parts of one cap: three lanes on two sites (0 and 1 share one) and the centre, for spin. After docs/decisions-alone.md,
   central/leases.py, central/leasing.py, wire/leasing.py, edge_agent/store/parts.py.

   That facts are booked once and in order is taken from uplink.pml: here a fact goes from a lane's disk to the centre's
   database in one step, at any later time. Asks and grants are messages: lost, late, doubled.

   Asserted at every state:  shown <= cap + what was given up + what restored images could spend once more
                             spent + parts + under way + held <= cap + exposure (+ a taking booked before its giving)
   Asserted whenever faults stop: nobody is awaited; both sides agree on every part; a lane that wants one gets one
   while the cap is not spent.

   BUG_*: a deliberate bug, which spin must find. */

#ifndef CAP
#define CAP 2
#endif
#ifndef ASKS
#define ASKS 3          /* questions for a part, in all */
#endif
#ifndef RETURNS
#define RETURNS 1       /* parts that are given back, surplus or recalled */
#endif
#ifndef ONLINE
#define ONLINE 0        /* uses by the centre's word */
#endif
#ifndef TRANSFERS
#define TRANSFERS 1     /* from lane 0 to lane 1; at most one */
#endif
#ifndef IMAGES
#define IMAGES 0        /* how often the disk of lane IMAGE_LANE is put back to an older image; at most one */
#endif
#ifndef IMAGE_LANE
#define IMAGE_LANE 0
#endif
#ifndef BACKUPS
#define BACKUPS 0       /* how often the centre is put back to an older copy; at most one */
#endif
#ifndef WRITE_OFFS
#define WRITE_OFFS 0    /* how often an operator writes off lane 2, which lives on */
#endif
#ifndef SECOND
#define SECOND 0        /* 1: lane 0 begins in its second epoch */
#endif

#define LANES 3
#define KEYS 6          /* a lane's first and second epoch: 2 * lane, 2 * lane + 1 */
#define JOURNAL 5       /* facts in an epoch; 4 bits each: what it is, and in which life of the disk */
#define SPENT 1
#define ASKED 2         /* spent by the centre's word */
#define RETURNED 3
#define GIVEN 4
#define TAKEN 5

#define pre(h, n)    ((h) & ((1 << (4 * (n))) - 1))
#define kind(h, n)   (((h) >> (4 * ((n) - 1))) & 7)
#define open(l)      (2 * (l) + lane[l].second)
#define left(l)      (lane[l].granted + lane[l].taken - lane[l].gone - lane[l].spent)
#define part(k)      (base.granted[k] + base.got[k] - base.gone[k] - base.spent[k] - base.written[k])
#define over(k)      (base.spent[k] - base.granted[k] - base.got[k] + base.gone[k])
#define plus(x)      ((x) > 0 -> (x) : 0)
#define parts        (plus(part(0)) + plus(part(1)) + plus(part(2)) + plus(part(3)) + plus(part(4)) + plus(part(5)) + base.twins)
#define beyond       (plus(over(0)) + plus(over(1)) + plus(over(2)) + plus(over(3)) + plus(over(4)) + plus(over(5)))
#define off_total    (base.written[0] + base.written[1] + base.written[2] + base.written[3] + base.written[4] + base.written[5])
#define promised     (base.used + parts + base.transit + base.held)
#define exposure     (base.exposed + beyond + off_total)
#define closed       (base.awaits || base.owes)

#ifdef BUG_RETURNED_TWICE
#define twice 1
#else
#define twice 0
#endif
#ifdef BUG_TRANSIT_ANYWAY   /* under way from the giving on, although the taking was booked before */
#define transit_anyway true
#else
#define transit_anyway false
#endif
#ifdef BUG_TAKEN_NEEDS_GIVEN   /* a taking counts only when its giving was booked before */
#define late_taken true
#else
#define late_taken false
#endif
#ifdef BUG_EARLY_GRANT      /* a restored centre grants at once */
#define grants_now true
#else
#define grants_now (!closed)
#endif
#ifdef BUG_NOT_REPORTED     /* a lane that hears of a restored centre does not say anew what it was granted */
#define reports_anew 0
#else
#define reports_anew 1
#endif
#ifdef BUG_TAKEN_TWICE
#define knows(who) false
#else
#define knows(who) knows_taken
#endif
#define is_taken(h)  (kind(h, 1) == TAKEN || kind(h, 2) == TAKEN || kind(h, 3) == TAKEN || kind(h, 4) == TAKEN || kind(h, 5) == TAKEN)
#define knows_taken  (is_taken(lane[1].j[0]) || is_taken(lane[1].j[1]))

typedef Lane { bit second; byte granted; byte taken; byte gone; byte spent; int j[2]; byte n[2]; byte carried; byte inc; bit whole }
typedef Ask { bit here; bit second; bit whole; byte inc; byte granted }
typedef Grant { bit here; bit second; bit whole; byte inc; byte total }
typedef Base {
    byte granted[KEYS]; byte got[KEYS]; byte gone[KEYS]; byte spent[KEYS]; byte written[KEYS];
    int j[KEYS]; byte n[KEYS];
    byte used; byte transit; byte held; byte exposed; byte twins;
    bit given; bit taken; byte awaits; byte owes; byte owed_key[LANES]; byte owed_head[LANES]
}

Lane lane[LANES], image;
Ask ask[LANES];
Grant grant[LANES];
Base base, backup;
byte inc = 1, shown = 0, asks = 0, returns = 0, online = 0, images = 0, backups = 0, write_offs = 0;
byte extra = 0;          /* what a restored image could spend once more */
byte given_up = 0;       /* what an operator wrote off */
bool offered = false, imaged = false, copied = false;

hidden byte i, k, n, c, total, t;   /* set and read within one step */
byte l;

inline clear() { i = 0; k = 0; n = 0; c = 0; total = 0; t = 0; l = 0 }

inline copy_lane(x, y) {
    x.second = y.second; x.granted = y.granted; x.taken = y.taken; x.gone = y.gone; x.spent = y.spent;
    x.j[0] = y.j[0]; x.j[1] = y.j[1]; x.n[0] = y.n[0]; x.n[1] = y.n[1]; x.carried = y.carried; x.inc = y.inc; x.whole = y.whole
}

inline copy_base(x, y) {
    i = 0;
    do
    :: i < KEYS ->
        x.granted[i] = y.granted[i]; x.got[i] = y.got[i]; x.gone[i] = y.gone[i]; x.spent[i] = y.spent[i];
        x.written[i] = y.written[i]; x.j[i] = y.j[i]; x.n[i] = y.n[i]; i++
    :: else -> break
    od;
    x.used = y.used; x.transit = y.transit; x.held = y.held; x.exposed = y.exposed; x.twins = y.twins;
    x.given = y.given; x.taken = y.taken
}

inline journal(who, what) {
    c = lane[who].second;
    lane[who].j[c] = lane[who].j[c] | ((what | ((images > 0 && who == IMAGE_LANE -> 8 : 0))) << (4 * lane[who].n[c]));
    lane[who].n[c]++
}
#define room(who) (lane[who].n[lane[who].second] < JOURNAL)

/* The histories of this epoch differ, or the centre's is longer. */
#define forked(key, l_, e_) (base.n[key] > lane[l_].n[e_] || pre(lane[l_].j[e_], base.n[key]) != base.j[key])

/* --- booking: central/leases.py ---------------------------------------------------------------------------- */

inline book_fact(who, key, e_) {
    n = base.n[key] + 1; t = kind(lane[who].j[e_], n);
    base.n[key] = n; base.j[key] = pre(lane[who].j[e_], n);
    c = (e_ == 1 && n <= lane[who].carried);         /* an old copy of the disk told it */
    if
    :: t == SPENT ->
        base.used++;
        if
        :: c -> base.exposed++
        :: else -> base.spent[key]++
        fi
    :: t == ASKED -> base.used++; base.held = plus(base.held - 1)
    :: t == RETURNED ->
        if
        :: c
        :: else -> base.gone[key] = base.gone[key] + 1 + twice
        fi
    :: t == GIVEN && !base.given ->
        base.given = 1;
        if
        :: c -> base.exposed++
        :: else -> base.gone[key]++
        fi;
        if
        :: !base.taken || transit_anyway -> base.transit++
        :: else
        fi
    :: t == TAKEN && !base.taken && !(late_taken && !base.given) ->
        base.taken = 1;
        if
        :: c -> base.twins++
        :: else -> base.got[key]++
        fi;
        base.transit = plus(base.transit - base.given)
    :: else
    fi;
    /* registry.booked_up_to */
    if
    :: (base.awaits & (1 << who)) && base.owed_head[who] > 0 && base.owed_key[who] == key && base.owed_head[who] <= n ->
        base.awaits = base.awaits & ~(1 << who); base.owed_head[who] = 0
    :: else
    fi
}

/* the uplink books the next fact, older epochs first */
#define behind(who, e_)  (!forked(2 * who + e_, who, e_) && base.n[2 * who + e_] < lane[who].n[e_])

/* registry.told_where_it_ends: the open epoch's end counts, once the older one is booked. */
#ifdef BUG_ANY_HELLO
#define speaks_for_all(who, e_) true
#else
#define speaks_for_all(who, e_) (e_ == lane[who].second && (e_ == 0 || base.n[2 * (who)] >= lane[who].n[0]))
#endif
inline say_hello(who, e_) {
    if
    :: lane[who].inc != inc -> lane[who].inc = inc; lane[who].whole = reports_anew
    :: else
    fi;
    if
    :: (base.awaits & (1 << who)) && speaks_for_all(who, e_) ->
        if
        :: base.n[2 * (who) + e_] >= lane[who].n[e_] -> base.awaits = base.awaits & ~(1 << who); base.owed_head[who] = 0
        :: else -> base.owed_key[who] = 2 * (who) + e_; base.owed_head[who] = lane[who].n[e_]
        fi
    :: else
    fi
}

inline send_ask(who) {
    ask[who].here = 1; ask[who].second = lane[who].second; ask[who].whole = lane[who].whole;
    ask[who].inc = lane[who].inc; ask[who].granted = lane[who].granted
}

inline no_ask(who) { ask[who].here = 0; ask[who].second = 0; ask[who].whole = 0; ask[who].inc = 0; ask[who].granted = 0 }
inline no_grant(who) { grant[who].here = 0; grant[who].second = 0; grant[who].whole = 0; grant[who].inc = 0; grant[who].total = 0 }

inline answer(who) {
    if
    :: ask[who].inc == inc ->
        k = 2 * (who) + ask[who].second;
        if
        :: ask[who].whole && (base.owes & (1 << who)) ->
            base.granted[k] = (ask[who].granted > base.granted[k] -> ask[who].granted : base.granted[k]);
            base.owes = base.owes & ~(1 << who)
        :: else
        fi;
        total = ask[who].granted;
        if
        :: grants_now ->
            if
            :: promised < CAP -> base.granted[k]++
            :: else
            fi;
            total = base.granted[k]
        :: else
        fi;
        grant[who].here = 1; grant[who].second = ask[who].second; grant[who].whole = ask[who].whole;
        grant[who].inc = inc; grant[who].total = total
    :: else
    fi
}

inline apply(who) {
    if
    :: grant[who].second == lane[who].second && grant[who].inc == lane[who].inc ->
        if
        :: grant[who].whole -> lane[who].whole = 0
        :: else
        fi;
#ifdef BUG_ADDED            /* a grant says how much more, not how much in all */
        lane[who].granted = lane[who].granted + (grant[who].total > 0 -> 1 : 0);
#else
        lane[who].granted = (grant[who].total > lane[who].granted -> grant[who].total : lane[who].granted);
#endif
    :: else
    fi
}

/* The lane hears that its disk is old: what the centre does not have follows in the second epoch, without parts. */
inline open_second(who) {
    n = 0;
    do
    :: n < lane[who].n[0] && n < base.n[2 * (who)] && pre(lane[who].j[0], n + 1) == pre(base.j[2 * (who)], n + 1) -> n++
    :: else -> break
    od;
    lane[who].j[1] = lane[who].j[0] >> (4 * n); lane[who].n[1] = lane[who].n[0] - n; lane[who].carried = lane[who].n[1];
    lane[who].j[0] = pre(lane[who].j[0], n); lane[who].n[0] = n; lane[who].second = 1; lane[who].whole = 1;
#ifndef BUG_PARTS_KEPT
    lane[who].granted = 0; lane[who].taken = 0; lane[who].gone = 0; lane[who].spent = 0
#endif
}

inline laws() {
    assert(shown <= CAP + given_up + extra);
    assert(promised <= CAP + exposure + (base.taken && !base.given))
}

/* --- when faults stop -------------------------------------------------------------------------------------- */

inline book_all(who) {
    do
    :: behind(who, 0) -> book_fact(who, 2 * (who), 0)
    :: !behind(who, 0) && behind(who, 1) -> book_fact(who, 2 * (who) + 1, 1)
    :: else -> break
    od
}

inline settle(who) {
    if
    :: !lane[who].second && forked(2 * (who), who, 0) -> open_second(who)
    :: else
    fi;
    say_hello(who, 0);
    book_all(who);
    if
    :: lane[who].second -> say_hello(who, 1)
    :: else
    fi;
    if
    :: lane[who].whole -> send_ask(who); answer(who); apply(who)
    :: else
    fi
}

inline ask_now(who) { send_ask(who); answer(who); apply(who) }

inline agree(who) {
    assert(WRITE_OFFS > 0 || plus(part(open(who))) == left(who) || (IMAGES > 0 && !lane[who].second))
}

active proctype world() {
    d_step {
        lane[0].second = SECOND;
        l = 0;
        do
        :: l < LANES -> lane[l].inc = 1; l++
        :: else -> break
        od;
        copy_lane(image, lane[IMAGE_LANE]); clear()
    };
    do
    :: atomic {
        if
        :: l = 0
        :: l = 1
        :: l = 2
        fi;
        if
        /* a shopper */
        :: d_step { left(l) > 0 && room(l) -> lane[l].spent++; journal(l, SPENT); shown++ }
        :: d_step { online < ONLINE && !closed && promised < CAP && room(l) -> online++; base.held++; journal(l, ASKED); shown++ }
        /* giving back, and from lane to lane */
        :: d_step { returns < RETURNS && left(l) > 0 && room(l) -> returns++; lane[l].gone++; journal(l, RETURNED) }
        :: d_step { TRANSFERS > 0 && l == 0 && !offered && left(0) > 0 && room(0) -> lane[0].gone++; journal(0, GIVEN); offered = true }
        :: d_step { l == 1 && offered && !knows(1) && room(1) && lane[1].taken < 3 -> lane[1].taken++; journal(1, TAKEN) }
        /* messages: a slot is overwritten (lost), read again (doubled), read late */
        :: d_step { asks < ASKS && left(l) == 0 -> asks++; send_ask(l) }
        :: d_step { lane[l].whole && !ask[l].here -> send_ask(l) }
        :: d_step { ask[l].here -> answer(l); no_ask(l) }
        :: d_step { ask[l].here && ask[l].inc == inc && promised < CAP -> answer(l) }
        :: d_step { ask[l].here && ask[l].inc != inc -> no_ask(l) }
        :: d_step { grant[l].here && lane[l].granted < 4 -> apply(l) }
        :: d_step { grant[l].here -> no_grant(l) }
        /* the uplink */
        :: d_step { behind(l, 0) -> book_fact(l, 2 * l, 0) }
        :: d_step { !behind(l, 0) && behind(l, 1) -> book_fact(l, 2 * l + 1, 1) }
        :: d_step { lane[l].inc != inc || (base.awaits & (1 << l)) -> say_hello(l, 0) }
        :: d_step { lane[l].second && (lane[l].inc != inc || (base.awaits & (1 << l))) -> say_hello(l, 1) }
        :: d_step { !lane[l].second && forked(2 * l, l, 0) -> open_second(l) }
        /* disks and databases that come back older */
        :: d_step { IMAGES > 0 && l == IMAGE_LANE && !imaged -> imaged = true; copy_lane(image, lane[IMAGE_LANE]) }
        :: d_step { l == IMAGE_LANE && imaged && images < IMAGES && !lane[l].second ->
            images++;
#ifdef BUG_IMAGE_HELD     /* no more than the image held */
            extra = image.granted + image.taken - image.gone - image.spent;
#else                       /* and what was granted in its epoch since, for the next grant tells the total */
            extra = base.granted[2 * IMAGE_LANE] + image.taken - image.gone - image.spent;
#endif
            extra = extra + ((offered && IMAGE_LANE == 1 && !is_taken(image.j[0]) && is_taken(lane[1].j[0])) -> 1 : 0);
            copy_lane(lane[IMAGE_LANE], image) }
        :: d_step { BACKUPS > 0 && l == 0 && !copied -> copied = true; copy_base(backup, base) }
        :: d_step { l == 0 && copied && backups < BACKUPS ->
            backups++; copy_base(base, backup); inc++; base.awaits = 7; base.owes = 7;
            base.owed_head[0] = 0; base.owed_head[1] = 0; base.owed_head[2] = 0 }
        /* an operator */
        :: d_step { l == 2 && write_offs < WRITE_OFFS && plus(part(4)) > 0 ->
            write_offs++; c = part(4); base.written[4] = base.written[4] + c; given_up = given_up + c;
            base.awaits = base.awaits & ~4; base.owes = base.owes & ~4 }
        :: skip
        fi;
        d_step { laws(); clear() }
        }
    :: break
    od;
    skip;
    d_step {
        settle(0); settle(1); settle(2);
        if
        :: offered && !knows_taken && !(IMAGES > 0) && room(1) -> lane[1].taken++; journal(1, TAKEN); book_all(1)
        :: else
        fi;
        laws();
        assert(!closed);
        ask_now(0); ask_now(1); ask_now(2);      /* the next answer tells the total again */
        laws();
        agree(0); agree(1); agree(2);
        /* the others give back what they have; lane 2 wants one */
        if
        :: IMAGES == 0 && WRITE_OFFS == 0 && room(0) && room(1) && room(2) && left(0) <= 2 && left(1) <= 2 ->
            do
            :: left(0) > 0 && room(0) -> lane[0].gone++; journal(0, RETURNED)
            :: else -> break
            od;
            do
            :: left(1) > 0 && room(1) -> lane[1].gone++; journal(1, RETURNED)
            :: else -> break
            od;
            book_all(0); book_all(1);
            if
            :: left(0) == 0 && left(1) == 0 ->
                ask_now(2);
                assert(left(2) > 0 || shown >= CAP)
            :: else
            fi
        :: else
        fi;
        clear()
    }
}
