// One round: what matters in two seconds first, then its steps, its databases, its notes and its journal.
import { buttons } from "./act.js";
import { databasesPart } from "./databases.js";
import { announce, el, keyed, same, say, show } from "./dom.js";
import { ganttPart } from "./gantt.js";
import { Live } from "./live.js";
import { capital, duration, everySecond, hasZone, now, rough, setZone, stretch, time, zoneName } from "./time.js";
import { notesPart, timelinePart } from "./timeline.js";

export const marks = { fine: "✓", wait: "…", warn: "!", alert: "!!", over: "■" };

export const kindName = { live: "", poc: "proof of concept", rehearsal: "rehearsal" };

export function roundPage(main, id, refused) {
  const parts = [headPart(id), ganttPart(id), databasesPart(), notesPart(id), timelinePart(id)];
  let drawn = false;
  const live = new Live(`rounds/${encodeURIComponent(id)}`, (s, touched) => {
    setZone(s.head.head.zone);
    if (!drawn) {
      const jump = el("nav", { class: "jump", "aria-label": "Parts of the page" }, parts.slice(1).map((p) => el("a", { href: `#${p.element.id}` }, p.name)));
      main.replaceChildren(parts[0].element, jump, ...parts.slice(1).map((p) => p.element));
      drawn = true;
    }
    for (const p of parts) p.update(s, touched);
  }, refused);
  live.load();
}

function figure(name) {
  const label = el("div", { class: "label" }, name), value = el("div", { class: "value" }), more = el("div", { class: "more" });
  const element = el("div", { class: "figure" }, label, value, more);
  return { element, label, value, more };
}

