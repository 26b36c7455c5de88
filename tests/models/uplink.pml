/* One unit's uplink and the centre's booking, for spin. After wire/uplink.py and central/ingest.py.

   A fact is a name 1..6 in three bits; 7 is the fact that opens an epoch. A history is the number that its facts make,
   the oldest lowest, so "the chain's hash after n" is the lowest 3n bits: equal exactly when the histories are.

   Asserted at every state:  a cursor under the present incarnation speaks of facts that are booked, and the same;
                             no fact counts twice.
   Asserted whenever faults stop (`calm`): within ROUNDS exchanges all that is on the disk is booked, and known to be.

   BUG_*: a deliberate bug, which spin must find.
   FRESH=1: the unit has never heard of an incarnation.
   docs/models.md says what is left out. */

#ifndef SHOWN
#define SHOWN 3         /* facts that shoppers make */
#endif
#ifndef IMAGES
#define IMAGES 1        /* how often the unit's disk is put back to an older image */
#endif
#ifndef BACKUPS
#define BACKUPS 1       /* how often the centre's database is put back to an older copy */
#endif
#ifndef RESTARTS
#define RESTARTS 1      /* how often the unit stops and its cursor is lost */
#endif
#ifndef FRESH
#define FRESH 0         /* 1: the unit has never heard of an incarnation */
#endif
#define EPOCHS 4        /* names of epochs; the first is 0 */
#define ROUNDS 24
#ifndef WIRE
#define WIRE 2          /* messages under way, each way; with 1 none overtakes another */
#endif
#define NONE 15
#define OPENED 7

#ifdef BUG_NEVER_BACK   /* the cursor never moves back, whoever says so */
#define goes_back false
#else
#define goes_back true
#endif
/* An answer is known by the hash after its batch, not by its numbers alone. */
#ifdef BUG_NO_ECHO
#define is_echo true
#else
#define is_echo (a_echo == pre(unit.e[a_e].h, a_last))
#endif
#ifdef BUG_NO_EPOCH     /* numbers are compared without their epoch */
#define same_numbers true
#else
#define same_numbers false
#endif
#ifdef BUG_NO_HASH      /* a number is enough */
#define ours_is(number, hash_) true
#else
#define ours_is(number, hash_) (pre(unit.e[a_e].h, number) == (hash_))
#endif
#ifdef BUG_GONE_TRUSTED /* an acknowledgement without the incarnation: whatever it says is about the present one */
#define is_gone(which) false
#define meant(which) inc
#else
#define is_gone(which) (unit.retired & (1 << (which)))
#define meant(which) (which)
#endif

#ifdef BUG_ANY_ANSWER   /* any acknowledgement may name another database */
#define is_fresh true
#else
#define is_fresh a_fresh
#endif

#define pre(h, n)   ((h) & ((1 << (3 * (n))) - 1))
#define digit(h, n) (((h) >> (3 * ((n) - 1))) & 7)

mtype = { hello, batch, ok, gap, fork };

/* `fresh`: a hello that the unit sent on this connection, since it learned the present incarnation; and its answer. The
   code compares nonces; here the bit is taken from what is under way (`all_stale`). */
chan up = [WIRE] of { mtype, byte, byte, byte, int, bool };              /* kind, epoch, first, last, history; fresh */
chan down = [WIRE] of { mtype, byte, byte, byte, byte, byte, int, int, bool };
                /* status, epoch, incarnation, first, last, upto, hash; the hash after the batch that is answered; fresh */

typedef Epoch { bool here; byte last; byte acked; byte inc; int h }      /* one epoch as the unit keeps it */
typedef Disk { Epoch e[EPOCHS]; byte cur; byte inc; byte retired }       /* retired: a bit for each incarnation */
typedef Base { byte upto[EPOCHS]; int h[EPOCHS]; byte count[7] }         /* the centre's database */

