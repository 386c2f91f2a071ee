// The databases: where the application lives, how far the other side is behind, for how long writes were stopped, what was compared.
import { el, keyed, same, say, show } from "./dom.js";
import { duration, everySecond, now, stretch } from "./time.js";

const old = 15000; // from what age on a sign of life says little
const sides = { old: "old side", none: "writes stopped", new: "new side" };
const proofs = { all: "all rows compared", last: "all rows, and the last ones" };

const grouped = new Intl.NumberFormat("en-GB");
export const count = (n) => grouped.format(n);

export function bytes(n) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let i = 0;
  while (n >= 1024 && i < units.length - 1) {
    n /= 1024;
    i++;
  }
  return `${i === 0 || n >= 100 ? Math.round(n) : n.toFixed(1)} ${units[i]}`;
}

const columns = ["Database", "Application", "Lag", "Behind", "Rows/s", "Tables", "Writes stopped", "Compared", "Last sign"];

export function databasesPart() {
  const body = el("tbody"), summary = el("p", { class: "quiet" });
  const table = el("table", { class: "databases" }, el("thead", {}, el("tr", {}, columns.map((c) => el("th", { scope: "col" }, c)))), body);
  const element = el("section", { id: "databases", "aria-labelledby": "databases-title" }, el("h2", { id: "databases-title" }, "Databases"), summary, el("div", { class: "card flush" }, table));
  let s;
  const pulse = (name) => s.pulse?.[name] || {};

  function tick() {
    if (!s) return;
    const lagging = [];
    let stale = 0, most = null;
    const sideCount = { old: 0, none: 0, new: 0 };
    for (const [name, d] of Object.entries(s.databases || {})) {
      sideCount[d.side]++;
      const p = pulse(name);
      if (d.live && now() - p.at > old) stale++;
      if (p.lag !== undefined && d.live && (!most || p.lag > most[1])) most = [name, p.lag];
      if (s.head.head.max_lag && p.lag > s.head.head.max_lag) lagging.push(name);
    }
    const total = Object.keys(s.databases || {}).length;
    const parts = [`${total} ${total === 1 ? "database" : "databases"}`, ...Object.entries(sideCount).filter(([, n]) => n).map(([side, n]) => `${n} ${side === "none" ? "with writes stopped" : `on the ${sides[side]}`}`)];
    if (most) parts.push(`most behind: ${most[0]}, ${duration(most[1])}`);
    if (lagging.length) parts.push(`${lagging.length} more than the round allows`);
    if (stale) parts.push(`${stale} without a recent sign of life`);
    say(summary, `${parts.join("; ")}.`);
    summary.classList.toggle("warned", stale > 0 || lagging.length > 0);
    for (const row of body.children) if (row.tick) row.tick();
  }
  everySecond(tick);

  let ids = 0;
  function row(name) {
    const cell = columns.map((c, i) => (i === 0 ? null : el("td", { "data-label": c })));
    const inner = el("td", { colspan: columns.length, id: `tables-${++ids}` }), more = el("tr", { class: "tables" }, inner);
    more.hidden = true;
    const sub = el("span", { class: "quiet" }), trouble = el("span", { class: "warned" });
    const head = el("button", { type: "button", class: "link", "aria-expanded": "false", "aria-controls": inner.id, onclick: () => {
      const open = head.getAttribute("aria-expanded") !== "true";
      head.setAttribute("aria-expanded", String(open));
      show(more, open);
      if (open) tables(name, inner);
    } }, name);
    const e = el("tr", {}, el("th", { scope: "row" }, head, sub, trouble), cell.slice(1));
    Object.assign(e, { cell, sub, trouble, more, inner, head });
    e.tick = () => {
      const d = s.databases[name];
      if (!d) return;
      e.className = `side-${d.side}`;
      const p = pulse(name), late = Boolean(d.live && now() - p.at > old), limit = s.head.head.max_lag;
      say(cell[6], stretch(d.freeze) ? duration(Math.floor(stretch(d.freeze) / 100) * 100) + (d.freeze.from ? ", now" : "") : "—");
      const ago = duration(Math.max(0, Math.floor((now() - p.at) / 1000) * 1000));
      say(cell[8], !p.at ? "none yet" : late ? `! ${ago} old` : d.live ? "now" : `${ago} ago`);
      cell[8].classList.toggle("warned", late);
      cell[2].classList.toggle("warned", Boolean(limit && p.lag > limit));
    };
    return e;
  }

  function fill(e, name) {
    const d = s.databases[name], p = pulse(name);
    if (!same(e, d, p)) {
      say(e.sub, [d.group && `group ${d.group}`, d.status && d.status !== "done" ? `${d.step}: ${d.status}` : ""].filter(Boolean).join(", "));
      say(e.trouble, d.trouble ? `! ${d.trouble}` : "");
      say(e.cell[1], sides[d.side]);
      say(e.cell[2], p.lag === undefined ? "—" : duration(p.lag) + (s.head.head.max_lag && p.lag > s.head.head.max_lag ? " !" : ""));
      say(e.cell[3], p.behind === undefined ? "—" : bytes(p.behind));
      say(e.cell[4], p.rate === undefined ? "—" : count(p.rate));
      say(e.cell[5], d.tables ? `${count(d.done || 0)} of ${count(d.tables)}` : "—");
      e.cell[5].title = p.rows ? `${count(p.rows)} rows, ${bytes(p.bytes)}` : "";
      say(e.cell[7], d.figure === "differs" ? "! differs" : proofs[d.proof] || "not yet");
      e.cell[7].title = d.figure || "";
      e.cell[7].classList.toggle("warned", d.figure === "differs");
    }
    e.tick();
  }

  const most = 100; // tables drawn at once
  function tables(name, cell) {
    const prefix = `${name}/`, d = pulse(name);
    const all = Object.entries(s.tables || {}).filter(([key]) => key.startsWith(prefix)).map(([key, v]) => [key.slice(prefix.length), ...v]);
    let filter = cell.querySelector("input");
    if (!cell.list) {
      filter = el("input", { type: "search", "aria-label": `Find a table of ${name}`, placeholder: "Find a table", oninput: () => tables(name, cell) });
      cell.list = el("tbody");
      cell.note = el("p", { class: "quiet" });
      cell.replaceChildren(cell.note, all.length > 20 ? filter : "", el("table", { class: "inner" }, el("thead", {}, el("tr", {}, ["Table", "Rows", "Size", "Copied"].map((c) => el("th", { scope: "col" }, c)))), cell.list));
    }
    const wanted = (filter?.value || "").toLowerCase();
    const found = all.filter(([t]) => t.toLowerCase().includes(wanted)).sort((a, b) => a[3] - b[3] || (a[0] < b[0] ? -1 : 1));
    say(cell.note, all.length === 0 ? `${name} has said nothing of its tables.` : `${count(d.rows || 0)} rows, ${bytes(d.bytes || 0)}; position ${d.pos || "not known"}.${found.length > most ? ` ${count(found.length - most)} of ${count(found.length)} are not shown: find them by name.` : ""}`);
    keyed(cell.list, found.slice(0, most).map(([t]) => t), (t) => el("tr", {}, el("th", { scope: "row" }, t), el("td"), el("td"), el("td")), (e, t) => {
      const [, rows, size, done] = found.find((f) => f[0] === t);
      say(e.children[1], count(rows));
      say(e.children[2], bytes(size));
      say(e.children[3], done ? "✓ all" : "not yet");
    });
  }

  return {
    element, name: "Databases",
    update: (state, touched) => {
      s = state;
      const changed = [...touched.databases || [], ...touched.pulse || []];
      if (changed.length || touched.head) {
        const names = Object.entries(s.databases || {}).sort((a, b) => a[1].i - b[1].i).map(([name]) => name);
        if (changed.length) {
          keyed(body, names.flatMap((n) => [n, `${n}/`]), (key) => (key.endsWith("/") ? body.kept.get(key.slice(0, -1)).more : row(key)), (e, key) => {
            if (!key.endsWith("/")) fill(e, key);
          });
        }
        show(element, names.length > 0);
        tick();
      }
      if (touched.tables?.length || changed.length) {
        for (const e of body.children) if (e.more && !e.more.hidden) tables(e.head.textContent, e.inner);
      }
    },
  };
}
