// How rounds get faster: each as a bar, and what its steps took.
import { el, svg } from "./dom.js";
import { duration, time } from "./time.js";

export async function historyPage(main, refused) {
  document.title = "History · bascule";
  let answer;
  try {
    answer = await fetch("/api/history");
  } catch {
    return refused(0, { error: "The server cannot be reached." });
  }
  const all = await answer.json();
  if (!answer.ok) return refused(answer.status, all);
  const rounds = all.rounds || [];
  const parts = [el("h1", {}, "History"), el("p", { class: "about" }, "The rounds that moved something, in their order: how long each took, and for how long it stopped writes.")];
  if (!rounds.length) parts.push(el("p", { class: "card" }, "No round has ended yet."));
  else parts.push(el("div", { class: "card" }, curve(rounds)), el("div", { class: "card flush scroll", tabindex: 0, role: "region", "aria-label": "Rounds as a table" }, table(rounds)), steps(rounds));
  main.replaceChildren(...parts);
}

// curve draws the durations on a logarithmic scale: from days to minutes.
function curve(rounds) {
  const w = 720, h = 260, left = 76, bottom = 40, top = 14;
  const values = rounds.flatMap((r) => [r.took, r.freeze]).filter((v) => v > 0);
  const low = Math.log(Math.max(1000, Math.min(...values) / 1.5)), high = Math.log(Math.max(...values, 60000) * 1.5);
  const y = (v) => top + (h - top - bottom) * (1 - (Math.log(Math.max(v, 1000)) - low) / (high - low));
  const x = (i) => left + ((w - left - 20) * (i + 0.5)) / rounds.length;
  const drawing = svg("svg", { viewBox: `0 0 ${w} ${h}`, class: "curve", role: "img", "aria-label": rounds.map((r) => `${r.id} took ${duration(r.took)}`).join("; ") });
  for (const t of [1e3, 1e4, 6e4, 6e5, 36e5, 216e5, 864e5, 6048e5].filter((v) => Math.log(v) >= low && Math.log(v) <= high)) {
    drawing.append(svg("line", { x1: left, x2: w - 10, y1: y(t), y2: y(t), class: "grid" }), svg("text", { x: left - 8, y: y(t) + 4, class: "tick" }, duration(t)));
  }
  for (const [key, mark] of [["took", "circle"], ["freeze", "rect"]]) {
    const points = rounds.map((r, i) => [x(i), y(r[key]), r[key]]).filter((p) => p[2] > 0);
    drawing.append(svg("polyline", { points: points.map(([a, b]) => `${a},${b}`).join(" "), class: `line ${key}` }));
    for (const [a, b, v] of points) {
      const dot = mark === "circle" ? svg("circle", { cx: a, cy: b, r: 5, class: key }) : svg("rect", { x: a - 4.5, y: b - 4.5, width: 9, height: 9, class: key });
      drawing.append(dot, svg("text", { x: a, y: b - 10, class: "point" }, duration(v)));
    }
  }
  rounds.forEach((r, i) => drawing.append(svg("text", { x: x(i), y: h - 12, class: "name" }, r.id)));
  return el("div", {}, drawing, el("p", { class: "legend" }, el("span", { class: "key dot" }), "the round ", el("span", { class: "key square" }), "writes stopped; the scale is logarithmic"));
}

function table(rounds) {
  return el("table", {}, el("thead", {}, el("tr", {}, ["Round", "Began", "Took", "Writes stopped", "Steps", "By hand", "People waited for", "Ended as"].map((c) => el("th", { scope: "col" }, c)))),
    el("tbody", {}, rounds.map((r) => el("tr", {}, el("th", { scope: "row" }, el("a", { href: `/rounds/${encodeURIComponent(r.id)}` }, r.id)), el("td", {}, time(r.began)), el("td", {}, duration(r.took)),
      el("td", {}, r.freeze ? duration(r.freeze) : "—"), el("td", {}, String(r.steps)), el("td", {}, String(r.manual)), el("td", {}, duration(r.waited)), el("td", {}, r.phase)))));
}

function steps(rounds) {
  const names = [...new Set(rounds.flatMap((r) => Object.keys(r.each)))];
  const last = rounds[rounds.length - 1];
  names.sort((a, b) => (last.each[b]?.took || 0) - (last.each[a]?.took || 0));
  return el("section", {}, el("h2", {}, "Where the time goes"), el("p", { class: "quiet" }, "Per step, all databases together; the dearest of the last round first. What a person does by hand is marked."),
    el("div", { class: "card flush scroll", tabindex: 0, role: "region", "aria-label": "Steps over rounds" }, el("table", {}, el("thead", {}, el("tr", {}, el("th", { scope: "col" }, "Step"), rounds.map((r) => el("th", { scope: "col" }, r.id)))),
      el("tbody", {}, names.map((n) => el("tr", {}, el("th", { scope: "row" }, n), rounds.map((r) => el("td", {}, r.each[n] ? duration(r.each[n].took) + (r.each[n].manual ? " by hand" : "") : "—"))))))));
}
