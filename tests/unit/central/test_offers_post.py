"""Offers by mail (M9), through a real SMTP server that is well, down, slow, full of rules, or cut off in the middle."""

from __future__ import annotations

import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import closing
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy import update

from central import consent
from central.consent import Purpose
from central.coupons.persons import Person
from central.db.schema import bargains, goods, mails, persons, sites
from central.offers import addresses, outbox, post
from central.offers.outbox import MINUTE_MS, State
from central.offers.post import MailError, Postman, Trouble
from central.settings import CentralMail, MailSecurity
from tests.mail_server import MailServer
from tests.servers import wait_until
from tests.unit.central.central_kit import NOW_MS, Centre
from tests.unit.central.offers_kit import PERIOD, SECRET, enter, example, run_to_end

HOUR_MS = 60 * MINUTE_MS


@pytest.fixture
def server() -> Iterator[MailServer]:
    made = MailServer().start()
    yield made
    made.stop()


def settings(server: MailServer, **more: Any) -> CentralMail:
    plain: dict[str, Any] = {
        "host": "127.0.0.1", "port": server.port, "security": MailSecurity.NONE, "sender": "offers@points.example",
        "pages": "https://points.example/", "timeout_s": 5.0,
    }  # fmt: skip
    return CentralMail(**{**plain, **more})


def postman(centre: Centre, server: MailServer, **more: Any) -> Postman:
    return Postman(centre.office.database, settings(server, **more), SECRET, 540)


def states(centre: Centre) -> dict[State, int]:
    with centre.office.database.read() as connection:
        return outbox.counts(connection)


def with_offers(centre: Centre) -> dict[str, Person]:
    """The example's people with their offers; the links that confirm their addresses are out of the way."""
    people = example(centre)
    with centre.office.database.write() as connection:
        connection.execute(update(mails).values(state=State.SENT.value))
    run_to_end(centre)
    return people


def named(server: MailServer, address: str) -> EmailMessage:
    return server.taken[server.to.index(address)]


def test_M9_everybody_with_offers_gets_one_mail(centre: Centre, server: MailServer) -> None:
    with_offers(centre)
    assert postman(centre, server).step(NOW_MS).sent == 6
    assert sorted(server.to) == [f"{name}@example.jp" for name in "abcdef"]
    assert states(centre) == {State.SENT: 12}
    assert postman(centre, server).step(NOW_MS + HOUR_MS).done == 0


def test_M9_a_mail_says_what_was_picked_and_why_as_text_and_as_html(centre: Centre, server: MailServer) -> None:
    with_offers(centre)
    postman(centre, server).step(NOW_MS)
    mail = named(server, "a@example.jp")
    assert mail["Subject"] == "A様へのおすすめ 4件"
    assert mail["From"] == "offers@points.example"
    text, html = mail.get_body(("plain",)), mail.get_body(("html",))
    assert text is not None
    assert html is not None
    for part in (text.get_content(), html.get_content()):
        for words in (
            "緑茶 10円引き",
            "銀座店",
            "銀座店で緑茶を繰り返しお買い上げのため",
            "https://points.example/bargains/2",
        ):
            assert words in part
        assert "http://" not in part
        assert "<img" not in part  # nothing tells that it was read


def test_M9_one_click_ends_the_mails(centre: Centre, server: MailServer) -> None:
    people = with_offers(centre)
    postman(centre, server).step(NOW_MS)
    mail = named(server, "a@example.jp")
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    link = mail["List-Unsubscribe"].strip().strip("<>")
    assert link.startswith("https://points.example/unsubscribe?t=")
    with centre.office.database.write() as connection:
        assert addresses.leave(connection, link.partition("=")[2])
        assert not addresses.leave(connection, link.partition("=")[2])
        assert addresses.mail_of(connection, people["A"].id) is None
        assert addresses.mail_of(connection, people["B"].id) is not None