function headPart(id) {
  const title = el("h1", {}), about = el("p", { class: "about" });
  const mark = el("span", { class: "mark", "aria-hidden": "true" }), phase = el("span", { class: "phase" }), text = el("span", { class: "text" });
  const banner = el("p", { class: "verdict" }, mark, el("span", {}, phase, text));
  const trouble = el("p", { class: "trouble" });
  const writes = figure("Writes"), time_ = figure("Since the start"), left = figure("Still to go"), driver = figure("Driven by");
  writes.element.classList.add("writes");
  const figures = el("div", { class: "figures" }, writes.element, time_.element, left.element, driver.element);
  const waitsTitle = el("h2", {}, "Waited for"), waits = el("ul", { class: "waits" });
  const flow = el("dl", { class: "flow" });
  const turning = el("div", { class: "turning" });
  const element = el("section", { class: "head", "aria-label": "How it stands" },
    title, about, el("div", { class: "card state" }, banner, trouble, figures), el("div", { class: "card" }, waitsTitle, waits, flow, turning));
  let h, drawn, announced;

  function tick() {
    if (!h) return;
    const frozen = stretch(h.freeze), stopped = Boolean(h.freeze.from);
    const open = h.open?.length || 0;
    writes.element.classList.toggle("stopped", stopped);
    say(writes.label, stopped ? "Writes are stopped" : "Writes");
    say(writes.value, stopped ? duration(Math.floor(frozen / 1000) * 1000) : "flow");
    const where = open === 0 ? "to the old side" : open >= drawn ? "to the new side" : `${open} of ${drawn} databases on the new side`;
    const total = frozen > 0 ? `; stopped for ${duration(frozen)} in all` : "";
    say(writes.more, stopped ? windowText(h) || "since they began to stop, for at least one database" : `${where}${total}`);
    const until = h.ended || now();
    say(time_.label, h.ended ? "Took" : "Since the start");
    say(time_.value, duration(Math.floor((until - h.began) / 1000) * 1000));
    say(left.value, h.ended ? "nothing" : !h.left.n && h.unknown ? "not known" : duration(h.left.e));
    if (stopped) document.title = `${duration(Math.floor(frozen / 1000) * 1000)} stopped · ${id}`;
    else document.title = `${marks[h.verdict.level]} ${h.phase} · ${id}`;
  }
  everySecond(tick);

  function update(s) {
    h = s.head.head;
    drawn = Object.keys(s.databases || {}).length;
    const news = `${h.id} is ${h.phase}. ${h.verdict.text}.`;
    if (announced && announced !== news) announce(news);
    announced = news;
    if (!same(title, h.id)) {
      say(title, h.id);
    }
    if (!same(about, h.zone, zoneName())) {
      const kind = kindName[h.kind] ?? h.kind;
      about.replaceChildren(`${h.production ? "Production" : "Not production"}${kind ? `, ${kind}` : ""}${h.leg ? `, leg ${h.leg}` : ""}. Began `, time(h.began), ` by ${h.who}.`,
        hasZone() ? ` Times are those of ${h.zone}.` : " Times are in UTC.", h.override ? ` Overridden: ${h.override}` : "");
    }
    banner.className = `verdict ${h.verdict.level}`;
    say(mark, marks[h.verdict.level]);
    say(phase, h.paused ? `${h.phase}, paused` : h.phase);
    say(text, h.verdict.text);
    say(trouble, h.trouble ? `Trouble: ${h.trouble}` : "");
    show(trouble, Boolean(h.trouble));
    const late = !h.left.n && h.unknown && !h.drift ? "nothing to compare with" : Math.abs(h.drift) < 1000 ? "as planned" : h.drift > 0 ? `${duration(h.drift)} later than planned` : `${duration(-h.drift)} earlier than planned`;
    if (!same(time_.more, late, h.ended)) time_.more.replaceChildren(h.ended ? "ended " : "", h.ended ? time(h.ended) : "", h.ended ? `, ${late}` : late);
    const minute = Math.floor(now() / 60000);
    if (!same(left.more, h.left, h.unknown, h.ended, minute)) {
      const unknown = h.unknown ? `${h.unknown} steps were never measured` : "";
      left.more.replaceChildren(...h.ended ? [] : h.left.n ? ["until ", time(now() + h.left.l), " to ", time(now() + h.left.h), unknown ? `; ${unknown}` : ""] : [unknown]);
    }
    say(driver.value, h.driver ? h.driver.who : "nobody");
    driver.element.classList.toggle("gone", !h.driver?.holds && !h.ended);
    if (!same(driver.more, h.driver, h.ended)) {
      driver.more.replaceChildren(...!h.driver ? ["nobody ever did"] : h.driver.holds ? ["since ", time(h.driver.since)] : [h.ended ? "has let go" : "has gone: its lease ran out"]);
    }
    drawWaits(s);
    drawFlow(s);
    tick();
  }

  function drawWaits(s) {
    const list = Object.entries(s.waits || {});
    say(waitsTitle, list.length ? `Waited for (${list.length})` : "Nobody is waited for");
    keyed(waits, list.map(([key]) => key), () => el("li", { class: "wait" }), (e, key) => {
      const w = s.waits[key], p = s.plan[w.step];
      if (same(e, w, p, h.turning)) return;
      e.replaceChildren(
        el("p", {}, el("strong", {}, w.for), ": ", w.what, w.step ? el("span", { class: "quiet" }, ` — ${w.step}`) : "", w.since ? [el("span", { class: "quiet" }, ", since "), time(w.since)] : ""),
        p?.kind === "manual" || p?.kind === "gate" ? el("p", { class: "do" }, s.steps[w.step]?.backward ? p.back || p.do || "" : p.do || p.title || "") : "",
        el("div", { class: "buttons" }, buttons((w.acts || []).filter((a) => a !== "skip" || s.steps[w.step]?.status !== "waiting"), id, w.step, h),
          w.command ? el("code", {}, w.command) : ""));
    });
  }

  function drawFlow(s) {
    const counts = Object.entries(h.counts).map(([status, n]) => `${n} ${status}`).join(", ");
    if (!same(flow, h.running, h.next, counts, h.ended)) {
      const running = named(s, h.running), next = named(s, h.next);
      flow.replaceChildren(
        el("dt", {}, "In work"), el("dd", {}, running || "nothing"),
        el("dt", {}, "Next"), el("dd", {}, next || (h.ended ? "nothing: it has ended" : "nothing until somebody decides")),
        el("dt", {}, "Steps"), el("dd", {}, counts));
    }
    const acts = (h.acts || []).filter((a) => a !== "forward" || h.phase === "asking");
    if (!same(turning, h.turning, acts)) {
      turning.replaceChildren(el("h2", {}, "Turning back now"), el("p", {}, capital(h.turning)), el("div", { class: "buttons" }, buttons([...acts, "note"], id, "", h)));
    }
  }
  return { element, update, name: "State" };
}

// named lists steps, those of one name together.
function named(s, ids) {
  const by = new Map();
  for (const step of ids || []) {
    const p = s.plan[step] || { name: step };
    if (!by.has(p.name)) by.set(p.name, { title: p.title, databases: [] });
    if (p.db) by.get(p.name).databases.push(p.db);
  }
  return [...by].map(([name, { title, databases }]) => {
    const rest = databases.length - 3;
    const of = rest > 1 ? `${databases.slice(0, 3).join(", ")} and ${rest} more` : databases.join(", ");
    return `${name}${of ? ` ${of}` : ""}${title ? ` (${title})` : ""}`;
  }).join("; ");
}

// windowText says how much of the window in which writes may be stopped is left.
function windowText(h) {
  if (!h.window_to) return "";
  const leftover = h.window_to - now();
  return leftover > 0 ? `${duration(Math.floor(leftover / 1000) * 1000)} of the window left` : `the window ended ${duration(Math.floor(-leftover / 1000) * 1000)} ago`;
}
