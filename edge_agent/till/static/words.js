// The words of the cashier's page. What coupons, payments and problems say comes from the lane in both languages.
export const WORDS = {
  ja: {
    title: "レジ", token: "トークン", enter: "入る", goods: "商品", price: "金額（税込・1個）", quantity: "個数", rate: "税率",
    gtin: "JAN（任意）", add: "追加", no_lines: "まだ何もありません。", coupons: "クーポン",
    coupons_how: "お客様がカメラにかざすと、ここに出ます。", coupon_text: "コードを入力", total: "合計",
    points_use: "使うポイント", cash: "現金で支払う", other: "その他で支払う", cancel: "お会計を中止", paid: "お支払い済み",
    next: "次のお会計", void: "取り消す", online: "センター接続中", offline: "センター未接続", remove: "取消",
    subtotal: "小計", discount: "値引き", tax: "内消費税", points_paid: "ポイント払い", to_pay: "お支払い",
    spendable: "使えるポイント", earns: "付くポイント", yen: (n) => `${n.toLocaleString("ja")}円`,
    rate_of: (bp) => `${bp / 100}%`, gone: "端末に届きません。もう一度送っています…", voided: "取り消しました。クーポンはまた使えます。",
    sure_void: "このお会計を取り消しますか？", paying: "お支払いの処理中です…", lang: "English",
  },
  en: {
    title: "Cashier", token: "Token", enter: "Enter", goods: "Goods", price: "Price each, with tax", quantity: "Quantity",
    rate: "Tax", gtin: "JAN (optional)", add: "Add", no_lines: "Nothing yet.", coupons: "Coupons",
    coupons_how: "A coupon that the shopper holds to the camera shows here.", coupon_text: "Type a code", total: "Total",
    points_use: "Points to use", cash: "Pay in cash", other: "Card or other", cancel: "Cancel the sale", paid: "Paid",
    next: "Next sale", void: "Void", online: "Centre in reach", offline: "Centre not in reach", remove: "Remove",
    subtotal: "Subtotal", discount: "Discount", tax: "Tax included", points_paid: "Paid with points", to_pay: "To pay",
    spendable: "Points to spend", earns: "Points earned", yen: (n) => `¥${n.toLocaleString("en")}`,
    rate_of: (bp) => `${bp / 100}%`, gone: "The lane does not answer; trying again…", voided: "Taken back. The coupons count again.",
    sure_void: "Take this sale back?", paying: "Payment under way…", lang: "日本語",
  },
};
