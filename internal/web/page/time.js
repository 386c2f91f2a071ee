// Times come in milliseconds since 1970 and are shown in the round's zone, or in UTC.
import { el, say } from "./dom.js";

let ahead = 0; // the server's clock less this machine's steady one

export function setClock(serverNow) {
  ahead = serverNow - performance.now();
}

// now is the server's clock: this machine's may be wrong.
export function now() {
  return performance.now() + ahead;
}

let zone = "UTC", asked;
let utc = false;
const formats = new Map();

export function setZone(name) {
  if (name === asked) return;
  asked = name;
  try {
    new Intl.DateTimeFormat("en-GB", { timeZone: name || "UTC" });
    zone = name || "UTC";
  } catch {
    zone = "UTC"; // this browser does not know the zone
  }
}

export function setUTC(on) {
  utc = on;
  for (const e of document.querySelectorAll("time")) drawTime(e);
}

export const zoneName = () => (utc ? "UTC" : zone);
export const isUTC = () => utc;
export const hasZone = () => zone !== "UTC";

function format(ms, in_, options) {
  const key = in_ + JSON.stringify(options);
  let f = formats.get(key);
  if (!f) {
    f = new Intl.DateTimeFormat("en-GB", { timeZone: in_, hourCycle: "h23", ...options });
    formats.set(key, f);
  }
  return f.format(ms);
}

const clockOf = { hour: "2-digit", minute: "2-digit" };
const secondsOf = { ...clockOf, second: "2-digit" };
const dayOf = { weekday: "short", day: "numeric", month: "short" };

export const day = (ms) => format(ms, zoneName(), { ...dayOf, year: "numeric" });

function drawTime(e) {
  const ms = e.ms, in_ = utc ? "UTC" : e.zone || zone;
  let text = format(ms, in_, e.seconds ? secondsOf : clockOf);
  if (e.dated && format(ms, in_, dayOf) !== format(now(), in_, dayOf)) text = `${format(ms, in_, dayOf)}, ${text}`;
  say(e, text);
  e.title = `${format(ms, "UTC", { ...dayOf, ...secondsOf })} UTC`;
}

// time makes an element for an instant; with seconds, and with its day where that is not today.
export function time(ms, { seconds = false, dated = true, zone: own } = {}) {
  const e = el("time", { datetime: new Date(ms).toISOString() });
  Object.assign(e, { ms, seconds, dated, zone: own });
  drawTime(e);
  return e;
}

// duration says how long, in two units at most.
export function duration(ms) {
  const sign = ms < 0 ? "-" : "", s = Math.floor(Math.abs(ms) / 1000);
  const d = Math.floor(s / 86400), h = Math.floor(s / 3600) % 24, m = Math.floor(s / 60) % 60;
  if (d > 0) return `${sign}${d} d ${h} h`;
  if (h > 0) return `${sign}${h} h ${String(m).padStart(2, "0")} min`;
  if (m > 0) return `${sign}${m} min ${String(s % 60).padStart(2, "0")} s`;
  if (s >= 10 || Math.abs(ms) % 1000 === 0) return `${sign}${s} s`;
  return `${sign}${(Math.abs(ms) / 1000).toFixed(1)} s`;
}

// stretch is how long something took, or has taken: {took} or {from}.
export const stretch = (s) => (s.from ? Math.max(0, now() - s.from) : s.took || 0);

// capital begins a sentence.
export const capital = (s) => s.charAt(0).toUpperCase() + s.slice(1);

// rough is an estimate: how long, and between what.
export function rough(e) {
  if (!e || !e.n) return "";
  const most = duration(Math.round(e.e / 1000) * 1000);
  if (e.h - e.l < 2000) return `about ${most}`;
  return `about ${most} (${duration(Math.round(e.l / 1000) * 1000)} to ${duration(Math.round(e.h / 1000) * 1000)})`;
}

// What moves by itself is moved once a second.
const ticking = new Set();
export const everySecond = (f) => ticking.add(f);
setInterval(() => {
  if (!document.hidden) for (const f of ticking) f();
}, 1000);
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) for (const f of ticking) f();
});
