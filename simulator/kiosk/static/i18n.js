// The page's words in Japanese and English. A test holds `reasons` against loyalty.reason.Reason.

const ja = {
  tagline: "店頭キオスクのシミュレーター", skip: "スマートフォンへ移動", language: "言語", processes: "プロセスの状態",
  kiosk: "キオスク端末", display: "端末の有機EL表示", phone: "お客様のスマートフォン", cards: "会員カード",
  camera_blind: "映像がありません", camera_empty: "クーポンをここへかざす／画像をドロップ", take_away: "離す", picture: "画像を選ぶ", webcam: "Webカメラ",
  camera_help: "矢印キーで移動、プラスとマイナスで距離、角かっこで回転、Esc で離す。",
  pose: "かざし方", reset: "元に戻す", x: "左右", y: "上下", scale: "近さ", rotate_deg: "回転", tilt_x_deg: "前後の傾き",
  tilt_y_deg: "左右の傾き", blur_px: "ピンぼけ", motion_px: "手ぶれ", glare: "照明の映り込み", exposure: "明るさ",
  log: "読み取りの記録", log_hint: "直前の段階からの時間", log_empty: "まだ何も読み取っていません。スマートフォンのクーポンをカメラにかざしてください。",
  seen: "検知", decoded: "解読", asked: "照会", decided: "判定", on_disk: "保存", shown: "表示", sent: "送信", booked_step: "計上",
  world: "まわりの世界", network: "ネットワーク", network_on: "接続中", network_cut: "切断中",
  cut: "切る", heal: "つなぐ", power: "電源", power_on: "入", power_off: "切", power_starting: "起動中",
  pull: "抜く", plug: "入れる", disk: "ディスク", disk_ok: "空きあり", disk_full: "満杯", fill: "満たす", free: "空ける",
  clock: "端末の時計", clock_right: "正しい", clock_day: "1日前", clock_1970: "1970年", clock_10y: "10年後", clock_note: "端末から見た現在",
  camera: "カメラ", camera_in: "接続中", camera_out: "外れています", camera_pull: "外す",
  central: "センター", central_up: "稼働中", broker: "ブローカー", stopped: "停止中", starting: "起動中", dead: "再起動待ち",
  stop: "落とす", start: "起動", unit: "端末",
  booked: "センターで計上済み", booked_none: "まだ計上された利用はありません。", booked_gone: "センターに届きません。最後に見えた内容です。",
  when: "利用日時", coupon: "クーポン", number: "識別番号", place: "場所", fact: "事実（端末・通し番号）", delay: "計上まで", flags: "印",
  foot: "端末・センター・銀行・ブローカーは本物の別プロセスです。端末に届くのは、カメラに映るもの、差し込んだカード、ボタンだけです。",
  who: "どなたの電話ですか", who_hint: "明細書の図3の3名です。", password: "パスワード", demo_password: "デモ用のパスワードが入っています。",
  log_in: "ログイン", log_out: "切り替え", mine: "手元のクーポン", leaflets: "紙のチラシ", offers: "ダウンロードできるクーポン", download: "入手",
  mine_none: "手元のクーポンはありません。", offers_none: "いま入手できるものはありません。", unused: "未使用", used: "使用済み", untracked: "追跡なし",
  hold: "カメラにかざす", back: "もどる", expires: "有効期限", downloaded: "入手日", used_at: "使用", left: "残り{n}枚", until: "{d}まで",
  offline_phone: "圏外", online_phone: "接続", offline_note: "センターに届きません。保存済みのクーポンは使えます。",
  strong: "このチケットの入手には、もう一度パスワードが必要です。", refresh_failed: "更新できませんでした。", cancel: "やめる",
  mode: "端末の使い方", mode_kiosk: "キオスク", mode_lane: "レジ横の読取機", mode_kiosk_hint: "店員なしで、かざすだけ", mode_lane_hint: "起動しています",
  till_open: "レジの画面を開く ↗", qr_open: "スマートフォンで開く ↗", buttons: "端末のボタン", card_empty: "空のカード", card_new: "新しいカード{n}", card_foreign: "交通系カード",
  my_page: "会員ページ ↗", my_page_why: "ポイント・履歴・口座などは会員ページで（パスワード {password}）", bank: "銀行",
  note_mode_kiosk: "キオスクとして起動しました。", note_mode_lane: "レジ横の読取機として起動しました。",
  page_gone: "シミュレーターとの接続が切れました。再接続しています。", mute: "音を消す", unmute: "音を出す",
  note_died: "{name} が落ちました（{detail}）。再起動します。", note_cut: "ネットワークを切りました。", note_heal: "ネットワークをつなぎました。",
  note_power_off: "電源を抜きました（SIGKILL）。", note_power_on: "電源を入れました。", note_disk_full: "ディスクを満杯にしました。",
  note_store_failed: "端末が休止しました。事実を保存できません。", note_store_back: "端末が復帰しました。", note_part_failed: "端末が部品の故障に気づきました（{detail}）。", note_part_back: "端末の部品が復帰しました（{detail}）。", note_salvaged: "壊れた保存領域を退避し、事実を救い出しました。",
  note_camera_out: "カメラの線を抜きました。", note_camera_in: "カメラをつなぎました。", note_disk_ok: "ディスクを空けました。", note_clock: "端末の時計を変えました。", note_failed: "できませんでした: {detail}", note_stopped: "{name} を落としました。", note_started: "{name} を起動しました。",
  bad_picture: "この画像は読み込めません。", webcam_denied: "Webカメラを使えません: {detail}", on_display: "表示: {text}",
  moving: "このコードは15秒ごとに変わります。画面の写真では使えません。",
  logs: "記録", last_lines: "最後の出力", centre_api: "センターAPI", web_pages: "センターのページ（会員・店舗・発行元・運営）", picture_name: "画像",
};

