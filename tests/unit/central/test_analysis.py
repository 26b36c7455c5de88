"""K10: what is looked at, downloaded and used, where and when; and how the counts stay in step with the books."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from central import consent
from central.analysis import days, figures, files, person, rollup, views
from central.analysis.figures import By, Figures, Question, Scope
from central.coupons import persons
from central.office import now_ms
from loyalty.campaign import DAY_MS
from tests.unit.central.central_kit import NOW_MS, Centre, Lane
from tests.unit.central.pages_kit import give
from tests.unit.central.test_central_cli import Shell

TOKYO = 540
DAY = days.of(NOW_MS, TOKYO)
ALL = Scope()
SERIALS = iter(range(1, 10**6))


def use(lane: Lane, count: int = 1, *, campaign: int = 1, at_ms: int = NOW_MS, holder: int = 0) -> None:
    """Uses by so many people; `holder`: all by this one."""
    for number in range(count):
        lane.redeem(next(SERIALS), campaign=campaign, at_ms=at_ms, holder=holder or 1000 + number)


def counted(centre: Centre, offset_min: int = TOKYO) -> None:
    assert rollup.bring_up_to_date(centre.office.database, offset_min, NOW_MS)


def asked(centre: Centre, by: By, scope: Scope = ALL, days_back: int = 30, to_day: int = DAY + 1) -> Figures:
    question = Question(by=by, from_day=to_day - days_back, to_day=to_day, scope=scope)
    with centre.office.database.read() as connection:
        return figures.ask(connection, question)


def uses(found: Figures) -> dict[str, int | None]:
    return {row.key: row.uses for row in found.rows}


def from_the_books(centre: Centre) -> list[tuple[object, ...]]:
    """The counts as they must be, worked out in another way than `rollup` does."""
    rows: dict[tuple[Any, ...], int] = {}
    for site, campaign, at_ms, state in centre.query("SELECT site, campaign, at_ms, state FROM redemptions"):
        assert isinstance(at_ms, int)
        if state in ("cleared", "late"):
            local_ms = at_ms + TOKYO * 60_000
            key = (local_ms // DAY_MS, site, campaign, local_ms % DAY_MS // 3_600_000)
            rows[key] = rows.get(key, 0) + 1
    return sorted((*key, count) for key, count in rows.items())


def from_the_counts(centre: Centre) -> list[tuple[object, ...]]:
    return sorted(centre.query("SELECT day, site, campaign, hour, count FROM analysis_cells WHERE what = 'use'"))


def test_K10_uses_are_told_apart_by_coupon_shop_hour_and_day_where_the_shop_is(mall: Centre, lane: Lane) -> None:
    midnight_ms = days.starts_ms(DAY, TOKYO)
    urawa = Lane("lane-2", "urawa")
    mall.enrol(urawa)
    use(lane, 2, at_ms=midnight_ms)
    use(lane, 1, campaign=2, at_ms=midnight_ms - 1)
    use(urawa, 3, at_ms=midnight_ms + 13 * 3_600_000 + 5)
    mall.book(lane)
    mall.book(urawa)
    counted(mall)
    assert uses(asked(mall, By.HOUR)) == {"00": 2, "13": 3, "23": 1}
    assert uses(asked(mall, By.DAY)) == {days.shown(DAY - 1): 1, days.shown(DAY): 5}
    assert uses(asked(mall, By.COUPON)) == {"1": 5, "2": 1}
    assert uses(asked(mall, By.SHOP)) == {"urawa": 3, "ginza": 3}
    only = asked(mall, By.SHOP, days_back=0, to_day=DAY - 1)
    assert uses(only) == {"ginza": 1}
    assert asked(mall, By.COUPON).total.discount_yen == 600
    assert [row.name for row in asked(mall, By.COUPON).rows] == ["S楽器100円券", "Dレコード割引"]


def test_K10_downloads_are_counted_by_day_and_hour_and_coupon(mall: Centre) -> None:
    give(mall, "AAA", 1)
    give(mall, "BBB", 1)
    give(mall, "BBB", 2)
    counted(mall)
    found = asked(mall, By.COUPON, to_day=days.of(now_ms(), TOKYO))
    assert {row.key: row.downloads for row in found.rows} == {"1": 2, "2": 1}
    assert found.total.downloads == 3


def test_K10_what_did_not_count_is_no_use(mall: Centre, lane: Lane) -> None:
    lane.redeem(7, at_ms=NOW_MS)
    lane.redeem(7, at_ms=NOW_MS)  # a double
    mall.book(lane)
    counted(mall)
    assert uses(asked(mall, By.DAY)) == {days.shown(DAY): 1}


def test_K10_a_late_fact_a_corrected_time_and_a_use_that_is_taken_back_leave_no_count_wrong(
    mall: Centre, lane: Lane
) -> None:
    use(lane, 4)
    mall.book(lane)
    counted(mall)
    use(lane, 3, at_ms=NOW_MS - 9 * DAY_MS)  # a unit that was dark for nine days
    mall.book(lane, first=5)
    counted(mall)
    assert uses(asked(mall, By.DAY)) == {days.shown(DAY - 9): 3, days.shown(DAY): 4}
    for change in (
        f"at_ms = at_ms - {DAY_MS} WHERE seq IN (1, 2)",
        "state = 'restored' WHERE seq IN (4, 5)",
        "site = 'urawa' WHERE seq = 6",
        "discount_yen = 7 WHERE seq = 3",
    ):
        with mall.office.database.write() as connection:
            connection.execute(text(f"UPDATE redemptions SET {change}"))
        counted(mall)
        assert from_the_counts(mall) == from_the_books(mall), change
    assert asked(mall, By.DAY, days_back=1).total.discount_yen == 7
    assert uses(asked(mall, By.DAY)) == {days.shown(DAY - 9): 2, days.shown(DAY - 1): 2, days.shown(DAY): 1}
    assert mall.one("SELECT count(*) FROM analysis_touched") == 0


def test_K10_the_counts_are_those_of_the_books_however_it_is_cut_into_steps(
    mall: Centre, lane: Lane, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rollup, "ROWS_AT_ONCE", 7)
    monkeypatch.setattr(rollup, "DAYS_AT_ONCE", 2)
    for number in range(40):
        use(lane, at_ms=NOW_MS - number * 7 * 3_600_000, campaign=1 + number % 2)
    mall.book(lane)
    turns = 1
    while not rollup.bring_up_to_date(mall.office.database, TOKYO, NOW_MS, steps=1):
        turns += 1
        assert turns < 50
    assert turns > 5
    assert from_the_counts(mall) == from_the_books(mall)


def test_a_time_that_no_calendar_has_stops_nothing(mall: Centre, lane: Lane) -> None:
    use(lane, 3)
    mall.book(lane)
    with mall.office.database.write() as connection:
        connection.execute(text(f"UPDATE redemptions SET at_ms = {-(2**53)} WHERE seq = 1"))
        connection.execute(text(f"UPDATE redemptions SET at_ms = {2**53} WHERE seq = 2"))
    counted(mall)
    assert from_the_counts(mall) == from_the_books(mall)
    assert uses(asked(mall, By.DAY)) == {days.shown(DAY): 1}


def test_days_that_begin_elsewhere_are_counted_anew(mall: Centre, lane: Lane) -> None:
    use(lane, 1, at_ms=days.starts_ms(DAY, TOKYO))
    mall.book(lane)
    counted(mall)
    counted(mall, offset_min=0)
    assert uses(asked(mall, By.HOUR)) == {"15": 1}


# --- who may see what ------------------------------------------------------------------------------------------------


def test_K10_a_figure_of_fewer_than_five_people_is_kept_from_a_provider_and_no_total_gives_it_away(
    mall: Centre, lane: Lane
) -> None:
    use(lane, 5, at_ms=days.starts_ms(DAY, TOKYO))
    use(lane, 4, at_ms=days.starts_ms(DAY, TOKYO) + 8 * 3_600_000)
    use(lane, 9, at_ms=days.starts_ms(DAY, TOKYO) + 9 * 3_600_000, holder=77)  # one person, nine times
    mall.book(lane)
    counted(mall)
    found = asked(mall, By.HOUR, Scope(provider="S楽器"))
    assert uses(found) == {"00": 5, "08": None, "09": None}
    assert found.total.uses == 5
    assert found.total.discount_yen == 500
    assert found.hidden == 2
    assert b",4," not in files.as_csv(found)
    assert uses(asked(mall, By.HOUR)) == {"00": 5, "08": 4, "09": 9}


def test_K10_people_are_counted_once_over_all_days_of_a_question(mall: Centre, lane: Lane) -> None:
    for day in range(6):
        use(lane, 1, at_ms=NOW_MS - day * DAY_MS, holder=77)
        use(lane, 1, at_ms=NOW_MS - day * DAY_MS, campaign=2, holder=100 + day)
    mall.book(lane)
    counted(mall)
    site = Scope(site="ginza")
    assert uses(asked(mall, By.COUPON, site)) == {"1": None, "2": 6}
    assert uses(asked(mall, By.DAY, site)) == {days.shown(DAY - day): None for day in range(6)}


def test_K10_a_provider_sees_its_own_coupons_and_a_shop_its_own_site(mall: Centre, lane: Lane) -> None:
    urawa = Lane("lane-2", "urawa")
    mall.enrol(urawa)
    use(lane, 6)
    use(urawa, 7, campaign=2)
    mall.book(lane)
    mall.book(urawa)
    counted(mall)
    assert uses(asked(mall, By.COUPON, Scope(provider="S楽器"))) == {"1": 6}
    assert uses(asked(mall, By.COUPON, Scope(provider="Dレコード"))) == {"2": 7}
    assert uses(asked(mall, By.COUPON, Scope(site="urawa"))) == {"2": 7}
    assert asked(mall, By.COUPON, Scope(provider="")).rows == []
    assert asked(mall, By.COUPON, Scope(site="urawa")).columns == ["uses", "discount_yen"]


# --- what people look at ---------------------------------------------------------------------------------------------


def person_of(centre: Centre, name: str) -> persons.Person:
    with centre.office.database.read() as connection:
        found = persons.find(connection, name)
    assert found is not None
    return found


def look(centre: Centre, name: str, campaign: int = 1, times: int = 1) -> bool:
    kept = False
    for _ in range(times):
        with centre.office.database.write() as connection:
            kept = views.count(connection, person_of(centre, name).id, campaign, NOW_MS, TOKYO)
    return kept


def agree(centre: Centre, name: str) -> None:
    with centre.office.database.write() as connection:
        consent.give(connection, person_of(centre, name).id, consent.Purpose.ANALYSIS, NOW_MS)


def test_K10_a_look_is_kept_of_somebody_who_agreed_and_of_nobody_else(mall: Centre) -> None:
    assert not look(mall, "AAA")
    agree(mall, "BBB")
    assert look(mall, "BBB", times=3)
    assert mall.query("SELECT campaign, times FROM offer_views") == [(1, 3)]
    counted(mall)
    assert asked(mall, By.COUPON).total.views == 3


def test_a_row_of_looks_counts_up_to_a_bound_and_old_ones_go(mall: Centre, monkeypatch: pytest.MonkeyPatch) -> None:
    agree(mall, "BBB")
    look(mall, "BBB", times=views.VIEWS_PER_DAY_MAX + 3)
    assert mall.query("SELECT times FROM offer_views") == [(views.VIEWS_PER_DAY_MAX,)]
    counted(mall)
    later_ms = NOW_MS + (views.KEPT_DAYS + 1) * DAY_MS
    assert rollup.bring_up_to_date(mall.office.database, TOKYO, later_ms)
    assert mall.query("SELECT times FROM offer_views") == []
    assert asked(mall, By.COUPON).total.views == views.VIEWS_PER_DAY_MAX


def test_K10_one_persons_way_is_what_they_looked_at_downloaded_and_used(mall: Centre, lane: Lane) -> None:
    given = give(mall, "BBB", 1)
    give(mall, "AAA", 1)
    agree(mall, "BBB")
    look(mall, "BBB", times=2)
    look(mall, "BBB", campaign=2)
    who = person_of(mall, "BBB")
    lane.redeem(given.coupon.serial, holder=who.holder, at_ms=days.starts_ms(DAY, TOKYO) + 10 * 3_600_000)
    mall.book(lane)
    with mall.office.database.read() as connection:
        way = person.way(connection, who.id, who.holder, TOKYO)
    assert way.agreed
    assert [(one.campaign, one.views, one.downloads, one.uses) for one in way.lines] == [(1, 2, 1, 1), (2, 1, 0, 0)]
    assert (way.lines[0].hours, way.lines[0].sites) == ([10], ["ginza"])


# --- cost ------------------------------------------------------------------------------------------------------------


def test_the_statements_of_an_answer_do_not_grow_and_read_no_book(mall: Centre, lane: Lane, database: str) -> None:
    said: list[str] = []

    def statements(scope: Scope, by: By) -> int:
        from sqlalchemy import event

        said.clear()
        engine = mall.office.database._reader
        listener = lambda c, cur, statement, *rest: said.append(statement)  # noqa: E731
        event.listen(engine, "before_cursor_execute", listener)
        asked(mall, by, scope)
        event.remove(engine, "before_cursor_execute", listener)
        return len(said)

    use(lane, 1)
    mall.book(lane)
    counted(mall)
    scopes = (ALL, Scope(provider="S楽器"), Scope(site="ginza"))
    before = [statements(scope, by) for scope in scopes for by in By]
    for number in range(60):
        use(lane, 1, campaign=1 + number % 2, at_ms=NOW_MS - number * DAY_MS // 3)
    mall.book(lane, first=2)
    counted(mall)
    assert [statements(scope, by) for scope in scopes for by in By] == before
    assert not any("redemptions" in one or "coupons" in one or "offer_views" in one for one in said)


@pytest.mark.only_sqlite
@pytest.mark.parametrize(
    ("scope", "index"),
    [
        (Scope(site="ginza"), "ix_analysis_cells_site (site=? AND day>? AND day<?)"),
        (Scope(provider="S楽器"), "ix_analysis_cells_campaign (campaign=? AND day>? AND day<?)"),
        (ALL, "PRIMARY KEY (day>? AND day<?)"),
    ],
    ids=["shop", "provider", "operator"],
)
def test_an_answer_is_found_by_an_index(mall: Centre, scope: Scope, index: str) -> None:
    where, values = figures._where(Question(by=By.COUPON, from_day=1, to_day=30, scope=scope))
    with mall.office.database.read() as connection:
        plan = connection.exec_driver_sql("EXPLAIN QUERY PLAN " + figures._counts("campaign", where), values).all()
    assert any(index in str(row) for row in plan), plan


@pytest.mark.only_sqlite
def test_a_day_is_counted_anew_by_an_index_of_the_books(mall: Centre) -> None:
    with mall.office.database.read() as connection:
        for sql, index in (
            ("redemptions WHERE site = 'a' AND at_ms >= 1 AND at_ms < 2", "ix_redemptions_site (site=? AND at_ms>?"),
            ("coupons WHERE campaign = 1 AND downloaded_ms >= 1", "ix_coupons_campaign_downloaded"),
            ("offer_views WHERE campaign = 1 AND day = 1", "ix_offer_views_day (day=? AND campaign=?)"),
        ):
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN SELECT count(*) FROM {sql}").all()
            assert any(index in str(row) for row in plan), plan


# --- files -----------------------------------------------------------------------------------------------------------


def test_K10_figures_are_kept_as_csv_and_as_parquet_with_types(mall: Centre, lane: Lane, tmp_path: Path) -> None:
    import duckdb

    use(lane, 6)
    use(lane, 2, campaign=2)
    mall.book(lane)
    counted(mall)
    found = asked(mall, By.COUPON, Scope(site="ginza"))
    text = files.as_csv(found).decode("utf-8-sig").splitlines()
    assert text == ["coupon,name,uses,discount_yen", "1,S楽器100円券,6,600", "2,Dレコード割引,,"]
    path = tmp_path / "figures.parquet"
    path.write_bytes(files.as_parquet(found))
    read = duckdb.sql(f"SELECT * FROM '{path}'")
    assert read is not None
    assert read.fetchall() == [("1", "S楽器100円券", 6, 600), ("2", "Dレコード割引", None, None)]
    assert [str(one) for one in read.types] == ["VARCHAR", "VARCHAR", "BIGINT", "BIGINT"]


def test_a_name_is_no_formula_in_a_spreadsheet() -> None:
    assert files._plain("=cmd|' /C calc'!A0") == "'=cmd|' /C calc'!A0"
    assert files._plain("秋の一杯") == "秋の一杯"


def test_without_duckdb_it_is_said_what_to_install(mall: Centre, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "parquet_there", lambda: False)
    with pytest.raises(files.ParquetMissing, match=r"tokuten\[parquet\]"):
        files.as_parquet(asked(mall, By.DAY))


@pytest.mark.only_sqlite
def test_K10_the_command_counts_and_prints_and_writes_files(tmp_path: Path) -> None:
    shell = Shell(tmp_path)
    shell.run("central", "init")
    assert "taken off" in shell.run("analysis", "--by", "shop")
    shell.run("analysis", "--by", "king", code=2)
    shell.run("analysis", "--from", "2026-02-30", code=2)
    shell.run("analysis", "--from", "2026-02-02", "--to", "2026-02-01", code=2)
    shell.run("analysis", "--csv", str(tmp_path / "a.csv"), "--parquet", str(tmp_path / "a.parquet"))
    assert (tmp_path / "a.parquet").read_bytes()[:4] == b"PAR1"
    assert (tmp_path / "a.csv").read_text("utf-8-sig").startswith("coupon,name,views")
