"""What mails, letters and pages say about offers, in Japanese and English. Each text is (Japanese, English)."""

from __future__ import annotations

from typing import Final

from central.offers.picker import Why
from central.offers.told import Pick
from loyalty.campaign import Lang

WORDS: Final[dict[str, tuple[str, str]]] = {
    "why.again": (
        "{where}で{goods}を繰り返しお買い上げのため",
        "because you buy {goods} again and again, last at {where}",
    ),
    "why.alike": ("{where}で{goods}をお買い上げのため", "because you bought {goods} at {where}"),
    "why.near": ("{where}をよくご利用のため", "because you shop at {where}"),
    "why.goods": ("いつもの商品", "your usual goods"),
    "until": ("{day}まで", "until {day}"),
    "mail.offers.subject": ("{name}様へのおすすめ {count}件", "{count} offers picked for you"),
    "mail.offers.lead": (
        "お買い物の履歴から、{name}様におすすめの情報を選びました。",
        "We picked these for you, {name}, from what you bought.",
    ),
    "mail.offers.see": ("おすすめをすべて見る", "See all your offers"),
    "mail.offers.why": (
        "「おすすめのお知らせ」に同意し、このアドレスを登録された方にお送りしています。",
        "You get this mail because you agreed to offers and entered this address.",
    ),
    "mail.offers.leave": ("配信を停止する", "Stop these mails"),
    "mail.confirm.subject": ("メールアドレスのご確認", "Please confirm your mail address"),
    "mail.confirm.lead": (
        "Tokutenのお知らせの宛先として、このメールアドレスが入力されました。次のリンクを開いて確認してください（7日間有効）。",
        "This address was entered for offers from Tokuten. Open this link to confirm it (within 7 days).",
    ),
    "mail.confirm.not_you": (
        "お心当たりがない場合は、何もなさらないでください。ほかのメールは届きません。",
        "If it was not you, do nothing: no other mail will come.",
    ),
    "letter.honorific": ("{name} 様", "{name}"),
    "letter.subject": ("{name}様へのおすすめのご案内", "Offers picked for you"),
    "letter.lead": (
        "いつもご利用いただき、ありがとうございます。お買い物の履歴から、次のご案内を選びました。",
        "Thank you for shopping with us. We picked these offers from what you bought.",
    ),
    "letter.end": (
        "ご案内が不要な場合は、「わたしの情報」のページで同意を取り消すか、住所を削除してください。",
        "If you want no more letters, withdraw your consent or remove your address on the page “My data”.",
    ),
}


def say(key: str, lang: Lang, **values: object) -> str:
    """Raises KeyError for words that do not exist: a fault of the program."""
    return WORDS[key][0 if lang == "ja" else 1].format(**values)


def reason(pick: Pick, lang: Lang) -> str:
    """Why an offer was picked, for the person it was picked for."""
    if pick.why == Why.NEAR.value:
        return say("why.near", lang, where=pick.where)
    return say(f"why.{pick.why}", lang, goods=pick.goods or say("why.goods", lang), where=pick.where)