Disk unit, image;
Base base, copy;
byte inc = 1;            /* of the centre's database, and the newest there is */
byte names = 1;          /* epochs that were named: a name is random and never comes again */
byte shown = 0, images = 0, backups = 0, restarts = 0;
bool imaged = false, copied = false;
bool beyond = false;     /* more epochs than the model holds: that life is not followed further */

/* the uplink's memory, lost when the unit stops */
byte greeted = 0;        /* a bit for each epoch */
byte hello_for = NONE;
byte out_e = NONE, out_first = 0, out_last = 0;

/* scratch, zero between steps */
hidden byte i, j, a_e, a_inc, a_first, a_last, a_upto, b_e, b_first, b_last, common, rounds, n, f, known;
hidden int a_h, a_echo, b_h, was;
hidden mtype a_status, b_kind;
hidden byte reply, more, told, k;
hidden mtype t_kind;
hidden byte t_e, t_inc, t_first, t_last, t_upto;
hidden int t_h, t_echo;
hidden byte a_fresh, b_fresh, t_fresh;

inline forget() { hello_for = NONE; out_e = NONE; out_first = 0; out_last = 0 }

inline copy_disk(to, from) {
    i = 0;
    do
    :: i < EPOCHS ->
        to.e[i].here = from.e[i].here; to.e[i].last = from.e[i].last; to.e[i].acked = from.e[i].acked;
        to.e[i].inc = from.e[i].inc; to.e[i].h = from.e[i].h; i++
    :: else -> break
    od;
    to.cur = from.cur; to.inc = from.inc; to.retired = from.retired
}

inline copy_base(to, from) {
    i = 0;
    do
    :: i < EPOCHS -> to.upto[i] = from.upto[i]; to.h[i] = from.h[i]; i++
    :: else -> break
    od;
    i = 0;
    do
    :: i < 7 -> to.count[i] = from.count[i]; i++
    :: else -> break
    od
}

/* No hello that was sent up to now, and no answer to one, is believed to name another database. */
inline all_stale() {
    k = len(up);
    do
    :: k > 0 -> k--; up?t_kind, t_e, t_first, t_last, t_h, t_fresh; up!t_kind, t_e, t_first, t_last, t_h, false
    :: else -> break
    od;
    k = len(down);
    do
    :: k > 0 -> k--;
        down?t_kind, t_e, t_inc, t_first, t_last, t_upto, t_h, t_echo, t_fresh;
        down!t_kind, t_e, t_inc, t_first, t_last, t_upto, t_h, t_echo, false
    :: else -> break
    od;
    t_kind = 0; t_e = 0; t_inc = 0; t_first = 0; t_last = 0; t_upto = 0; t_h = 0; t_echo = 0; t_fresh = false
}

/* --- the unit ------------------------------------------------------------------------------------------- */

inline move(which, upto_, under) { unit.e[which].acked = upto_; unit.e[which].inc = under }

/* edge_agent/store/journal.py, open_epoch: `from_` ends after `after`; what it held beyond that follows under a new name. */
inline open_epoch(from_, after) {
    if
    :: names >= EPOCHS -> beyond = true
    :: else ->
        i = names; names++;
        unit.e[i].here = true; unit.e[i].acked = 0; unit.e[i].inc = 0;
        unit.e[i].h = OPENED | ((unit.e[from_].h >> (3 * (after))) << 3);
        unit.e[i].last = 1 + unit.e[from_].last - (after);
        unit.e[from_].h = pre(unit.e[from_].h, after);
        unit.e[from_].last = after;
        if
        :: unit.e[from_].acked > after -> unit.e[from_].acked = after
        :: else
        fi;
        unit.cur = i;
        forget()
    fi
}

inline answered() {
    told = 0;
    if
    :: out_e == a_e && out_first == a_first && out_last == a_last && a_first > 0 && is_echo -> told = 1; forget()
    :: else ->
        if
        :: hello_for == a_e && a_first == 0 -> forget()
        :: else
        fi
    fi
}

