// What people noted, and what happened: the journal.
import { buttons, signedIn } from "./act.js";
import { el, keyed, same, say, show } from "./dom.js";
import { day, time, zoneName } from "./time.js";

const words = {
  started: "began", done: "is done", failed: "failed", lost: "was in work when its driver died", absent: "was looked at: it is not done", go: "has a go", "no go": "has a no go",
  skipped: "was left out", retried: "is to be tried again", "undo started": "is being undone", "closed back": "its new side is closed again", undone: "is undone",
  "undo failed": "could not be undone", slipped: "is not known to be closed any more", breached: "A limit was passed", paused: "The round is paused", resumed: "The round goes on", aborted: "The round is to be undone",
  forward: "The round goes forward", fallback: "The round falls back", noted: "A note",
};

function sentence(v) {
  const what = words[v.what] || v.what;
  if (!v.step) return what;
  return v.what === "noted" ? `A note on ${v.step}` : `${v.step} ${what}`;
}

function entry(v) {
  return el("li", { class: `entry ${v.kind || ""}` }, time(v.at, { seconds: true, dated: false }), el("div", {},
    el("p", {}, v.kind ? el("span", { class: "kind" }, v.kind) : "", el("span", {}, sentence(v)), v.who ? el("span", { class: "by" }, ` — ${v.who}`) : ""),
    v.reason ? el("p", { class: "said" }, v.reason) : "",
    v.evidence ? el("p", { class: "said evidence" }, v.evidence.length > 300 ? `${v.evidence.slice(0, 300)}…` : v.evidence) : "",
    v.owner ? el("p", { class: "quiet" }, `Owner: ${v.owner}`) : ""));
}

export function notesPart(id) {
  const list = el("ul", { class: "entries" }), none = el("p", { class: "quiet" }, "Nobody has noted anything. What is noted here is asked again before the next round.");
  const write = el("div", { class: "buttons" }), found = el("dl", {});
  const element = el("section", { id: "notes", "aria-labelledby": "notes-title" }, el("h2", { id: "notes-title" }, "Findings and lessons"), el("div", { class: "card" }, none, list, found, write));
  return {
    element, name: "Findings",
    update: (s, touched) => {
      if (!write.firstChild && signedIn()) write.replaceChildren(...buttons(["note"], id, "", s.head.head));
      const losses = Object.entries(s.losses || {}).sort();
      if (!same(found, losses)) found.replaceChildren(...losses.flatMap(([db, texts]) => [el("dt", {}, `Found in ${db}`), el("dd", {}, texts.slice(0, 50).join("; "), texts.length > 50 ? `; and ${texts.length - 50} more` : "")]));
      if (list.zone === zoneName() && !touched.findings) return;
      list.zone = zoneName();
      const keys = Object.keys(s.findings || {}).sort((a, b) => b - a);
      show(none, keys.length === 0);
      keyed(list, keys, (key) => entry(s.findings[key]), () => {});
    },
  };
}

export function timelinePart(id) {
  const list = el("ol", { class: "entries" }), older = el("button", { type: "button", onclick: more }, "Show older entries");
  const people = el("input", { type: "checkbox", id: "people", onchange: () => draw() });
  const chain = el("p", { class: "quiet chain" });
  const element = el("section", { id: "timeline", "aria-labelledby": "timeline-title" },
    el("div", { class: "bar" }, el("h2", { id: "timeline-title" }, "What happened"), el("span", {}, people, " ", el("label", { for: "people" }, "only what people said"))), el("div", { class: "card" }, list, older, chain));
  const all = new Map();
  let head, most = 40;

  const said = new Set(["go", "no go", "skipped", "retried", "paused", "resumed", "aborted", "forward", "fallback", "noted"]);

  function draw() {
    const keys = [];
    let last = "";
    let n = 0;
    for (const seq of [...all.keys()].sort((a, b) => b - a)) {
      const v = all.get(seq);
      if (people.checked && !said.has(v.what) && !(v.evidence && v.who)) continue;
      if (++n > most) break;
      const d = day(v.at);
      if (d !== last) keys.push(`day ${d}`);
      last = d;
      keys.push(String(seq));
    }
    keyed(list, keys, (key) => (key.startsWith("day ") ? el("li", { class: "day" }, key.slice(4)) : entry(all.get(Number(key)))), () => {});
    show(older, n > most || (all.size > 0 && Math.min(...all.keys()) > 1));
    say(chain, head?.chain ? `${head.seq} entries; the chain ends in ${head.chain.slice(0, 16)}.` : "The journal is empty.");
  }

  async function more() {
    most += 100;
    if (all.size >= most || Math.min(...all.keys()) === 1) return draw();
    older.disabled = true;
    try {
      const answer = await fetch(`/api/rounds/${encodeURIComponent(id)}/entries?before=${Math.min(...all.keys())}`);
      if (answer.ok) for (const [seq, v] of Object.entries((await answer.json()).sections.entries || {})) all.set(Number(seq), v);
    } finally {
      older.disabled = false;
      draw();
    }
  }

  return {
    element, name: "Journal",
    update: (s, touched) => {
      head = s.head.head;
      if (list.zone === zoneName() && !touched.entries) return;
      list.zone = zoneName();
      for (const [seq, v] of Object.entries(s.entries || {})) all.set(Number(seq), v);
      draw();
    },
  };
}