const en = {
  tagline: "An in-store kiosk, simulated", skip: "Go to the phone", language: "Language", processes: "State of the processes",
  kiosk: "Kiosk", display: "The unit's OLED display", phone: "The shopper's phone", cards: "Member cards",
  camera_blind: "No picture", camera_empty: "Hold a coupon here, or drop a picture", take_away: "Take away", picture: "Choose a picture", webcam: "Webcam",
  camera_help: "Arrow keys move, plus and minus change the distance, square brackets rotate, Escape takes it away.",
  pose: "How it is held", reset: "Reset", x: "Left–right", y: "Up–down", scale: "Closeness", rotate_deg: "Rotation", tilt_x_deg: "Tilt back",
  tilt_y_deg: "Tilt sideways", blur_px: "Out of focus", motion_px: "Shake", glare: "Glare", exposure: "Brightness",
  log: "Scans", log_hint: "time since the step before", log_empty: "Nothing scanned yet. Hold a coupon of the phone in front of the camera.",
  seen: "seen", decoded: "decoded", asked: "asked", decided: "decided", on_disk: "on disk", shown: "shown", sent: "sent", booked_step: "booked",
  world: "The world around it", network: "Network", network_on: "Connected", network_cut: "Cut off",
  cut: "Cut", heal: "Mend", power: "Power", power_on: "On", power_off: "Off", power_starting: "Starting",
  pull: "Pull", plug: "Plug in", disk: "Disk", disk_ok: "Has room", disk_full: "Full", fill: "Fill", free: "Free",
  clock: "Clock", clock_right: "Right", clock_day: "−1 day", clock_1970: "1970", clock_10y: "+10 years", clock_note: "The unit believes it is",
  camera: "Camera", camera_in: "Working", camera_out: "Unplugged", camera_pull: "Unplug",
  central: "Centre", central_up: "Running", broker: "Broker", stopped: "Stopped", starting: "Starting", dead: "Restarting",
  stop: "Kill", start: "Start", unit: "Unit",
  booked: "Booked at the centre", booked_none: "No redemption has been booked yet.", booked_gone: "The centre can’t be reached. This is what was last seen.",
  when: "Used at", coupon: "Coupon", number: "Number", place: "Place", fact: "Fact (unit, sequence)", delay: "Booked after", flags: "Flags",
  foot: "Unit, centre, bank and broker are real, separate processes. Nothing reaches the unit but what its camera sees, the card in its slot and its buttons.",
  who: "Whose phone is it?", who_hint: "The three people of the document’s figure 3.", password: "Password", demo_password: "The demo’s password is filled in.",
  log_in: "Log in", log_out: "Switch", mine: "On this phone", leaflets: "Printed leaflets", offers: "To download", download: "Get",
  mine_none: "No coupons on this phone.", offers_none: "Nothing to download at the moment.", unused: "unused", used: "used", untracked: "not tracked",
  hold: "Hold up to the camera", back: "Back", expires: "Valid until", downloaded: "Downloaded", used_at: "Used", left: "{n} left", until: "until {d}",
  offline_phone: "No service", online_phone: "Online", offline_note: "The centre can’t be reached. Coupons kept on the phone still work.",
  strong: "This ticket asks for the password once more.", refresh_failed: "Could not refresh.", cancel: "Cancel",
  mode: "What the unit is", mode_kiosk: "Kiosk", mode_lane: "Lane with a till", mode_kiosk_hint: "No staff: a coupon counts when it is shown", mode_lane_hint: "Starting",
  till_open: "Open the till ↗", qr_open: "Open on a phone ↗", buttons: "Buttons of the unit", card_empty: "Empty card", card_new: "New card {n}", card_foreign: "Train pass",
  my_page: "My page ↗", my_page_why: "Points, history, account and all else: on the page (password {password})", bank: "Bank",
  note_mode_kiosk: "Started as a kiosk.", note_mode_lane: "Started as a lane beside a till.",
  page_gone: "The connection to the simulator is gone. Reconnecting.", mute: "Mute", unmute: "Sound on",
  note_died: "{name} died ({detail}). It is being restarted.", note_cut: "Network cut.", note_heal: "Network mended.",
  note_power_off: "Plug pulled (SIGKILL).", note_power_on: "Power on.", note_disk_full: "Disk filled.",
  note_store_failed: "The unit went out of service: facts can’t be stored.", note_store_back: "The unit is back in service.", note_part_failed: "The unit noticed a part that failed ({detail}).", note_part_back: "A part of the unit is back ({detail}).", note_salvaged: "A damaged store was set aside and its facts were saved.",
  note_camera_out: "Camera unplugged.", note_camera_in: "Camera plugged in.", note_disk_ok: "Disk has room again.", note_clock: "The unit’s clock was changed.", note_failed: "That did not work: {detail}", note_stopped: "{name} killed.", note_started: "{name} started.",
  bad_picture: "This picture can’t be read.", webcam_denied: "The webcam can’t be used: {detail}", on_display: "On the display: {text}",
  moving: "This code changes every 15 seconds. A picture of it can’t be used.",
  logs: "Logs", last_lines: "What it said last", centre_api: "Centre API", web_pages: "The centre’s pages (people, shops, providers, operators)", picture_name: "Picture",
};

