"""`tokuten offers` as an operator types it: goods, a run that is killed, mail through a real server, letters as PDF."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pypdfium2
import pytest

from central.coupons.persons import Person
from central.offers import addresses, paper
from central.offers.paper import PaperError
from tests.mail_server import MailServer
from tests.servers import ROOT, wait_until
from tests.unit.central.central_kit import NOW_MS, Centre
from tests.unit.central.offers_kit import ALL_GOODS, PERIOD, example
from tests.unit.central.test_central_cli import Shell


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    shell = Shell(tmp_path)
    shell.run("central", "init")
    return shell


@pytest.fixture
def known(shell: Shell) -> Iterator[tuple[Centre, dict[str, Person]]]:
    """The worked example, in the centre of these commands."""
    centre = Centre.reopened(shell.folder / "centre")
    yield centre, example(centre)
    centre.close()


@pytest.fixture
def server() -> Iterator[MailServer]:
    made = MailServer().start()
    yield made
    made.stop()


def mailed(shell: Shell, server: MailServer) -> None:
    file = shell.folder / "tokuten.toml"
    file.write_text(
        file.read_text() + f'[central.mail]\nhost = "127.0.0.1"\nport = {server.port}\nsecurity = "none"\n'
        'sender = "offers@points.example"\npages = "https://points.example"\n'
    )


def test_M8_goods_are_entered_from_a_file(shell: Shell, tmp_path: Path) -> None:
    rows = "".join(f"{one.gtin},{one.name},{one.category}\n" for one in ALL_GOODS)
    (tmp_path / "goods.csv").write_text("gtin,name,category\n" + rows, encoding="utf-8-sig")
    assert "4 articles entered; 4 in all" in shell.run("offers", "goods", str(tmp_path / "goods.csv"))
    (tmp_path / "more.csv").write_text(f"category,gtin,name\nお茶,{ALL_GOODS[0].gtin},緑茶 新\n", encoding="utf-8")
    assert "1 articles entered; 4 in all" in shell.run("offers", "goods", str(tmp_path / "more.csv"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name\nx\n", "line 1: the columns are"),
        ("gtin,name\n4901000000014,茶\n", "line 2: '4901000000014' is no GTIN"),
        ("gtin,name\n4901000000013,\n", "line 2: a name has"),
        ("gtin,name\n4901000000013,茶\n12,茶\n", "line 3"),
        ('gtin,name\n4901000000013,"茶\n', "line"),
    ],
)
def test_M8_a_list_of_goods_that_cant_be_read_is_refused_whole(
    shell: Shell, tmp_path: Path, text: str, said: str
) -> None:
    (tmp_path / "goods.csv").write_text(text, encoding="utf-8")
    assert said in shell.run("offers", "goods", str(tmp_path / "goods.csv"), code=2)
    (tmp_path / "none.csv").write_text("gtin,name\n", encoding="utf-8")
    assert "0 articles entered; 0 in all" in shell.run("offers", "goods", str(tmp_path / "none.csv"))


def test_M9_a_run_its_mails_and_how_they_stand(
    shell: Shell, known: tuple[Centre, dict[str, Person]], server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("central.office.now_ms", lambda: NOW_MS)  # when the example's bargains hold
    assert "no runs" in shell.run("offers", "runs")
    assert "needs host, sender and pages" in shell.run("offers", "send", code=3)
    mailed(shell, server)
    said = shell.run("offers", "run")
    assert f"{PERIOD}: sweep" in said
    assert f"{PERIOD}, done 2027-01-1" in said
    assert "offers for 6 of 6 people" in said
    assert "offers for 6 of 6 people" in shell.run("offers", "run", "--period", PERIOD)
    assert PERIOD in shell.run("offers", "runs")
    server.stop()
    assert "unreachable" in shell.run("offers", "send", code=5)
    server.start()
    assert "6 sent, 0 waiting" in shell.run("offers", "send")
    assert len(server.taken) == 6  # the links that confirm are needless: their people did so before


def test_M9_a_second_period_is_refused_while_one_is_not_done(
    shell: Shell, known: tuple[Centre, dict[str, Person]]
) -> None:
    from central.offers import run

    run.begin(known[0].office.database, PERIOD, NOW_MS)
    assert PERIOD in shell.run("offers", "run", "--period", "2027-W03", code=2)
    assert "a period is named" in shell.run("offers", "run", "--period", "x" * 41, code=2)
    assert "done" in shell.run("offers", "run", "--period", PERIOD)


def many(centre: Centre, people: int) -> None:
    """So many more people who bought the same as A."""
    from tests.unit.central.offers_kit import RICE, TEA, buy, enter

    for number in range(people):
        person = enter(centre, f"P{number}")
        buy(centre, person.holder, "ginza", (TEA, RICE), NOW_MS - 1_000)


def moved_on(centre: Centre, process: subprocess.Popen[bytes], before: object) -> bool:
    return process.poll() is not None or centre.query("SELECT stage, cursor FROM offer_runs") != before


def test_M9_a_run_that_is_killed_again_and_again_loses_and_doubles_nothing(
    shell: Shell, known: tuple[Centre, dict[str, Person]]
) -> None:
    """`kill -9` after the first steps of real processes; the last one is let be."""
    from central.offers import run

    centre, _ = known
    many(centre, 60)
    run.begin(centre.office.database, PERIOD, NOW_MS)  # as of when the example's bargains hold
    script = (
        "import sys, central.offers.run as run\n"
        "run.COUNTED_PER_STEP = run.PICKED_PER_STEP = 3\n"
        "from cli.main import main\n"
        "sys.argv[0] = 'tokuten'\nmain()\n"
    )
    command = [sys.executable, "-c", script, "offers", "run", "--period", PERIOD]
    command += ["--config", str(shell.folder / "tokuten.toml")]
    seen: set[object] = set()
    for _ in range(4):
        before = centre.query("SELECT stage, cursor FROM offer_runs")
        process = subprocess.Popen(command, cwd=ROOT, env=dict(os.environ), stderr=subprocess.DEVNULL)
        wait_until(partial(moved_on, centre, process, before), 60)
        process.send_signal(signal.SIGKILL)
        process.wait(10)
        seen.add(tuple(centre.query("SELECT stage, cursor FROM offer_runs")[0]))
    assert len(seen) > 1, "each process was killed before it had done anything"
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=120)
    assert centre.query("SELECT stage, people, picked FROM offer_runs") == [("done", 66, 66)]
    assert centre.one("SELECT count(*) FROM mails WHERE run_id IS NOT NULL") == 66
    assert centre.one("SELECT count(DISTINCT person_id) FROM mails WHERE run_id IS NOT NULL") == 66
    assert centre.one("SELECT count(DISTINCT person_id) FROM offer_picks") == 66
    assert centre.query("SELECT max(rank), count(*) FROM offer_picks WHERE person_id = 1") == [(4, 4)]


# --- letters ------------------------------------------------------------------------------------------------


def font() -> bool:
    try:
        return bool(paper.font(""))
    except PaperError:
        return False


needs_font = pytest.mark.skipif(not font(), reason="no font with Japanese: apt install fonts-ipaexfont-gothic")


def by_post(centre: Centre, people: dict[str, Person]) -> None:
    """A and B take letters; B has a confirmed mail address too, A none."""
    with centre.office.database.write() as connection:
        for name in "AB":
            number = people[name].id
            assert not addresses.enter_postal(
                connection, number, f"髙橋 {name}子", "1040061", "東京都中央区銀座四丁目5番6号", "ja", NOW_MS
            )
        addresses.forget_mail(connection, people["A"].id)


@needs_font
def test_M9_letters_are_printed_with_addresses_for_a_window_envelope(
    shell: Shell, known: tuple[Centre, dict[str, Person]], monkeypatch: pytest.MonkeyPatch
) -> None:
    from central.offers import run

    centre, people = known
    monkeypatch.setattr("central.office.now_ms", lambda: NOW_MS)
    file = shell.folder / "letters.pdf"
    assert "no run is done" in shell.run("offers", "letters", str(file), code=1)
    by_post(centre, people)
    at = run.begin(centre.office.database, PERIOD, NOW_MS)
    while at.finished_ms is None:
        at = run.step(centre.office.database, centre.office.keys.cache_secret(), PERIOD, NOW_MS)
    assert "1 letters of 2027-W02" in shell.run("offers", "letters", str(file))
    assert file.stat().st_mode & 0o077 == 0  # it holds names and addresses
    with pypdfium2.PdfDocument(file) as document:
        assert len(document) == 1
        page = document[0]
        text = page.get_textpage()
        said = text.get_text_bounded()
        window = text.get_text_bounded(
            left=20 / 0.3528, top=842 - 12 / 0.3528, right=110 / 0.3528, bottom=842 - 57 / 0.3528
        )
    for words in ("〒104-0061", "東京都中央区銀座四丁目5番6号", "髙橋 A子 様"):
        assert words in window
    assert "おすすめ" not in window
    for words in ("髙橋 A子様へのおすすめのご案内", "緑茶 10円引き", "銀座店で緑茶を繰り返しお買い上げのため"):
        assert words in said
    assert centre.query("SELECT what, holder FROM audit WHERE what = 'letter_printed'") == [
        ("letter_printed", people["A"].holder)
    ]


@needs_font
def test_M9_a_letter_of_long_texts_stays_on_its_page_and_nothing_is_printed_over_anything() -> None:
    from central.offers.addresses import PostalAddress
    from central.offers.told import Pick

    sheet = paper.Paper(paper.font(""), "銀座商店街\\n東京", 540)
    picks = [
        Pick(
            bargain=number, title="特" * 60, body="とても長い文章。" * 120, site="ginza", shop="店" * 40,
            until_ms=NOW_MS, campaign=None, why="alike", gtin=1, goods="緑" * 60, where="銀" * 40,
        )
        for number in range(5)
    ]  # fmt: skip
    to = PostalAddress(name="名" * 30, postcode="104-0061", lines="\n".join(["住" * 30] * 3), lang="ja")
    sheet.add(paper.Letter(person_id=1, holder=1, to=to, picks=picks), NOW_MS)
    with pypdfium2.PdfDocument(sheet.bytes()) as document:
        text = document[0].get_textpage()
        boxes = sorted(text.get_rect(index) for index in range(text.count_rects()))
        width, height = document[0].get_size()
    assert all(0 < left < right < width and 0 < bottom < top < height for left, bottom, right, top in boxes)
    for at, (left, bottom, right, top) in enumerate(boxes):
        for other_left, other_bottom, other_right, other_top in boxes[at + 1 :]:
            apart = other_left >= right or other_right <= left or other_bottom >= top - 1 or other_top <= bottom + 1
            assert apart


def test_letters_without_a_font_say_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paper, "FONTS", ())
    with pytest.raises(PaperError, match="apt install"):
        paper.font("")
    with pytest.raises(PaperError, match="nowhere"):
        paper.font(str(tmp_path / "nowhere"))
    (tmp_path / "no.ttf").write_bytes(b"no font")
    with pytest.raises(PaperError, match="no font that can be embedded"):
        paper.Paper(tmp_path / "no.ttf", "", 540)