/* Uplink.poll: what is sent next is left in b_*; `more` says whether there is anything. */
inline poll() {
    more = 0; i = 0;
    do
    :: i < EPOCHS && !more ->
        if
        :: unit.e[i].here && !(greeted & (1 << i)) &&
           (i == unit.cur || unit.e[i].inc != unit.inc || unit.inc == 0 || unit.e[i].acked < unit.e[i].last) ->
            forget(); hello_for = i; more = 1;
            b_kind = hello; b_e = i; b_first = 0; b_last = unit.e[i].last; b_h = 0; b_fresh = true
        :: unit.e[i].here && (greeted & (1 << i)) && unit.e[i].acked < unit.e[i].last ->
            forget(); more = 1;
            out_e = i; out_first = unit.e[i].acked + 1; out_last = unit.e[i].last;
            b_kind = batch; b_e = i; b_first = out_first; b_last = out_last; b_h = pre(unit.e[i].h, b_last); b_fresh = false;
#ifdef BUG_PUBACK       /* the broker has it: that must do */
            unit.e[i].acked = b_last;
#endif
        :: else -> i++
        fi
    :: else -> break
    od
}

inline on_ok() {
    answered();
    if
    :: a_upto <= unit.e[a_e].last && ours_is(a_upto, a_h) ->
        greeted = greeted | (1 << a_e);
        if
        :: a_upto >= unit.e[a_e].acked || (goes_back && (a_first == 0 || unit.e[a_e].inc != a_inc)) -> move(a_e, a_upto, a_inc)
        :: else                     /* older than the cursor */
        fi
    :: else ->
        if
        :: told ->
            move(a_e, a_last, a_inc);
            if
            :: a_last == unit.e[a_e].last && a_e == unit.cur -> open_epoch(a_e, a_last)
            :: else
            fi
        :: !told && a_upto > unit.e[a_e].last && unit.e[a_e].acked == unit.e[a_e].last ->
            if
            :: a_e != unit.cur -> move(a_e, unit.e[a_e].last, a_inc)
            :: else -> open_epoch(a_e, unit.e[a_e].last)
            fi
        :: else ->
            greeted = greeted | (1 << a_e);
            if
            :: unit.e[a_e].acked == unit.e[a_e].last -> move(a_e, 0, a_inc)
            :: else
            fi
        fi
    fi
}

inline on_gap() {
    answered();
    if
    :: a_upto <= unit.e[a_e].last && pre(unit.e[a_e].h, a_upto) == a_h -> move(a_e, a_upto, a_inc)
    :: else -> move(a_e, 0, a_inc)
    fi
}

inline on_fork() {
    answered();
#ifndef BUG_FORK_IGNORED
    if
    :: a_upto < unit.e[a_e].last && pre(unit.e[a_e].h, a_upto) == a_h -> open_epoch(a_e, a_upto)
    :: else
    fi
#endif
}

inline handle() {
    if
    :: a_status == ok -> on_ok()
    :: a_status == gap -> on_gap()
    :: a_status == fork -> on_fork()
    fi
}

/* Uplink.on_ack, for the acknowledgement in a_*. */
inline on_ack() {
    if
    :: !unit.e[a_e].here || is_gone(a_inc)     /* not ours, or of a database that is gone */
    :: else ->
        a_inc = meant(a_inc);
        if
        :: a_inc == unit.inc -> handle()
        :: a_inc != unit.inc && !is_fresh ->
            if
            :: hello_for == NONE -> forget(); greeted = 0
            :: else                 /* the answer to that one will tell */
            fi
        :: a_inc != unit.inc && is_fresh ->
            if
            :: unit.inc != 0 ->
                unit.retired = unit.retired | (1 << unit.inc);
                greeted = 0;
                forget()
            :: else
            fi;
            unit.inc = a_inc;
            all_stale();
            handle()
        fi
    fi;
    told = 0
}

/* --- the centre ------------------------------------------------------------------------------------------ */

