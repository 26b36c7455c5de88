"""The page behind the QR of a kiosk that gives out member cards."""

from __future__ import annotations

from typing import Final

WORDS: Final[dict[str, tuple[str, str]]] = {
    "card.title": ("会員カード", "Member card"),
    "card.where": ("{site}の端末のカード", "The card in the kiosk at {site}"),
    "card.new": ("はじめての方", "New here"),
    "card.new.lead": (
        "お名前とパスワードを決めると、端末のカードがあなたの会員カードになります。",
        "Choose a name and a password, and the card in the kiosk becomes your member card.",
    ),
    "card.new.do": ("登録してカードを作る", "Register and make the card"),
    "card.again": ("会員の方・カードをなくした方", "Members, and lost cards"),
    "card.again.lead": (
        "会員番号とパスワードで、新しいカードを作ります。ポイントと履歴はそのまま残り、前のカードは使えなくなります。",
        "With your member number and password a new card is made. Points and history stay; the card before it stops "
        "working.",
    ),
    "card.again.login": ("会員番号（またはお名前）", "Member number (or name)"),
    "card.again.do": ("新しいカードを作る", "Make a new card"),
    "card.mine": ("{name}さんのカードにします", "Make it the card of {name}"),
    "card.mine.first": (
        "端末のカードが、あなたの会員カードになります。目の前の端末で操作しているときだけ押してください。",
        "The card in the kiosk becomes your member card. Only go on if you stand before that kiosk.",
    ),
    "card.mine.next": (
        "前のカードは使えなくなります。ポイントと履歴はそのまま残ります。目の前の端末で操作しているときだけ押してください。",
        "The card that you had stops working; points and history stay. Only go on if you stand before that kiosk.",
    ),
    "card.mine.do": ("わたしのカードにする", "Make it my card"),
    "card.mine.other": (
        "ほかの方のカードを作るには、ログアウトしてください。",
        "For somebody else’s card, log out first.",
    ),
    "card.waits": ("端末をご覧ください", "Look at the kiosk"),
    "card.waits.lead": (
        "カードに書き込んでいます。終わるまでカードを抜かないでください。",
        "Your card is being written. Leave it in until that is done.",
    ),
    "card.done": ("カードができました", "Your card is ready"),
    "card.done.lead": (
        "カードをお取りください。番号は、カードをなくしたときに使います。控えておいてください。",
        "Take it out. Keep the number: you need it if the card is lost.",
    ),
    "card.done.next": ("ログインして、配布中のクーポンを見る", "Log in and see what is on offer"),
    "card.number": ("会員番号", "Member number"),
    "card.failed": ("カードに書き込めませんでした", "The card could not be written"),
    "card.failed.lead": (
        "もう一度カードを端末に入れ、新しく表示されるコードを読み取ってください。登録は済んでいるので、"
        "次は会員番号とパスワードで進めます。",
        "Put it into the kiosk again and scan the new code. You are registered already: go on with your member number "
        "and password.",
    ),
    "card.over": ("受付時間が過ぎました", "The time is over"),
    "card.over.lead": (
        "カードを端末に入れ直して、新しく表示されるコードを読み取ってください。",
        "Put the card into the kiosk again and scan the new code.",
    ),
}