def test_M9_nothing_that_was_entered_begins_a_header_or_an_element_of_its_own(
    centre: Centre, server: MailServer
) -> None:
    people = with_offers(centre)
    evil = "</p><script>alert(1)</script>\r\nBcc: victim@example.jp\r\n\r\nbody"
    with centre.office.database.write() as connection:
        connection.execute(update(bargains).values(title=evil, body=evil))
        connection.execute(update(goods).values(name=evil))
        connection.execute(update(sites).values(title=evil))
        connection.execute(update(persons).where(persons.c.id == people["A"].id).values(name=evil))
    postman(centre, server).step(NOW_MS)
    assert "victim@example.jp" not in server.to
    for mail in server.taken:
        assert mail["Bcc"] is None
        html = mail.get_body(("html",))
        assert html is not None
        assert "<script" not in html.get_content()


def test_M9_a_server_that_is_down_costs_no_mail_a_try(centre: Centre, server: MailServer) -> None:
    with_offers(centre)
    server.stop()
    sender = postman(centre, server)
    for _ in range(20):
        assert sender.step(NOW_MS).trouble is Trouble.UNREACHABLE
    assert states(centre)[State.WAITING] == 6
    server.start()
    assert sender.step(NOW_MS).sent == 6


def test_M9_a_greylist_lets_the_next_try_through(centre: Centre, server: MailServer) -> None:
    with_offers(centre)
    server.answers["a@example.jp"] = ["451 4.7.1 greylisted, come back later"]
    sender = postman(centre, server)
    said = sender.step(NOW_MS)
    assert (said.sent, said.later) == (5, 1)
    assert sender.step(NOW_MS + MINUTE_MS).done == 0
    assert sender.step(NOW_MS + 2 * MINUTE_MS).sent == 1
    assert sorted(server.to) == [f"{name}@example.jp" for name in "abcdef"]


def test_M9_an_address_that_is_refused_for_good_is_not_tried_again(centre: Centre, server: MailServer) -> None:
    with_offers(centre)
    server.answers["a@example.jp"] = ["550 5.1.1 no such user"] * 99
    server.answers["b@example.jp"] = ["552 5.2.2 mailbox full"] * 99
    sender = postman(centre, server)
    said = sender.step(NOW_MS)
    assert (said.sent, said.refused) == (4, 2)
    assert sender.step(NOW_MS + 24 * HOUR_MS).done == 0
    assert states(centre)[State.REFUSED] == 2


def test_M9_a_mail_that_nobody_ever_takes_is_given_up(centre: Centre, server: MailServer) -> None:
    with_offers(centre)
    server.answers["a@example.jp"] = ["452 4.2.2 full"] * 99
    sender, at_ms = postman(centre, server), NOW_MS
    tries = 0
    for _ in range(100):
        tries += sender.step(at_ms).later
        at_ms += HOUR_MS
    assert tries == outbox.TRIES_MAX
    assert states(centre)[State.GIVEN_UP] == 1
    assert states(centre).get(State.WAITING, 0) == 0


def test_M9_content_that_is_refused_is_told_from_what_may_come_later(centre: Centre, server: MailServer) -> None:
    with_offers(centre)
    server.data_answers = ["554 5.7.1 spam", "451 4.3.0 later"]
    said = postman(centre, server).step(NOW_MS)
    assert (said.sent, said.refused, said.later) == (4, 1, 1)


def test_M9_a_server_that_is_cut_off_after_it_took_a_mail_gets_it_again_under_the_same_name(
    centre: Centre, server: MailServer
) -> None:
    with_offers(centre)
    server.cut_before_answer = 1
    sender = postman(centre, server)
    said = sender.step(NOW_MS)
    assert (said.sent, said.trouble) == (0, Trouble.CUT_OFF)
    assert sender.step(NOW_MS + MINUTE_MS).sent == 5
    assert sender.step(NOW_MS + 2 * MINUTE_MS).sent == 1
    assert len(server.taken) == 7
    assert len({mail["Message-ID"] for mail in server.taken}) == 6
    assert server.taken[0]["Message-ID"] == server.taken[-1]["Message-ID"]


