"""Document K at the centre: issue, download, use, history (K1, K3, K7, K8), and the keys that sign."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from central.coupons import clearing, disputes, download, history, issue, keyring, persons
from central.coupons.download import Given, No
from central.coupons.issue import IssueError
from central.keys import KeyFileError
from loyalty import barcode
from loyalty.barcode import own
from loyalty.barcode.kinds import Own
from loyalty.campaign import Campaign, Kind, Policy
from tests.unit.central.central_kit import NOW_MS, Centre, Lane, campaign

DAY_MS = 86_400_000
HASHES = {name: persons.hash_password("secret-" + name) for name in ("AAA", "BBB")}


@pytest.fixture
def shop(tmp_path: Path, lane: Lane) -> Iterator[Centre]:
    """The coupons of figure 2, more or less."""
    centre = Centre(
        tmp_path / "centre",
        campaign(1, name="S楽器1000円券", stock=2, first_number=98338, download_ends_ms=NOW_MS + DAY_MS),
        campaign(
            2, name="Fデパートプレゼント", kind=Kind.GIFT, amount_yen=0, gift="紅茶", policy=Policy.OPEN, serials=False
        ),
        campaign(3, name="T航空34便", kind=Kind.TICKET, amount_yen=0, gift="34便", strong_auth=True),
        campaign(4, name="Rレストラン割引", per_person=1, days_after_download=7),
    )
    centre.enrol(lane)
    with centre.office.database.write() as connection:
        for name in HASHES:
            persons.add(connection, name, HASHES[name], NOW_MS)
    yield centre
    centre.close()


def take(shop: Centre, number: int, who: str = "", *, proven: bool = False, at_ms: int = NOW_MS) -> Given | No:
    with shop.office.database.write() as connection:
        person = persons.find(connection, who) if who else None
        return download.download(connection, shop.office.keys, number, person, proven=proven, now_ms=at_ms)


def given(shop: Centre, number: int, who: str = "", *, proven: bool = False, at_ms: int = NOW_MS) -> Given:
    answer = take(shop, number, who, proven=proven, at_ms=at_ms)
    assert isinstance(answer, Given), answer
    return answer


def test_K1_a_coupon_that_contradicts_itself_is_not_issued_and_says_all_that_is_wrong(centre: Centre) -> None:
    with pytest.raises(IssueError) as caught, centre.office.database.write() as connection:
        issue.issue(connection, Campaign(id=9, name="", kind=Kind.AMOUNT, policy=Policy.SIGNED, provider=""), NOW_MS)
    assert len(caught.value.problems) >= 2
    assert centre.one("SELECT count(*) FROM campaigns") == 1


def test_K1_a_number_is_issued_once_and_changed_by_revision(centre: Centre) -> None:
    with pytest.raises(IssueError, match="issued before"), centre.office.database.write() as connection:
        issue.issue(connection, campaign(1), NOW_MS)
    with centre.office.database.write() as connection:
        assert issue.issue(connection, campaign(0), NOW_MS).id == 2
        assert issue.stop(connection, 2).revision == 2
        assert issue.stop(connection, 2).revision == 2


def test_K3_the_count_falls_and_at_zero_the_answer_is_a_clear_no(shop: Centre) -> None:
    first, second = given(shop, 1, "AAA"), given(shop, 1, "BBB")
    assert (first.number, second.number) == (98338, 98339)
    assert first.coupon.serial != second.coupon.serial
    assert take(shop, 1, "BBB") is No.SOLD_OUT
    assert shop.query("SELECT stock_left, given_out FROM campaigns WHERE id = 1") == [(0, 2)]


def test_K3_past_the_last_day_the_answer_is_a_clear_no(shop: Centre) -> None:
    assert isinstance(take(shop, 1, at_ms=NOW_MS + DAY_MS - 1), Given)
    assert take(shop, 1, at_ms=NOW_MS + DAY_MS) is No.TOO_LATE
    assert take(shop, 99) is No.UNKNOWN
    with shop.office.database.write() as connection:
        issue.stop(connection, 1)
    assert take(shop, 1) is No.STOPPED


def test_K3_a_ticket_needs_a_strong_proof_of_who_asks(shop: Centre) -> None:
    assert take(shop, 3) is No.NEEDS_PASSWORD
    assert take(shop, 3, "BBB") is No.NEEDS_PASSWORD
    assert isinstance(take(shop, 3, "BBB", proven=True), Given)


def test_K3_nobody_downloads_more_than_one_person_may(shop: Centre) -> None:
    assert isinstance(take(shop, 4, "AAA"), Given)
    assert take(shop, 4, "AAA") is No.PERSON_LIMIT
    assert take(shop, 4) is No.NEEDS_PASSWORD
    assert isinstance(take(shop, 4, "BBB"), Given)


def test_K3_the_text_is_genuine_and_says_whose_it_is_and_until_when(shop: Centre) -> None:
    answer = given(shop, 4, "AAA")
    read = barcode.read(answer.text.encode())
    assert isinstance(read, Own)
    assert read.coupon == answer.coupon
    assert answer.expires_ms == NOW_MS + 7 * DAY_MS
    with shop.office.database.read() as connection:
        person = persons.find(connection, "AAA")
        (key,) = keyring.listed(connection)
    assert person is not None
    assert read.coupon.holder == person.holder
    assert own.genuine(read, key.public)


def test_K7_figure_3_tells_whose_coupon_was_used_when_and_where(shop: Centre, lane: Lane) -> None:
    used, unused = given(shop, 1, "BBB"), given(shop, 1, "BBB", at_ms=NOW_MS + 1)
    given(shop, 2, "BBB", at_ms=NOW_MS + 2)
    lane.redeem(used.coupon.serial, at_ms=NOW_MS + 60_000)
    shop.book(lane, now_ms=NOW_MS + 61_000)
    with shop.office.database.read() as connection:
        lines = history.of_person(connection, "BBB")
        assert history.of_person(connection, "AAA") == []
    assert [(line.campaign.name, line.number, line.state.value, line.used_ms, line.used_site) for line in lines] == [
        ("S楽器1000円券", used.number, "used", NOW_MS + 60_000, "ginza"),
        ("S楽器1000円券", unused.number, "unused", None, None),
        ("Fデパートプレゼント", None, "untracked", None, None),
    ]


def test_K7_a_second_use_does_not_change_when_and_where_it_was_used(shop: Centre, lane: Lane) -> None:
    answer = given(shop, 1, "BBB")
    other = Lane("lane-2", "shinjuku")
    shop.enrol(other)
    lane.redeem(answer.coupon.serial, at_ms=NOW_MS + 1)
    other.redeem(answer.coupon.serial, at_ms=NOW_MS + 2)
    shop.book(lane)
    shop.book(other)
    with shop.office.database.read() as connection:
        (line,) = history.of_person(connection, "BBB")
        newest = clearing.newest(connection, 10)
        assert [one.kind for one in disputes.listed(connection)] == ["double"]
    assert (line.used_ms, line.used_site) == (NOW_MS + 1, "ginza")
    assert [(one.site, one.state, one.flags) for one in newest] == [
        ("shinjuku", "double", ["double"]), ("ginza", "cleared", []),
    ]  # fmt: skip


def test_K8_a_coupon_without_serials_is_the_same_text_for_everybody_who_asks_without_a_name(shop: Centre) -> None:
    first, second = given(shop, 2), given(shop, 2)
    assert first.text == second.text
    assert (first.coupon.serial, first.coupon.holder) == (0, 0)
    assert given(shop, 2, "AAA").text != first.text


def test_a_rotated_key_signs_new_coupons_and_old_ones_stay_genuine(shop: Centre) -> None:
    old = given(shop, 1)
    with shop.office.database.write() as connection:
        assert keyring.rotate(connection, shop.office.keys, NOW_MS) == 2
    assert (old.coupon.key, given(shop, 1).coupon.key) == (1, 2)


def test_without_the_file_of_its_key_no_coupon_is_given_out(shop: Centre) -> None:
    (shop.settings.keys_folder / "k1.key").unlink()
    with pytest.raises(KeyFileError, match=r"k1\.key is missing"):
        take(shop, 1)
    assert shop.query("SELECT stock_left, given_out FROM campaigns WHERE id = 1") == [(2, 0)]


def test_key_files_are_readable_by_their_owner_alone(shop: Centre) -> None:
    files = list(shop.settings.keys_folder.iterdir())
    assert {file.name for file in files} == {"centre.key", "cache.secret", "card1.key", "k1.key", "operator.token"}
    assert {file.stat().st_mode & 0o777 for file in files} == {0o600}


def test_a_password_is_kept_as_an_argon2id_hash_and_names_of_nobody_fit_no_password(shop: Centre) -> None:
    with shop.office.database.read() as connection:
        stored = persons.stored_hash(connection, "AAA")
        nobody = persons.stored_hash(connection, "ZZZ")
    assert stored is not None
    assert stored.startswith("$argon2id$")
    assert persons.password_fits(stored, "secret-AAA")
    assert not persons.password_fits(stored, "secret-BBB")
    assert not persons.password_fits(nobody, "")