export const reasons = {
  ok: ["yes", "使えます", "Valid"], ok_again: ["yes", "使えます（再表示）", "Valid (shown again)"], reserved: ["yes", "お預かり", "Reserved"],
  not_a_coupon: ["no", "クーポンではありません", "Not a coupon"], check_digit: ["no", "検査数字が違います", "Wrong check digit"],
  incomplete: ["no", "途中で切れています", "Cut off"], damaged: ["no", "壊れています", "Damaged"],
  unknown_version: ["no", "未対応の版です", "Unknown version"], unknown_key: ["no", "知らない鍵です", "Unknown key"],
  key_retired: ["no", "鍵の期限切れ", "Key retired"], not_genuine: ["no", "偽物です", "Not genuine"], unconfirmed: ["no", "未確認", "Unconfirmed"],
  unknown_campaign: ["no", "知らないクーポンです", "Unknown coupon"], stopped: ["no", "中止されました", "Stopped"], revoked: ["no", "利用停止中です", "Blocked"], not_yet: ["no", "まだ使えません", "Not yet"],
  expired: ["no", "期限切れ", "Expired"], used: ["no", "使用済み", "Already used"], person_limit: ["no", "おひとり様の上限", "Limit per person"],
  cap_reached: ["no", "上限に達しました", "Cap reached"], wrong_shop: ["no", "この店では使えません", "Not at this shop"],
  min_spend: ["no", "最低金額に届きません", "Below minimum"], needs_basket: ["no", "お会計が必要です", "Needs a basket"],
  misprinted: ["no", "コードの誤り", "Misprinted"], needs_card: ["no", "カードが必要です", "Needs the card"],
  stale: ["no", "表示が古いです", "Screen too old"], needs_goods: ["no", "対象商品が足りません", "Goods missing"],
  needs_staff: ["no", "係の確認が必要です", "Needs staff"],
  card_old: ["no", "古いカードです", "Card was replaced"],
  card_blocked: ["no", "紛失届のあるカードです", "Card reported lost"],
  card_unreadable: ["no", "カードを読めません", "Card can't be read"],
  declined: ["no", "承認されません", "The bank said no"],
  in_doubt: ["no", "銀行の返事がまだです", "No word from bank"],
  no_funds: ["no", "残高が足りません", "Not enough funds"],
  no_account: ["no", "口座を使えません", "No such account"],
  card_suspect: ["no", "使えないカードです", "Card not accepted"],
  card_not_written: ["no", "カードに書けません", "Card not written"],
  no_card_now: ["no", "ただいまカードを発行できません", "No card right now"],
  wrong_holder: ["no", "ご本人のみ", "Another holder"], not_downloaded: ["no", "未発行です", "Never issued"],
  clock_untrusted: ["no", "時計が不確かです", "Clock in doubt"], not_now: ["no", "いまは使えません", "Not now"], busy: ["no", "お待ちください", "Busy"],
  out_of_service: ["no", "休止中", "Out of service"],
  no_reversal: ["no", "取り消せません", "Can't be taken back"], no_points: ["no", "ポイント払い不可", "No points right now"], no_part: ["no", "この端末の分は終了", "This till's share is used up"], not_home: ["no", "発行店でのみ使えます", "Only at its home now"],
};

