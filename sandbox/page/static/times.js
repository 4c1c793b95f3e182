// Moments, in the time zone and language of the reader.

/** Write every moment in the reader's time zone: https://docs.slack.dev/messaging/formatting-message-text#date-formatting */
export function times(root) {
  for (const node of root.querySelectorAll("time[data-epoch]")) {
    const at = new Date(Number(node.dataset.epoch) * 1000);
    node.textContent = node.dataset.pattern.replace(/\{(\w+)\}/g, (whole, token) => FORMATS[token]?.(at) ?? whole);
    node.title = at.toLocaleString(undefined, { dateStyle: "full", timeStyle: "medium" });
  }
}

const write = (options) => (at) => at.toLocaleString(undefined, options);
const pretty = (fallback) => (at) => {
  const days = Math.round((new Date(at).setHours(0, 0, 0, 0) - new Date().setHours(0, 0, 0, 0)) / 86400000);
  return { "0": "today", "-1": "yesterday", "1": "tomorrow" }[days] ?? fallback(at);
};
const long = write({ weekday: "long", year: "numeric", month: "long", day: "numeric" });
const medium = write({ year: "numeric", month: "long", day: "numeric" });
const short = write({ year: "numeric", month: "short", day: "numeric" });
const FORMATS = {
  time: write({ hour: "2-digit", minute: "2-digit", hourCycle: "h23" }),
  time_secs: write({ hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" }),
  date: medium, date_num: (at) => `${at.getFullYear()}-${String(at.getMonth() + 1).padStart(2, "0")}-${String(at.getDate()).padStart(2, "0")}`,
  date_long: long, date_short: short,
  date_pretty: pretty(medium), date_long_pretty: pretty(long), date_short_pretty: pretty(short),
  ago: (at) => {
    const seconds = Math.round((at - Date.now()) / 1000);
    const [unit, size] = Math.abs(seconds) < 60 ? ["second", 1] : Math.abs(seconds) < 3600 ? ["minute", 60] : Math.abs(seconds) < 86400 ? ["hour", 3600] : ["day", 86400];
    return new Intl.RelativeTimeFormat(undefined, { numeric: "auto" }).format(Math.round(seconds / size), unit);
  },
};