/* central/booking.py: a fact that another epoch of this unit told already does not count again. */
inline book_one(in_, number) {
    f = digit(b_h, number); known = 0;
    if
    :: f != OPENED ->
        i = 0;
        do
        :: i < EPOCHS ->
            j = 1;
            do
            :: j <= base.upto[i] ->
                if
                :: i != in_ && digit(base.h[i], j) == f -> known = 1
                :: else
                fi;
                j++
            :: else -> break
            od;
            i++
        :: else -> break
        od;
#ifdef BUG_NO_BYTES       /* what was carried over is told by its place alone */
        known = 0;
#endif
        if
        :: !known -> base.count[f]++
        :: else
        fi
    :: else
    fi
}

inline say(what, upto_, hash_) { a_status = what; a_upto = upto_; a_h = hash_; reply = 1 }

/* Ingest.tell and Ingest.book, for the message in b_*; the answer is left in a_*. */
inline centre() {
    a_e = b_e; a_inc = inc; a_first = b_first; a_last = b_last; a_echo = b_h; a_fresh = b_fresh;
    if
    :: b_kind == hello -> a_last = 0; say(ok, base.upto[b_e], base.h[b_e])
    :: else ->
        n = base.upto[b_e]; was = base.h[b_e];
        if
        :: same_numbers ->
            i = 0;
            do
            :: i < EPOCHS -> n = (base.upto[i] > n -> base.upto[i] : n); i++
            :: else -> break
            od
        :: else
        fi;
        if
        :: same_numbers && b_last <= n -> say(ok, b_last, b_h)
        :: !(same_numbers && b_last <= n) && b_first > n + 1 -> say(gap, n, was)
        :: !(same_numbers && b_last <= n) && b_first <= n + 1 && pre(was, b_first - 1) != pre(b_h, b_first - 1) ->
            say(gap, (b_first - 1) / 2, pre(was, (b_first - 1) / 2))
        :: else ->
            common = (b_last < n -> b_last : n);
            if
            :: common >= b_first && pre(was, common) != pre(b_h, common) ->
                common = b_first - 1;
                do
                :: common < n && common < b_last && pre(was, common + 1) == pre(b_h, common + 1) -> common++
                :: else -> break
                od;
                say(fork, common, pre(was, common))
            :: else ->
                if
                :: b_last <= n -> say(ok, n, was)
                :: else ->
                    known = n + 1;
#ifdef BUG_NO_SKIP        /* what is known already of a batch is booked once more */
                    known = b_first;
#endif
                    common = known;
                    do
                    :: common <= b_last -> book_one(b_e, common); common++
                    :: else -> break
                    od;
                    base.upto[b_e] = b_last; base.h[b_e] = b_h;
                    say(ok, b_last, b_h)
                fi
            fi
        fi
    fi
}

/* --- what must hold -------------------------------------------------------------------------------------- */

inline laws() {
    i = 0;
    do
    :: i < EPOCHS ->
        if
        :: unit.e[i].here && unit.e[i].inc == inc ->
            assert(unit.e[i].acked <= base.upto[i] &&
                   pre(unit.e[i].h, unit.e[i].acked) == pre(base.h[i], unit.e[i].acked))
        :: else
        fi;
        i++
    :: else -> break
    od;
    i = 1;
    do
    :: i < 7 -> assert(base.count[i] <= 1); i++
    :: else -> break
    od
}

/* Every fact on the disk counts once, and the unit knows it. */
inline all_booked() {
    i = 0;
    do
    :: i < EPOCHS ->
        if
        :: unit.e[i].here ->
            assert(unit.e[i].acked == unit.e[i].last);
            j = 1;
            do
            :: j <= unit.e[i].last ->
                f = digit(unit.e[i].h, j);
                assert(f == OPENED || base.count[f] == 1);
                j++
            :: else -> break
            od
        :: else
        fi;
        i++
    :: else -> break
    od
}

inline clear() {
    i = 0; j = 0; a_e = 0; a_inc = 0; a_first = 0; a_last = 0; a_upto = 0; b_e = 0; b_first = 0; b_last = 0;
    common = 0; rounds = 0; n = 0; f = 0; known = 0; a_h = 0; a_echo = 0; b_h = 0; was = 0; reply = 0; more = 0;
    told = 0; k = 0; a_fresh = false; b_fresh = false
}