export const flags = {
  double: ["二重使用", "double use"], late: ["遅れて届いた", "late"], fork: ["履歴の分岐", "fork"], restored: ["復元後", "restored"],
  salvaged: ["救出", "salvaged"], unknown_campaign: ["不明なクーポン", "unknown coupon"], clock_doubted: ["時計が不確か", "clock in doubt"],
  outside_dates: ["期間外", "outside its dates"], over_cap: ["上限超過", "over the cap"], over_person_limit: ["お一人様上限超過", "over the limit per person"],
  not_granted: ["センター未承認", "not granted"], cancelled: ["取消済み", "cancelled"], repeated: ["再送", "repeated"], clock_corrected: ["時刻補正", "time corrected"], revoked: ["利用停止後", "after it was blocked"],
};

let language = localStorage.getItem("tokuten.lang") || (navigator.language?.startsWith("ja") ? "ja" : "en");
const listeners = new Set();

export const lang = () => language;
export const t = (key, values = {}) =>
  ((language === "ja" ? ja : en)[key] ?? key).replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");
export const reason = (code) => {
  const known = reasons[code];
  return known ? { mood: known[0], text: language === "ja" ? known[1] : known[2] } : { mood: "", text: code ?? "" };
};
export const flag = (code) => (flags[code] ? flags[code][language === "ja" ? 0 : 1] : code);
export const onLanguage = (listener) => listeners.add(listener);

export function setLanguage(next) {
  language = next === "en" ? "en" : "ja";
  localStorage.setItem("tokuten.lang", language);
  apply();
}

export function apply() {
  document.documentElement.lang = language;
  for (const node of document.querySelectorAll("[data-i18n]")) node.textContent = t(node.dataset.i18n);
  for (const node of document.querySelectorAll("[data-i18n-label]")) node.setAttribute("aria-label", t(node.dataset.i18nLabel));
  for (const node of document.querySelectorAll("[data-lang]")) node.setAttribute("aria-pressed", String(node.dataset.lang === language));
  for (const listener of listeners) listener();
}

export function duration(ms) {
  if (ms < 1000) return `${ms} ms`;
  if (ms < 120_000) return `${(ms / 1000).toFixed(1)} s`;
  return ms < 7_200_000 ? `${Math.round(ms / 60_000)} min` : `${Math.round(ms / 3_600_000)} h`;
}

const locale = () => (language === "ja" ? "ja-JP" : "en-GB");
export const day = (ms) => new Date(ms).toLocaleDateString(locale(), { year: "numeric", month: "short", day: "numeric" });
export const moment = (ms) =>
  new Date(ms).toLocaleString(locale(), { month: "short", day: "numeric", hour: "2-digit", minute: "2-digit" });
export const instant = (ms) =>
  new Date(ms).toLocaleString(locale(), { year: "numeric", month: "short", day: "numeric", hour: "2-digit", minute: "2-digit" });
export const clockTime = (ms) => new Date(ms).toLocaleTimeString(locale(), { hour: "2-digit", minute: "2-digit", second: "2-digit" });