def test_M9_a_sender_that_dies_before_it_could_note_the_yes_sends_again_under_the_same_name(
    centre: Centre, server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_offers(centre)

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(outbox, "settle", die)
        with pytest.raises(KeyboardInterrupt):
            postman(centre, server).step(NOW_MS)
    later = postman(centre, server)
    later.step(NOW_MS + HOUR_MS)
    assert len(server.taken) == 7
    assert len({mail["Message-ID"] for mail in server.taken}) == 6
    assert states(centre) == {State.SENT: 12}


def test_M9_two_senders_send_each_mail_once(centre: Centre, server: MailServer) -> None:
    with_offers(centre)
    due_by_both = threading.Barrier(2, timeout=20)
    senders = [postman(centre, server) for _ in range(2)]
    read = outbox.due

    def together(*args: Any) -> list[outbox.Mail]:
        found = read(*args)
        due_by_both.wait()
        return found

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(outbox, "due", together)
        threads = [threading.Thread(target=sender.step, args=(NOW_MS,)) for sender in senders]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
    assert sorted(server.to) == [f"{name}@example.jp" for name in "abcdef"]


def test_M9_who_withdrew_left_or_let_it_end_gets_no_mail(centre: Centre, server: MailServer) -> None:
    people = with_offers(centre)
    with centre.office.database.write() as connection:
        consent.withdraw(connection, people["A"].id, Purpose.OFFERS, NOW_MS)
        addresses.forget_mail(connection, people["B"].id)
        addresses.enter(connection, SECRET, people["C"].id, "new@example.jp", "ja", NOW_MS)  # not confirmed
    said = postman(centre, server).step(NOW_MS)
    assert said.needless == 3
    assert sorted(server.to) == ["d@example.jp", "e@example.jp", "f@example.jp", "new@example.jp"]
    assert named(server, "new@example.jp")["Subject"] == "メールアドレスのご確認"


def test_M9_the_link_that_confirms_an_address_is_mailed_and_says_nothing_of_the_person(
    centre: Centre, server: MailServer
) -> None:
    person = enter(centre, "花子さん", mail=False)
    with centre.office.database.write() as connection:
        assert addresses.enter(connection, SECRET, person.id, "her@example.jp", "en", NOW_MS) is None
    assert postman(centre, server).step(NOW_MS).sent == 1
    (mail,) = server.taken
    body = mail.get_body(("plain",))
    assert body is not None
    assert "花子" not in str(mail) + body.get_content()
    link = next(line for line in body.get_content().splitlines() if line.startswith("https://"))
    with centre.office.database.write() as connection:
        assert addresses.confirm(connection, link.partition("=")[2], NOW_MS)
        found = addresses.mail_of(connection, person.id)
    assert found is not None
    assert found.confirmed_ms == NOW_MS


def test_M9_links_that_confirm_are_few_and_end(centre: Centre) -> None:
    person = enter(centre, "A", mail=False)
    with centre.office.database.write() as connection:
        for number in range(addresses.CONFIRMATIONS_PER_DAY):
            assert addresses.enter(connection, SECRET, person.id, f"x{number}@example.jp", "ja", NOW_MS) is None
        assert addresses.enter(connection, SECRET, person.id, "x9@example.jp", "ja", NOW_MS) == "mail.too_many"
        found = addresses.mail_of(connection, person.id)
        assert found is not None
        token = addresses.confirm_token(SECRET, found.nonce)
        assert not addresses.confirm(connection, token, NOW_MS + addresses.CONFIRM_LIFE_MS)
        assert not addresses.confirm(connection, addresses.leave_token(SECRET, found.nonce), NOW_MS)
        assert addresses.confirm(connection, token, NOW_MS)


@pytest.mark.parametrize(
    "address",
    ["", "a", "a@b", "a@b.c", "a b@example.jp", "a@example.jp\r\nBcc: x@example.jp", "a@example.jp, x@example.jp",
     "<a@example.jp>", "あ@example.jp", "a@exa..mple.jp", "a" * 65 + "@example.jp", f"a@{'b' * 63}.{'c' * 200}.jp"],
)  # fmt: skip
def test_M9_what_is_no_address_is_not_kept(centre: Centre, address: str) -> None:
    person = enter(centre, "A", mail=False)
    with centre.office.database.write() as connection:
        assert addresses.enter(connection, SECRET, person.id, address, "ja", NOW_MS) == "mail.bad_address"
        assert addresses.mail_of(connection, person.id) is None


def test_M9_a_server_that_sends_a_byte_now_and_then_is_cut_off(centre: Centre, monkeypatch: pytest.MonkeyPatch) -> None:
    with_offers(centre)
    monkeypatch.setattr(post, "MAIL_WITHIN_S", 0.5)
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:
        done = threading.Event()

        def drip() -> None:
            peer, _ = listening.accept()
            with closing(peer):
                while not done.wait(0.05):
                    try:
                        peer.sendall(b"2")
                    except OSError:
                        return

        thread = threading.Thread(target=drip, daemon=True)
        thread.start()
        server = MailServer()
        server._port = listening.getsockname()[1]
        said = postman(centre, server).step(NOW_MS)
        done.set()
        thread.join(5)
    assert said.trouble is Trouble.UNREACHABLE
    assert states(centre)[State.WAITING] == 6


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A certificate for 127.0.0.1 that vouches for itself, and its key, in one file."""
    path = tmp_path / "mail.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ed25519", "-nodes", "-days", "2", "-subj", "/CN=mail"]
    command += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(path), "-out", str(tmp_path / "cert.pem")]
    subprocess.run(command, check=True, capture_output=True)
    path.write_text(path.read_text() + (tmp_path / "cert.pem").read_text())
    return path


def test_M9_mail_goes_by_starttls_with_a_login_and_to_nobody_else(
    centre: Centre, certificate: Path, tmp_path: Path
) -> None:
    with_offers(centre)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server = MailServer(tls=context, login=("points", "secret")).start()
    (tmp_path / "right").write_text("secret\n")
    (tmp_path / "wrong").write_text("guess\n")
    how = {"security": MailSecurity.STARTTLS, "username": "points", "ca_file": str(certificate)}
    try:
        stranger = {**how, "ca_file": "", "password_file": str(tmp_path / "right")}
        assert postman(centre, server, **stranger).step(NOW_MS).trouble is Trouble.UNREACHABLE
        plain = {**how, "security": MailSecurity.NONE, "password_file": str(tmp_path / "right")}
        assert postman(centre, server, **plain).step(NOW_MS).trouble is not Trouble.NONE
        wrong = {**how, "password_file": str(tmp_path / "wrong")}
        assert postman(centre, server, **wrong).step(NOW_MS).trouble is Trouble.LOGIN
        assert states(centre)[State.WAITING] == 6
        assert postman(centre, server, **how, password_file=str(tmp_path / "right")).step(NOW_MS).sent == 6
    finally:
        server.stop()


def test_the_sender_waits_for_a_server_and_goes_on_when_it_is_back(
    centre: Centre, server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """M9: the mail server goes down in the middle of a run's mails, and comes back."""
    with_offers(centre)
    monkeypatch.setattr(post, "SENT_PER_STEP", 2)
    monkeypatch.setattr(post, "UNREACHABLE_FIRST_S", 0.05)
    monkeypatch.setattr(post, "UNREACHABLE_CAP_S", 0.1)
    sender, stop = postman(centre, server), threading.Event()
    assert sender.step(NOW_MS).sent == 2
    server.stop()
    thread = threading.Thread(target=sender.run, args=(stop, lambda: NOW_MS))
    thread.start()
    server.start()
    wait_until(lambda: len(server.taken) == 6, 20)
    stop.set()
    thread.join(10)
    assert sorted(server.to) == [f"{name}@example.jp" for name in "abcdef"]


def test_settings_without_a_server_a_sender_or_pages_lead_to_no_sender(centre: Centre, server: MailServer) -> None:
    for missing in ("host", "sender", "pages"):
        mail = msgspec.structs.replace(settings(server), **{missing: ""})
        with pytest.raises(MailError):
            Postman(centre.office.database, mail, SECRET, 540)
    with pytest.raises(MailError):
        postman(centre, server, password_file="nowhere")


def test_M9_the_name_of_a_mail_follows_from_run_and_person_and_tells_neither() -> None:
    from central.offers.run import mail_name

    assert mail_name(SECRET, PERIOD, 1) == mail_name(SECRET, PERIOD, 1)
    assert len({mail_name(SECRET, PERIOD, 1), mail_name(SECRET, PERIOD, 2), mail_name(b"x" * 32, PERIOD, 1)}) == 3
