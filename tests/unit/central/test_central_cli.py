"""The centre's commands as a person types them: exit codes, plain words, barcodes that can be read."""

from __future__ import annotations

from pathlib import Path

import pytest
import zxingcpp
from PIL import Image
from typer.testing import CliRunner

from central.coupons import clearing
from cli.exits import Stop
from cli.main import app
from loyalty.lease import CAMPAIGN, NOTHING, Amount, Pot
from tests.unit.central.central_kit import NOW_MS, Centre, Lane, sqlite_file
from wire.messages import AskLease, Held, encode
from wire.topics import UP_REQ


class Shell:
    """`tokuten` with one settings file."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        settings = Centre.settings_for(folder / "centre")
        (folder / "tokuten.toml").write_text(
            f'[central]\ndata_dir = "{settings.data_dir}"\ndatabase = "{settings.database}"\n'
        )

    def run(self, *words: str, code: int = 0) -> str:
        """What it prints. `code`: the exit code that is expected."""
        done = CliRunner().invoke(app, [*words, "--config", str(self.folder / "tokuten.toml")])
        ended, said = done.exit_code, done.output
        if isinstance(done.exception, Stop):  # `cli.main.main` ends with its code and prints it
            ended, said = int(done.exception.code), said + str(done.exception)
        elif done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        assert ended == code, said
        return said


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    shell = Shell(tmp_path)
    public = shell.run("central", "init").strip()
    assert len(bytes.fromhex(public)) == 32
    assert shell.run("central", "init").strip() == public, "a second init makes nothing anew"
    return shell


def test_K1_K2_K7_from_issue_to_the_printed_figure_3(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "password").write_text("secret\n")
    lane = Lane()
    shell.run("central", "person", "BBB", "--password-file", str(tmp_path / "password"))
    shell.run(
        "device",
        "add",
        "lane-1",
        "--site",
        "ginza",
        "--site-title",
        "銀座店",
        "--key",
        lane.key.verify_key.encode().hex(),
    )
    shell.run("coupon", "issue", "S楽器1000円券", "--provider", "S楽器", "--amount-yen", "1000", "--stock", "1",
              "--first-number", "96338", "--download-until", "2099-07-30")  # fmt: skip
    shell.run("coupon", "issue", "V居酒屋割引", "--provider", "V居酒屋", "--kind", "percent", "--percent", "10",
              "--policy", "open", "--no-serials")  # fmt: skip
    png = tmp_path / "coupon.png"
    assert "written to" in shell.run("coupon", "download", "1", "--person", "BBB", "--png", str(png))
    assert "None are left" in shell.run("coupon", "download", "1", "--person", "BBB", code=1)
    shell.run("coupon", "download", "2", "--person", "BBB")
    (read,) = zxingcpp.read_barcodes(Image.open(png))
    assert read.text.startswith("TK1:")
    assert "█" in shell.run("coupon", "show", "1", "--person", "BBB")

    centre = Centre.reopened(tmp_path / "centre")
    lane.redeem(int(str(centre.one("SELECT serial FROM coupons WHERE serial <> 0"))) % 2**64)
    assert centre.book(lane).status == "ok"
    with centre.office.database.read() as connection:
        assert clearing.booked(connection) == 1
    centre.close()

    table = shell.run("history", "--person", "BBB", "--lang", "ja")
    used, untracked = (next(line for line in table.splitlines() if name in line) for name in ("S楽器", "V居酒屋"))
    assert [cell.strip() for cell in used.split("│")[1:5]] == ["BBB", "****", "S楽器1000円券", "96338"]
    assert "済" in used
    assert "銀座店" in used
    assert untracked.count("—") == 4
    assert "銀座店" in shell.run("device", "list")
    assert "cleared" in shell.run("coupon", "redemptions")
    assert "none to show" in shell.run("coupon", "show", "1", "--person", "BBB", code=1), "a used one is not shown"


def test_mistakes_are_told_in_plain_words_with_their_exit_code(shell: Shell) -> None:
    assert "amount_yen" in shell.run("coupon", "issue", "x", "--provider", "y", code=2)
    lease = ("coupon", "issue", "x", "--provider", "y", "--amount-yen", "10", "--policy", "lease")
    assert "the cap or the budget is what is leased, so there must be one" in shell.run(*lease, code=2)
    assert "no date" in shell.run("coupon", "issue", "x", "--provider", "y", "--ends", "tomorrow", code=2)
    assert "there is no coupon 7" in shell.run("coupon", "show", "7", code=1)
    assert "no such coupon" in shell.run("coupon", "download", "7", code=1)
    assert "nobody called" in shell.run("history", "--person", "ZZZ", code=1)
    assert "hexadecimal" in shell.run("device", "add", "lane-1", "--site", "ginza", "--key", "xyz", code=2)
    assert "stands for all" in shell.run("device", "add", "all", "--site", "ginza", "--key", "00" * 32, code=2)
    assert "there is no unit" in shell.run("device", "block", "lane-9", code=2)
    missing = "its own tools" if Centre.databases is not sqlite_file else "does not exist"
    assert missing in shell.run("central", "restore", "nothing.db", code=4)
    assert "no dead letter" in shell.run("central", "dead-letters", "resolve", "3", "--note", "x", code=1)


@pytest.mark.only_sqlite
def test_a_centre_that_was_never_made_says_what_to_do(tmp_path: Path) -> None:
    assert "tokuten central init" in Shell(tmp_path).run("coupon", "list", code=4)


def test_dead_letters_are_seen_and_settled_by_a_person(shell: Shell, tmp_path: Path) -> None:
    lane = Lane()
    shell.run("device", "add", "lane-1", "--site", "ginza", "--key", lane.key.verify_key.encode().hex())
    centre = Centre.reopened(tmp_path / "centre")
    lane.journal(b"no fact")
    assert centre.book(lane).aside == 1
    centre.close()
    assert "not a fact" in shell.run("central", "dead-letters", "list")
    assert b"no fact".hex() in shell.run("central", "dead-letters", "show", "1")
    shell.run("central", "dead-letters", "resolve", "1", "--note", "a test")
    assert "no dead letters" in shell.run("central", "dead-letters", "list")
    assert "a test" in shell.run("central", "dead-letters", "show", "1")


def test_K1_a_coupon_is_issued_for_a_code_of_the_trade_and_is_not_downloaded(shell: Shell) -> None:
    issued = shell.run(
        "coupon", "issue", "お茶", "--provider", "maker", "--policy", "open", "--no-serials", "--amount-yen", "500",
        "--trade", "gcn:4912345678904", "--value-in-code",
    )  # fmt: skip
    assert "Up to 500 yen off" in issued
    assert "printed" in shell.run("coupon", "download", "1", code=1)
    assert "gcn:4912345678904" in shell.run("coupon", "show", "1", code=1)
    wrong = shell.run(
        "coupon", "issue", "x", "--provider", "maker", "--amount-yen", "1", "--trade", "gcn:4912345678905", code=2
    )
    assert "should be 4" in wrong
    assert "policy must be open, lease or online" in wrong


def test_a_card_is_somebodys_until_it_is_lost(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "password").write_text("secret\n")
    shell.run("central", "person", "BBB", "--password-file", str(tmp_path / "password"))
    uid = "04a1b2c3d4e501"
    assert "BBB's" in shell.run("central", "card", uid, "--person", "BBB")
    assert "nobody called" in shell.run("central", "card", uid, "--person", "ZZZ", code=1)
    assert "hexadecimal" in shell.run("central", "card", "xyz", "--person", "BBB", code=2)
    assert "bytes" in shell.run("central", "card", "04a1", "--person", "BBB", code=1)
    assert "nobody's any more" in shell.run("central", "card", uid)
    assert "was nobody's" in shell.run("central", "card", uid, code=1)


def test_a_moving_coupon_is_given_to_phones_alone(shell: Shell) -> None:
    shell.run(
        "coupon", "issue", "券", "--provider", "s", "--kind", "ticket", "--gift", "席", "--moving", "--needs-card"
    )
    shell.run("coupon", "issue", "券2", "--provider", "s", "--kind", "ticket", "--gift", "席", "--moving")
    assert "needs_password" in shell.run("coupon", "download", "1", code=1)
    assert "needs_phone" in shell.run("coupon", "download", "2", code=1)


def booked(tmp_path: Path, *lanes: Lane) -> None:
    centre = Centre.reopened(tmp_path / "centre")
    for lane in lanes:
        assert centre.book(lane).status == "ok"
    centre.close()


def test_K6_an_operator_sees_who_pays_ends_it_and_turns_a_coupon_back(shell: Shell, tmp_path: Path) -> None:
    lane = Lane()
    shell.run("device", "add", "lane-1", "--site", "ginza", "--key", lane.key.verify_key.encode().hex())
    shell.run("coupon", "issue", "割引", "--provider", "S楽器", "--amount-yen", "100", "--conflict", "claim",
              "--exposure-limit", "0")  # fmt: skip
    assert "no conflicts" in shell.run("coupon", "conflicts")
    assert "no notices" in shell.run("central", "notices")
    for _ in range(3):
        lane.redeem(9, holder=0xABC)
    booked(tmp_path, lane)
    table = shell.run("coupon", "conflicts")
    row = next(line for line in table.splitlines() if "double" in line)
    assert [cell.strip() for cell in row.split("│")[6:10]] == ["claim", "holder 000000000abc", "100", "waits"]
    assert "choose one" in shell.run("coupon", "settle", "1", "--paid", "--given-up", code=2)
    assert "say how" in shell.run("coupon", "settle", "1", code=2)
    assert "can't be charged" in shell.run("coupon", "settle", "1", "--charge", "me", code=2)
    assert "is settled" in shell.run("coupon", "settle", "1", "--paid", "--note", "in cash")
    assert "does not wait" in shell.run("coupon", "settle", "1", "--paid", code=1)
    assert "is settled" in shell.run("coupon", "settle", "2", "--charge", "shop")
    assert "shop ginza" in shell.run("coupon", "conflicts", "--all")
    assert "no conflicts" in shell.run("coupon", "conflicts")

    assert "'online': 2 uses too many" in shell.run("coupon", "exposure", "1")
    assert "past its limit" in shell.run("central", "notices", "--seen")
    assert "no notices" in shell.run("central", "notices")
    assert "charged already" in shell.run("coupon", "exposure", "1", "--limit", "1", code=2)
    assert "'signed': 2 uses too many (limit 5)" in shell.run("coupon", "exposure", "1", "--limit", "5")
    assert "there is no coupon 7" in shell.run("coupon", "exposure", "7", code=1)


def test_K6_a_lost_phone_is_put_on_the_stop_list_and_taken_off(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "password").write_text("secret\n")
    shell.run("central", "person", "BBB", "--password-file", str(tmp_path / "password"))
    shell.run("coupon", "issue", "割引", "--provider", "S楽器", "--amount-yen", "100", "--first-number", "500")
    shell.run("coupon", "download", "1", "--person", "BBB")
    assert "nothing is on the stop list" in shell.run("coupon", "revoked")
    assert "number 500 is on the stop list" in shell.run("coupon", "revoke", "1", "--number", "500", "--note", "lost")
    assert "already" in shell.run("coupon", "revoke", "1", "--number", "500")
    assert "everything of BBB" in shell.run("coupon", "revoke", "--person", "BBB")
    table = shell.run("coupon", "revoked")
    assert "BBB" in table
    assert "lost" in table
    assert "blocked" in shell.run("coupon", "download", "1", "--person", "BBB", code=1)
    shell.run("coupon", "unrevoke", "--person", "BBB")
    shell.run("coupon", "unrevoke", "1", "--number", "500")
    assert "not on the stop list" in shell.run("coupon", "unrevoke", "1", "--number", "500", code=2)
    assert "one of" in shell.run("coupon", "revoke", "1", code=2)
    assert "leave the coupon out" in shell.run("coupon", "revoke", "1", "--person", "BBB", code=2)
    assert "of which coupon" in shell.run("coupon", "revoke", "--number", "500", code=2)
    assert "is no serial" in shell.run("coupon", "revoke", "1", "--serial", "xyz", code=2)
    assert "nobody called" in shell.run("coupon", "revoke", "--person", "ZZZ", code=2)


def test_an_operator_sees_where_parts_and_homes_are_and_gives_a_lost_unit_up(shell: Shell, tmp_path: Path) -> None:
    lane = Lane()
    key = lane.key.verify_key.encode().hex()
    shell.run("device", "add", "lane-1", "--site", "ginza", "--site-title", "銀座店", "--key", key)
    shell.run("coupon", "issue", "先着", "--provider", "s", "--amount-yen", "100", "--policy", "lease", "--cap", "10",
              "--budget-yen", "5000", "--no-serials")  # fmt: skip
    shell.run("coupon", "issue", "発行店", "--provider", "s", "--kind", "gift", "--gift", "珈琲", "--policy", "home")
    assert "50,000" not in shell.run("lease", "list")
    assert "5,000 yen" in shell.run("lease", "list")
    assert "no cap or budget" in shell.run("lease", "parts", "2", code=1)
    assert "(nobody)" not in shell.run("home", "list")
    assert "nobody keeps a home in ginza" in shell.run("home", "keeper", "ginza", "lane-1", code=2)
    assert "never given out" in shell.run("home", "move", "2", "00000000000000ff", "ginza", code=2)
    assert "hexadecimal" in shell.run("home", "move", "2", "xyz", "ginza", code=2)
    assert "there is no site nowhere" in shell.run("coupon", "download", "2", "--home", "nowhere", code=2)
    assert "written to" in shell.run("coupon", "download", "2", "--home", "ginza", "--png", str(tmp_path / "home.png"))
    centre = Centre.reopened(tmp_path / "centre")
    ask = AskLease(centre.incarnation, lane.epoch, [Held(Pot(CAMPAIGN, 1), NOTHING, Amount(4, 400))], whole=True)
    centre.desk.handle(lane.address.topic(UP_REQ), encode(ask), NOW_MS)
    centre.close()
    assert "lane-1" in shell.run("lease", "parts", "1")
    assert "lane-1" not in shell.run("lease", "list")
    if Centre.databases is sqlite_file:
        shell.run("central", "backup", str(tmp_path / "backup.db"))
        shell.run("central", "restore", str(tmp_path / "backup.db"))
        assert "name the copy" in shell.run("central", "restore", code=4)
    else:  # a server's own tools did it
        shell.run("central", "restore")
    assert "have reported, or are written off:\n  lane-1\n" in shell.run("lease", "list")
    assert "銀座店" in shell.run("home", "list")
    assert "4 uses and 400 yen are free again" in shell.run("device", "write-off", "lane-1")
    assert "lane-1" not in shell.run("lease", "list")
    assert "(nobody)" in shell.run("home", "list")
    assert "500 points of programme 3" in shell.run("lease", "floor", "3", "500")
    assert "nobody called" in shell.run("lease", "floor", "3", "500", "--person", "BBB", code=1)
