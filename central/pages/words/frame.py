"""The frame of every page: menu, logging in, errors."""

from __future__ import annotations

from typing import Final

WORDS: Final[dict[str, tuple[str, str]]] = {
    "brand": ("Tokuten", "Tokuten"),
    "skip": ("本文へ", "Skip to the page"),
    "other_language": ("English", "日本語"),
    "menu": ("メニュー", "Menu"),
    "menu.offers": ("配布中", "Offers"),
    "menu.coupons": ("クーポン", "Coupons"),
    "menu.history": ("履歴", "History"),
    "menu.me": ("わたしの情報", "My data"),
    "menu.today": ("本日の利用", "Today"),
    "menu.issued": ("発行済み", "Coupons"),
    "menu.issue": ("新しく発行", "Issue"),
    "menu.overview": ("概要", "Overview"),
    "menu.conflicts": ("競合", "Conflicts"),
    "menu.people": ("会員", "People"),
    "menu.places": ("店舗と機器", "Places"),
    "menu.audit": ("閲覧記録", "Audit"),
    "offline": (
        "オフラインです。保存済みのクーポンを表示しています。",
        "You are offline. These are the coupons kept on this phone.",
    ),
    "ended": (
        "ログインの期限が切れたため、保存済みのクーポンを表示しています。",
        "Your login has ended. These are the coupons kept on this phone.",
    ),
    "log_in": ("ログイン", "Log in"),
    "log_out": ("ログアウト", "Log out"),
    "register": ("新規登録", "Register"),
    "name": ("お名前（ニックネーム可）", "Name (a nickname will do)"),
    "login_name": ("お名前", "Name"),
    "password": ("パスワード", "Password"),
    "password_again": ("パスワード（確認）", "Password, again"),
    "password_hint": ("8文字以上", "At least 8 characters"),
    "login.title": ("ログイン", "Log in"),
    "login.new": ("はじめての方", "New here?"),
    "login.staff": ("店舗・発行元・運営の方はこちら", "Shops, providers and operators log in here"),
    "login.people": ("会員の方はこちら", "People log in here"),
    "staff.title": ("スタッフログイン", "Staff log in"),
    "staff.lead": (
        "店舗、クーポン発行元、運営の担当者のためのページです。",
        "For shops, providers of coupons, and operators.",
    ),
    "wrong_login": ("お名前またはパスワードが違います。", "The name or the password is wrong."),
    "too_many": (
        "試行回数が上限に達しました。5分ほど待ってから、もう一度お試しください。",
        "Too many tries. Please wait about five minutes and try again.",
    ),
    "register.title": ("新規登録", "Register"),
    "register.lead": (
        "お名前とパスワードだけで登録できます。メールアドレスも電話番号も要りません。",
        "A name and a password are all we ask for: no mail address, no phone number.",
    ),
    "register.have": ("登録済みの方", "Already registered?"),
    "register.closed": (
        "ただいま、この画面からの新規登録は受け付けていません。",
        "Registration by this page is closed at the moment.",
    ),
    "register.taken": ("このお名前はすでに使われています。", "This name is taken."),
    "register.name_form": (
        "お名前は1〜40文字で、前後に空白のない見える文字にしてください。",
        "A name has 1 to 40 visible characters, with no blank at the ends.",
    ),
    "register.short": ("パスワードは8〜200文字にしてください。", "A password has 8 to 200 characters."),
    "register.differ": ("2つのパスワードが一致しません。", "The two passwords differ."),
    "register.consent_needed": (
        "登録には、個人情報の取り扱いへの同意が必要です。",
        "Without your consent to this use of your data there can be no account.",
    ),
    "back": ("戻る", "Back"),
    "home": ("トップへ", "To the start"),
    "error.not_found": ("ページが見つかりません", "There is no such page"),
    "error.not_found.why": (
        "アドレスが間違っているか、あなたのものではないページです。",
        "The address is wrong, or what is there is not yours.",
    ),
    "error.not_yours": ("このページは開けません", "This page is not for you"),
    "error.not_yours.why": (
        "いまのログインでは開けないページです。別の役割でログインし直してください。",
        "It belongs to another role than the one you are logged in with.",
    ),
    "error.login": ("ログインしてください", "Please log in"),
    "error.login.why": ("このページはログイン後にご覧になれます。", "This page is there for those who are logged in."),
    "error.stale_form": ("フォームの有効期限が切れました", "This form is out of date"),
    "error.stale_form.why": (
        "前のページに戻り、再読み込みしてからもう一度送信してください。",
        "Go back, reload the page, and send it again. Nothing was changed.",
    ),
    "error.bad_form": ("入力を読み取れません", "This form can't be read"),
    "error.bad_form.why": (
        "入力内容を確かめて、もう一度お試しください。",
        "Please check what was entered and try again.",
    ),
    "error.too_large": ("送信された内容が大きすぎます", "Too much was sent"),
    "error.too_large.why": ("入力を短くして、もう一度お試しください。", "Please shorten it and try again."),
    "error.too_many_tries": ("しばらくお待ちください", "Please wait a moment"),
    "error.too_many_tries.why": (
        "短い時間に多くの要求がありました。5分ほど待ってからお試しください。",
        "There were many requests in a short time. Please try again in about five minutes.",
    ),
    "error.unavailable": ("ただいまご利用になれません", "Not available at the moment"),
    "error.unavailable.why": (
        "センターのデータベースが応答しません。保存済みのクーポンはそのままお使いいただけます。",
        "The centre's database does not answer. Coupons kept on your phone can be used all the same.",
    ),
    "error.fault": ("エラーが起きました", "Something went wrong"),
    "error.fault.why": (
        "こちらの不具合です。記録しましたので、しばらくしてからお試しください。",
        "It is our fault, and it has been written down. Please try again later.",
    ),
    "offline.title": ("オフラインです", "You are offline"),
    "offline.lead": (
        "このページには通信が必要です。受け取ったクーポンは「クーポン」から開けます。",
        "This page needs a connection. The coupons that you downloaded are under “Coupons”.",
    ),
    "offline.gone": (
        "この端末に保存したクーポンは消去しました。",
        "The coupons kept on this phone have been removed.",
    ),
    "none": ("—", "—"),
}
