"""The texts that people agree to. Changing what they say takes a new `central.consent.VERSION`."""

from __future__ import annotations

from typing import Final

WORDS: Final[dict[str, tuple[str, str]]] = {
    "consent.title": ("個人情報の取り扱い", "How your data are used"),
    "consent.service": (
        "お名前、パスワード（復元できない形）、受け取ったクーポンと、使った日時・場所を保管します。"
        "店舗やクーポンの発行元にお名前は渡しません。記録は暗号のような番号で管理し、"
        "運営がお客様の情報を見たときは、その記録を「わたしの情報」で確かめられます。"
        "ご利用のある店舗は、お客様の申し出を受けて、その店舗でのご利用とポイントだけを調べることができ、これも記録に残ります。"
        "データはいつでも書き出し、消去できます。",
        "We keep your name, your password (in a form that can't be read back), the coupons you download, and when and "
        "where you use them. Shops and providers of coupons are not told your name: the books know you by a number. "
        "When an operator looks at your data, you see it under “My data”. A shop where you have been can look up what "
        "you did there, and your points there, when you tell it who you are; you see that, too. You can take your data "
        "with you, and erase them, at any time.",
    ),
    "consent.service.agree": ("上記の取り扱いに同意します（必須）", "I agree to this (needed)"),
    "consent.offers.agree": (
        "利用履歴をもとに、わたしに合うおすすめを選んでよい（任意・いつでも取り消せます）",
        "You may choose offers for me from what I used (optional, can be withdrawn)",
    ),
    "consent.shops.agree": (
        "店舗が、わたしの会員番号やお名前で調べたときに、お名前と全店共通のポイントも表示してよい（任意・いつでも取り消せます）",
        "A shop that looks me up may see my name, and the points that all shops share (optional, can be withdrawn)",
    ),
    "consent.version": ("{version} 版", "Version {version}"),
    "consent.service.name": ("クーポンの提供", "Keeping coupons"),
    "consent.shops.name": ("店舗でのお名前の表示", "Name shown to shops"),
    "consent.analysis.agree": (
        "わたしが見たクーポンを、サービス改善の分析のために記録してよい（任意・いつでも取り消せます。取り消すと記録も消えます）",
        "You may keep which coupons I look at, to improve the service (optional; withdrawing it erases what was kept)",
    ),
    "consent.analysis.name": ("閲覧の分析", "Analysis of what you look at"),
    "consent.offers.name": ("おすすめの選定", "Choosing offers"),
}
