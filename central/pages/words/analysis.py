"""Analysis: what is looked at, downloaded and used, where and when."""

from __future__ import annotations

from typing import Final

WORDS: Final[dict[str, tuple[str, str]]] = {
    "menu.analysis": ("分析", "Analysis"),
    "analysis.title": ("分析", "Analysis"),
    "analysis.by": ("集計", "By"),
    "analysis.by.day": ("日", "Day"),
    "analysis.by.hour": ("時間帯", "Hour"),
    "analysis.by.coupon": ("クーポン", "Coupon"),
    "analysis.by.shop": ("店舗", "Shop"),
    "analysis.from": ("開始日", "From"),
    "analysis.to": ("終了日", "To"),
    "analysis.show": ("表示", "Show"),
    "analysis.views": ("閲覧", "Looked at"),
    "analysis.downloads": ("配布", "Downloaded"),
    "analysis.uses": ("利用", "Used"),
    "analysis.discount_yen": ("割引額", "Taken off"),
    "analysis.total": ("合計", "Total"),
    "analysis.total.shown": ("表示分の合計", "Total of what is shown"),
    "analysis.none": ("この期間の記録はありません。", "Nothing in these days."),
    "analysis.small": (
        "{least}人に満たない数は「—」とし、合計にも含めません。",
        "A figure that stands for fewer than {least} people is “—”, and not in the total.",
    ),
    "analysis.views.why": (
        "閲覧は、同意した会員の分だけを数えています。",
        "Only people who agreed to it are counted as looking.",
    ),
    "analysis.as_of": ("{moment} 現在。", "As of {moment}."),
    "analysis.never": ("まだ集計されていません。", "Nothing has been counted yet."),
    "analysis.csv": ("CSVで保存", "Save as CSV"),
    "analysis.parquet": ("Parquetで保存", "Save as Parquet"),
    "analysis.newest": ("グラフは最後の{days}日分です。", "The charts show the last {days} days."),
    "analysis.person": ("利用の傾向", "What they look at and use"),
    "analysis.person.agreed": (
        "閲覧の記録に同意しています。",
        "They agreed to our keeping what they look at.",
    ),
    "analysis.person.not_agreed": (
        "閲覧の記録に同意していないため、閲覧数はありません。",
        "They did not agree to our keeping what they look at: there is none of it.",
    ),
    "analysis.person.hours": ("利用した時間帯", "Hours"),
    "analysis.person.where": ("利用した店舗", "Where"),
    "what.use_seen": ("利用の傾向を閲覧", "Looked at what they look at and use"),
    "what.token_issued": ("APIトークンを発行", "Issued an API token"),
    "what.token_revoked": ("APIトークンを失効", "Revoked an API token"),
    "what.coupon_issued": ("APIでクーポンを発行", "Issued a coupon by the API"),
    "what.coupon_stopped": ("APIでクーポンを停止", "Stopped a coupon by the API"),
}
COLUMN: Final = {name: f"analysis.{name}" for name in ("views", "downloads", "uses", "discount_yen")}
