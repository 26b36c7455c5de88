"""The words of every answer, for a display of 128x64 pixels: a headline and at most three lines (K5).

One entry for each `loyalty.reason.Reason` in each language: the headline, then the lines. A line may hold values in
braces (`loyalty.reason.sentence` knows them); a line whose value the verdict does not have is left out, so the
others make sense without it.
`{name}`, `{benefit}` and `{site}` are shortened to the room that their line has; everything else must fit as
it is, with the largest values, which a test holds for all of them.

The lines are broken by hand, so that no Japanese line begins with a mark that may not stand there and no
phrase is torn. Each answer says what it is, why, and what the shopper can do.
"""

from __future__ import annotations

from typing import Final

from loyalty.campaign import Lang

Words = tuple[str, *tuple[str, ...]]

WORDS: Final[dict[Lang, dict[str, Words]]] = {
    "ja": {
        # yes
        "ok": ("ご利用いただけます", "{name}", "{benefit}", "値引き{discount}円"),
        "ok_again": ("ご利用いただけます", "{name}", "{benefit}", "先ほどの受付分です。"),
        "reserved": ("お会計時に使えます", "{name}", "{benefit}", "お会計へお進み下さい"),
        # what is wrong with the text
        "not_a_coupon": ("対象外のコードです", "クーポンのコードを", "カメラにかざして", "ください。"),
        "check_digit": ("コードを読めません", "コード全体が写るよう", "もう一度かざして", "ください。"),
        "incomplete": ("コードが欠けています", "コード全体を表示して", "もう一度かざして", "ください。"),
        "damaged": ("コードを読めません", "クーポンの画面を", "開き直して、もう一度", "かざしてください。"),
        "misprinted": ("コードの誤りです", "このコードは", "お使いになれません。", "お店にお尋ね下さい。"),
        "unknown_version": ("未対応の形式です", "この端末では", "お使いになれません。", "お店にお尋ね下さい。"),
        "unknown_key": ("確認できません", "発行元を確認できず", "お使いになれません。", "後でお試しください。"),
        "key_retired": ("古いコードです", "クーポンをもう一度", "ダウンロードして", "ください。"),
        "not_genuine": ("無効なコードです", "正規のクーポンと", "確認できません。", "再表示してください。"),
        "unconfirmed": ("確認しています", "コードを動かさずに", "もう少しかざして", "ください。"),
        # what the campaign says
        "unknown_campaign": (
            "登録のないコードです",
            "当店のクーポンか",
            "ご確認のうえ、後ほど",
            "お試しください。",
        ),
        "stopped": ("受付を終了しました", "{name}", "発行元が停止しました", "お店にお尋ね下さい。"),
        "revoked": ("利用停止中です", "紛失などの届けにより", "停止されています。", "お店にお尋ね下さい。"),
        "not_yet": ("ご利用期間前です", "{name}", "{from}から", "またお越しください。"),
        "expired": ("期限が過ぎています", "{name}", "{until}まで", "他のクーポンをどうぞ"),
        "used": ("すでにご利用済みです", "{at}に", "{site}にて", "他のクーポンをどうぞ"),
        "person_limit": ("ご利用回数の上限です", "{name}", "お一人様{limit}回まで", "他のクーポンをどうぞ"),
        "cap_reached": ("先着数に達しました", "{name}", "受付を終了しました。", "他のクーポンをどうぞ"),
        "wrong_shop": ("対象外のお店です", "{name}", "ご利用できるお店を", "ご確認ください。"),
        "min_spend": ("お買上げが足りません", "{name}", "あと{needed}円の", "ご購入で使えます。"),
        "needs_basket": ("先に商品をどうぞ", "{needed}円以上の", "お買い物の途中で", "かざしてください。"),
        "wrong_holder": ("ご本人様専用です", "クーポンをお持ちの", "ご本人様のカードを", "お入れください。"),
        "not_downloaded": ("発行記録がありません", "クーポンをもう一度", "ダウンロードして", "ください。"),
        "needs_card": ("カードもご提示下さい", "{name}", "ご本人様のカードを", "お入れください。"),
        "stale": ("表示が古くなりました", "アプリを開き直して", "新しいコードを", "かざしてください。"),
        "needs_goods": ("対象商品が足りません", "{name}", "{goods}", "ご確認ください。"),
        "needs_staff": ("係の者が承ります", "{name}", "お店の係の者に", "お尋ねください。"),
        # what is wrong with the card in the slot
        "card_old": ("古いカードです", "新しいカードが", "発行されています。", "そちらをお使い下さい"),
        "card_blocked": ("届出のあるカードです", "紛失の届けにより", "停止されています。", "お店にお尋ね下さい。"),
        "card_unreadable": ("カードを読めません", "このカードは", "お使いになれません。", "再発行をご利用下さい"),
        "card_suspect": ("使えないカードです", "記録が一致しません。", "お店の係の者に", "お尋ねください。"),
        "card_not_written": ("カードに書けません", "何も使われていません", "カードを入れたままで", "もう一度どうぞ。"),
        "no_card_now": ("カード発行は不可", "ただいま発行できる", "状態ではありません。", "後でお試しください。"),
        # what the unit can't do at the moment
        "clock_untrusted": ("時刻を確認中です", "期限を確認できません", "しばらくしてから", "お試しください。"),
        "not_now": ("ただいま使えません", "通信できませんでした", "使用扱いになりません", "後でお試しください。"),
        "no_part": ("ここでは使えません", "{name}", "この端末の分は終了。", "別の端末でどうぞ。"),
        "no_points": ("ポイント払いは不可", "通信が戻るまで", "この点数は使えません", "現金等でお願いします"),
        "not_home": ("今はここで使えません", "{site}で使えます", "通信が戻ればここでも", "使えます。"),
        "busy": ("少々お待ちください", "前の処理をしています", "終わってからもう一度", "かざしてください。"),
        "no_reversal": ("取消できません", "この取消しは", "受付けられません。", "係員をお呼び下さい。"),
        "no_funds": ("残高が足りません", "引落しはしていません", "別のお支払い方法で", "お願いいたします。"),
        "no_account": ("口座を使えません", "ご登録がないか、", "解約されています。", "別の方法でどうぞ。"),
        "declined": ("承認されません", "銀行が口座払いを", "認めませんでした。", "別の方法でどうぞ。"),
        "in_doubt": ("銀行の返事がまだです", "このお支払いは中止し", "引落しは戻ります。", "別の方法でどうぞ。"),
        "out_of_service": ("ただいま休止中です", "使用扱いになりません", "別の端末か、お店で", "お尋ねください。"),
    },
    "en": {
        # yes
        "ok": ("Coupon accepted", "{name}", "{benefit}", "Save {discount} yen"),
        "ok_again": ("Coupon accepted", "{name}", "{benefit}", "It counted just now."),
        "reserved": ("Ready for checkout", "{name}", "{benefit}", "Please pay to use it"),
        # what is wrong with the text
        "not_a_coupon": ("Not a coupon", "Please show the", "barcode of a coupon", "to the camera."),
        "check_digit": ("Can't read it", "Please show the", "whole barcode and", "hold it steady."),
        "incomplete": ("Barcode is cut off", "Please show all of", "it on your screen", "and try again."),
        "damaged": ("Can't read it", "Please open your", "coupon again and", "show it once more."),
        "misprinted": ("Code is misprinted", "It can't be used as", "it is. Please ask", "the shop."),
        "unknown_version": ("Newer kind of code", "This unit can't use", "it yet. Please ask", "the shop."),
        "unknown_key": ("Can't be verified", "We can't check who", "issued it. Please", "try again later."),
        "key_retired": ("Code is out of date", "Please download your", "coupon again and", "show the new code."),
        "not_genuine": ("Not a valid code", "We can't confirm it", "is genuine. Please", "open it once more."),
        "unconfirmed": ("Please hold it still", "Keep the code before", "the camera a little", "longer, please."),
        # what the campaign says
        "unknown_campaign": ("Unknown code", "It is no coupon of", "ours. If it is new,", "please try later."),
        "stopped": ("Coupon withdrawn", "{name}", "The issuer ended it.", "Please ask the shop."),
        "revoked": ("Coupon is blocked", "It was reported lost", "or withdrawn.", "Please ask the shop."),
        "not_yet": ("Not valid yet", "{name}", "Please come back", "on {from}"),
        "expired": ("Coupon has expired", "{name}", "on {until}", "Please try another."),
        "used": ("Already used", "on {at}", "at {site}", "Please try another."),
        "person_limit": ("Your limit reached", "{name}", "{limit} per person.", "Please try another."),
        "cap_reached": ("All are taken", "{name}", "The limit is reached", "Please try another."),
        "wrong_shop": ("Not for this shop", "{name}", "Please check where", "it can be used."),
        "min_spend": ("Spend a little more", "{name}", "{needed} yen more", "Then show it again."),
        "needs_basket": ("Scan goods first", "{name}", "From {needed} yen", "Then show it again."),
        "wrong_holder": ("Card doesn't match", "Please insert the", "card of the person", "who has the coupon."),
        "not_downloaded": ("Not on record", "Please download the", "coupon again and", "show the new code."),
        "needs_card": ("Card needed too", "{name}", "Please insert your", "member card now."),
        "stale": ("Screen is too old", "Please open the app", "again and show the", "new code."),
        "needs_goods": ("More goods needed", "{name}", "{goods}", "Then show it again."),
        "needs_staff": ("Staff must check it", "{name}", "Please ask the shop", "to have a look."),
        # what is wrong with the card in the slot
        "card_old": ("Replaced card", "A newer card has", "taken its place.", "Please use that one."),
        "card_blocked": ("Card reported lost", "It is blocked.", "Please ask", "the staff."),
        "card_unreadable": ("Can't read the card", "It can't be used.", "Please have a new", "one made."),
        "card_suspect": ("Card not accepted", "What it says does", "not fit. Please ask", "the staff."),
        "card_not_written": ("Card not written", "Nothing was used.", "Leave the card in", "and try again."),
        "no_card_now": ("No card right now", "None can be made", "at the moment.", "Try again later."),
        # what the unit can't do at the moment
        "clock_untrusted": ("Checking the time", "This unit's clock is", "not set. Please try", "again in a while."),
        "not_now": ("Not right now", "No answer in time.", "Nothing was used.", "Please try later."),
        "no_part": ("Not at this till now", "{name}", "Its share is used up", "Try another till."),
        "no_points": ("No points right now", "Without the centre", "so many can't be", "used. Pay in cash."),
        "not_home": ("Not here right now", "Use it at {site}", "Here it works once", "we are back online."),
        "busy": ("One moment, please", "Still at work on the", "last one. Please", "show it again."),
        "no_reversal": ("Can't take it back", "The till asked for", "what can't be. Ask", "the staff, please."),
        "no_funds": ("Not enough funds", "Nothing was debited.", "Please pay in", "another way."),
        "no_account": ("No such account", "It is not registered", "or closed. Please", "pay another way."),
        "declined": ("The bank said no", "Nothing was debited.", "Please pay in", "another way."),
        "in_doubt": ("No word from bank", "This payment ends;", "a debit goes back.", "Pay another way."),
        "out_of_service": ("Out of service", "Nothing was used.", "Please try another", "unit or ask us."),
    },
}