active proctype world() {
    d_step {
        unit.e[0].here = true;
        unit.inc = 1 - FRESH; unit.e[0].inc = 1 - FRESH;
        copy_disk(image, unit);
        clear()
    };
    do
    /* a shopper: a fact is on disk */
    :: d_step { !beyond && shown < SHOWN && unit.e[unit.cur].last < 5 ->
            shown++; n = unit.cur;
            unit.e[n].h = unit.e[n].h | (shown << (3 * unit.e[n].last)); unit.e[n].last++;
            clear()
        }
    /* the unit sends, or sends again */
    :: d_step { !beyond && nfull(up) ->
            poll();
            if
            :: more -> up!b_kind, b_e, b_first, b_last, b_h, b_fresh
            :: else
            fi;
            laws(); clear()
        }
    /* a message is lost, overtaken, or arrives twice */
    :: d_step { nempty(up) ->
            up?b_kind, b_e, b_first, b_last, b_h, b_fresh; clear() }
    :: d_step { nempty(down) ->
            down?a_status, a_e, a_inc, a_first, a_last, a_upto, a_h, a_echo, a_fresh; clear() }
    :: d_step { len(up) == 2 ->
            up?b_kind, b_e, b_first, b_last, b_h, b_fresh; up!b_kind, b_e, b_first, b_last, b_h, b_fresh; clear() }
    :: d_step { len(down) == 2 ->
            down?a_status, a_e, a_inc, a_first, a_last, a_upto, a_h, a_echo, a_fresh;
            down!a_status, a_e, a_inc, a_first, a_last, a_upto, a_h, a_echo, a_fresh; clear()
        }
    /* the centre books, commits, answers; what came stays to come again (losing it is above) */
    :: d_step { !beyond && nempty(up) && nfull(down) ->
            up?<b_kind, b_e, b_first, b_last, b_h, b_fresh>;
            centre();
            down!a_status, a_e, a_inc, a_first, a_last, a_upto, a_h, a_echo, a_fresh;
            laws(); clear()
        }
    /* the unit hears an acknowledgement, which may come again */
    :: d_step { !beyond && nempty(down) ->
            down?<a_status, a_e, a_inc, a_first, a_last, a_upto, a_h, a_echo, a_fresh>;
            on_ack();
            laws(); clear()
        }
    /* the connection ends and begins */
    :: d_step { !beyond ->
            forget(); greeted = 0; all_stale(); clear() }
    /* the unit stops; its cursor is lost */
    :: d_step { !beyond && restarts < RESTARTS ->
            restarts++; unit.e[unit.cur].acked = 0; forget(); greeted = 0; all_stale(); clear() }
    /* images and copies, and their coming back */
    :: d_step { !beyond && !imaged && IMAGES > 0 ->
            imaged = true; copy_disk(image, unit); clear() }
    :: d_step { !beyond && images < IMAGES ->
            images++; copy_disk(unit, image); forget(); greeted = 0; all_stale(); laws(); clear() }
    :: d_step { !beyond && !copied && BACKUPS > 0 ->
            copied = true; copy_base(copy, base); clear() }
    :: d_step { !beyond && copied && backups < BACKUPS ->
            backups++; copy_base(base, copy); inc++; laws(); clear() }
    /* faults stop */
    :: !beyond -> break
    od;
    /* From here on each message arrives once, and is answered. */
    skip;
    d_step {
        forget(); greeted = greeted & ~(1 << unit.cur); rounds = 0;     /* HELLO_EVERY_MS */
        do
        :: rounds < ROUNDS && !beyond ->
            rounds++;
            poll();
            if
            :: more -> reply = 0; centre(); on_ack(); laws()
            :: else -> rounds = ROUNDS
            fi
        :: else -> break
        od;
        if
        :: !beyond -> all_booked()
        :: else
        fi;
        clear()
    }
}
