// The steps over time: what was planned, what was, and which of them decide when the round ends.
import { buttons } from "./act.js";
import { el, keyed, same, say, show } from "./dom.js";
import { duration, everySecond, now, rough, stretch, time } from "./time.js";

export const signs = {
  waiting: "○", running: "▸", unsure: "?", done: "✓", failed: "✕", skipped: "»", undoing: "◂", closed: "◂", undone: "↺", stuck: "✕",
};
// What of many is worst comes first.
const worst = ["stuck", "failed", "unsure", "undoing", "closed", "running", "waiting", "undone", "skipped", "done"];
const going = new Set(["running", "undoing", "unsure"]);
const few = 3; // databases whose steps are shown without being asked for

export function ganttPart(id) {
  const list = el("ol", { class: "gantt" }), scale = el("div", { class: "scale", "aria-hidden": "true" });
  const zooms = [["all", "Whole round"], ["day", "Day"], ["hours", "6 hours"], ["hour", "Hour"]];
  let zoom = "all", s, rows = new Map(), from = 0, to = 1;
  const zoomBar = el("div", { class: "zoom", role: "group", "aria-label": "How much time is shown" }, zooms.map(([name, label]) => {
    const b = el("button", { type: "button", class: "small", "aria-pressed": String(name === zoom), onclick: () => {
      zoom = name;
      for (const other of zoomBar.children) other.setAttribute("aria-pressed", String(other === b));
      draw();
    } }, label);
    return b;
  }));
  const legend = el("p", { class: "legend" }, el("span", { class: "key plan" }), "planned ", el("span", { class: "key act" }), "was ", el("span", { class: "key run" }), "runs ", el("span", { class: "key next" }), "expected ", el("span", { class: "crit" }, "◆"), " decides when the round ends");
  const element = el("section", { id: "steps", "aria-labelledby": "steps-title" }, el("div", { class: "bar" }, el("h2", { id: "steps-title" }, "Steps"), zoomBar), legend, el("div", { class: "card flush" }, scale, list));

  // span says over which time the bars are drawn.
  function span() {
    const h = s.head.head;
    let last = (h.ended || now()) - h.began;
    for (const t of Object.values(s.times)) last = Math.max(last, t[1], t[3]);
    const at = (h.ended || now()) - h.began;
    const length = { all: last, day: 864e5, hours: 216e5, hour: 36e5 }[zoom];
    from = zoom === "all" || length >= last ? 0 : Math.max(0, Math.min(at - length / 2, last - length));
    to = Math.max(from + Math.min(length, Math.max(last, 1000)), from + 1000);
  }

  const percent = (ms) => ((ms - from) / (to - from)) * 100;

  function place(e, a, b) {
    const left = Math.max(0, percent(a)), right = Math.min(100, percent(b));
    show(e, right >= 0 && left <= 100 && right >= left);
    e.style.left = `${Math.min(left, 99.4).toFixed(2)}%`;
    e.style.width = `${Math.max(right - left, 0.6).toFixed(2)}%`;
  }

  // groups has the rows: a step, or the steps of many databases that share a name.
  function groups() {
    const out = new Map();
    for (const [step, p] of Object.entries(s.plan).sort((a, b) => a[1].i - b[1].i)) {
      const key = p.db ? p.name : step;
      if (!out.has(key)) out.set(key, []);
      out.get(key).push(step);
    }
    const flat = [];
    for (const [key, steps] of out) {
      if (steps.length <= few) for (const step of steps) flat.push([step, [step]]);
      else flat.push([`${key} of ${steps.length}`, steps]);
    }
    return flat;
  }

  function draw(touched) {
    if (!s) return;
    span();
    drawScale();
    if (!touched || touched.plan?.length) rows = new Map(groups());
    keyed(list, [...rows.keys()], (key) => row(key), (e, key) => fill(e, rows.get(key)));
  }

  function drawScale() {
    const h = s.head.head, at = now() - h.began;
    if (same(scale, from, Math.round((to - from) / 1000), h.ended, Math.round(percent(at) * 10))) return;
    scale.replaceChildren(...[0, 0.25, 0.5, 0.75, 1].map((f) => {
      const t = time(h.began + from + f * (to - from), { dated: true });
      t.style.left = `${f * 100}%`;
      t.className = f === 0 ? "first" : f === 1 ? "last" : "";
      return t;
    }));
    list.style.setProperty("--now", h.ended || percent(at) > 100 || percent(at) < 0 ? "-100%" : `${percent(at).toFixed(2)}%`);
  }

  let ids = 0;
  function row(key) {
    const more = el("div", { class: "details", id: `step-${++ids}` });
    const bits = {
      more, sign: el("span", { class: "sign", "aria-hidden": "true" }), status: el("span", { class: "status" }), name: el("span", { class: "name" }),
      crit: el("span", { class: "crit" }), took: el("span", { class: "took" }), plan: el("i", { class: "plan" }), act: el("i", { class: "act" }),
    };
    const head = el("button", { type: "button", class: "row", "aria-expanded": "false", "aria-controls": more.id, onclick: () => {
      const open = head.getAttribute("aria-expanded") !== "true";
      head.setAttribute("aria-expanded", String(open));
      show(more, open);
      if (open) details(e, rows.get(key) || [key]);
    } }, el("span", { class: "what" }, bits.sign, bits.name, bits.crit), el("span", { class: "say" }, bits.status, bits.took),
      el("span", { class: "track", "aria-hidden": "true" }, bits.plan, bits.act));
    more.hidden = true;
    const e = el("li", {}, head, more);
    Object.assign(e, { bits, head, key });
    return e;
  }

  // sum makes one of many steps.
  function sum(steps) {
    const all = steps.map((step) => ({ ...s.steps[step], t: s.times[step] }));
    const status = worst.find((w) => all.some((a) => a.status === w)) || "waiting";
    const began = all.map((a) => a.began).filter(Boolean), ended = all.map((a) => a.ended || 0);
    const done = all.filter((a) => a.status === "done" || a.status === "skipped").length;
    return {
      status, done, all, runs: all.some((a) => going.has(a.status)), critical: all.some((a) => a.critical),
      began: began.length ? Math.min(...began) : 0, ended: Math.max(...ended),
      planStart: Math.min(...all.map((a) => a.t[0])), planEnd: Math.max(...all.map((a) => a.t[1])),
      start: Math.min(...all.map((a) => a.t[2])), end: Math.max(...all.map((a) => a.t[3])),
    };
  }

  function fill(e, steps) {
    const v = sum(steps), many = steps.length > 1, p = e.bits, began = s.head.head.began;
    e.className = v.status;
    say(p.sign, signs[v.status]);
    say(p.name, many ? s.plan[steps[0]].name : steps[0]);
    say(p.status, many ? `${v.done} of ${steps.length}${v.status === "done" || v.status === "waiting" ? "" : `, ${v.all.filter((a) => a.status === v.status).length} ${v.status}`}` : v.status + (v.all[0].backward && v.status === "stuck" ? " undo" : ""));
    say(p.crit, v.critical ? "◆" : "");
    p.crit.title = v.critical ? "decides when the round ends" : "";
    if (v.critical !== e.critical) {
      e.critical = v.critical;
      e.head.setAttribute("aria-description", v.critical ? "decides when the round ends" : "");
    }
    e.classList.toggle("critical", v.critical);
    place(p.plan, v.planStart, v.planEnd);
    e.live = v;
    move(e, began);
    if (e.head.getAttribute("aria-expanded") === "true") details(e, steps);
  }

  // move is what changes by itself.
  function move(e, began) {
    const v = e.live, p = e.bits;
    if (v.began) {
      const until = v.runs ? now() : v.ended || v.began;
      place(p.act, v.began - began, until - began);
      const took = v.all.length === 1 ? stretch(v.all[0].took) : until - v.began;
      const planned = v.planEnd - v.planStart, by = took - planned;
      const over = !v.runs && v.all.every((a) => a.ended);
      const drift = planned > 0 && (over || by > 0) && Math.abs(by) >= Math.max(1000, planned / 20) ? ` (${by > 0 ? "+" : "−"}${duration(Math.abs(by))})` : "";
      say(p.took, (v.runs ? "for " : "") + duration(took) + drift);
    } else {
      const known = v.status === "waiting" && v.end > v.start;
      if (known) place(p.act, v.start, v.end);
      else show(p.act, false);
      say(p.took, known ? `about ${duration(v.end - v.start)}` : "");
    }
    p.act.classList.toggle("next", !v.began);
  }

  function details(e, steps) {
    if (steps.length > 1) {
      const inner = e.bits.more.firstElementChild || el("ol", { class: "gantt inner" });
      if (!inner.isConnected) e.bits.more.replaceChildren(inner);
      keyed(inner, steps, (step) => row(step), (child, step) => {
        fill(child, [step]);
        child.bits.name.textContent = s.plan[step].db || step;
      });
      return;
    }
    const [step] = steps, p = s.plan[step], st = s.steps[step], t = s.times[step], h = s.head.head;
    if (same(e.bits.more, p, st, t, h.began)) return;
    const facts = [];
    const fact = (name, ...value) => {
      if (value.some((v) => v)) facts.push(el("dt", {}, name), el("dd", {}, ...value));
    };
    fact("What", p.title);
    fact("How", p.do && el("span", { class: "do" }, p.do));
    fact("Looked at by", p.check && el("code", {}, p.check));
    fact("Undone by", p.back ? el("span", { class: "do" }, p.back) : p.undo === "impossible" ? "nothing: it cannot be undone" : "");
    fact("Kind", p.kind + (p.role ? `, ${p.role}` : "") + (p.unrehearsed ? ", left out in a rehearsal" : ""));
    fact("Owner", p.owner && (p.backup ? `${p.owner}, else ${p.backup}` : p.owner));
    fact("Needs", p.needs?.join(", "));
    fact("Go", p.quorum && `${st.votes?.length || 0} of ${p.quorum}${st.votes?.length ? `: ${st.votes.join(", ")}` : ""}${st.measured ? "; its criteria hold" : "; its criteria are not known to hold"}${p.approvers ? `; asked are ${p.approvers.join(", ")}` : ""}`);
    fact("Expected", rough(p.expected) || "never measured");
    fact("Planned", t[1] > t[0] && [time(h.began + t[0]), " to ", time(h.began + t[1])]);
    fact("Was", st.began && [time(st.began, { seconds: true }), " to ", st.ended ? time(st.ended, { seconds: true }) : "now", st.attempts > 1 ? `, attempt ${st.attempts}` : ""]);
    fact("Waited for people", st.waited && duration(st.waited));
    fact("Why", st.reason);
    fact("Evidence", st.evidence && el("span", { class: "do" }, st.evidence));
    const focused = e.bits.more.contains(document.activeElement) ? document.activeElement.dataset.act : "";
    e.bits.more.replaceChildren(el("dl", { class: "facts" }, facts), el("div", { class: "buttons" }, buttons([...(st.acts || []), "note"], id, step, h)));
    if (focused) e.bits.more.querySelector(`[data-act="${focused}"]`)?.focus();
  }

  everySecond(() => {
    if (!s || s.head.head.ended) return;
    span();
    drawScale();
    const again = Math.round(to / 1000) !== element.until;
    element.until = Math.round(to / 1000);
    const each = (ol) => {
      for (const e of ol.children) {
        if (again) place(e.bits.plan, e.live.planStart, e.live.planEnd);
        if (e.live.runs || again) move(e, s.head.head.began);
        if (e.head.getAttribute("aria-expanded") === "true" && e.bits.more.firstElementChild?.tagName === "OL") each(e.bits.more.firstElementChild);
      }
    };
    each(list);
  });

  return {
    element, name: "Steps",
    update: (state, touched) => {
      s = state;
      if (touched.plan || touched.steps || touched.times || touched.head) draw(touched);
    },
  };
}
