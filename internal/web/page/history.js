// How rounds get faster: the curve, the rounds, and what their steps took.
import { el } from "./dom.js";
import { kindName } from "./round.js";
import { duration, time } from "./time.js";

const ms = (ns) => ns / 1e6;
const took = (ns) => (ns ? duration(ms(ns)) : "—");

export async function historyPage(main, refused) {
  document.title = "History · bascule";
  let answer, h;
  try {
    answer = await fetch("/api/history");
    h = await answer.json();
  } catch {
    return refused(0, { error: "The server cannot be reached." });
  }
  if (!answer.ok) return refused(answer.status, h);
  const parts = [el("h1", {}, "History"), el("p", { class: "about" }, "All rounds in their order, and what in them takes the time.")];
  if (!h.rounds.length) parts.push(el("p", { class: "card" }, "There is no round yet."));
  else {
    if (h.cost) parts.push(el("p", {}, `${Math.round(h.share * 100)} % of the monthly cost has moved.`));
    parts.push(el("div", { class: "card" }, el("img", { class: "curve", src: "/api/history.svg", alt: "Duration and write freeze of each round; the table below has the figures." })), rounds(h.rounds), steps(h));
    if (h.manual?.length) parts.push(el("p", {}, `Still done by people: ${h.manual.join(", ")}.`));
  }
  main.replaceChildren(...parts);
}

const scroll = (label, table) => el("div", { class: "card flush scroll", tabindex: 0, role: "region", "aria-label": label }, table);
const head = (names) => el("thead", {}, el("tr", {}, names.map((n) => el("th", { scope: "col" }, n))));

function rounds(all) {
  return scroll("Rounds", el("table", {}, head(["Round", "Began", "Took", "Writes stopped", "People waited for", "By people", "Automated", "Proofs", "Ended as"]),
    el("tbody", {}, all.map((r) => el("tr", {}, el("th", { scope: "row" }, el("a", { href: `/rounds/${encodeURIComponent(r.id)}` }, r.id), el("span", { class: "quiet" }, kindName[r.kind] || "")),
      el("td", {}, time(Date.parse(r.began), { zone: r.zone })), el("td", {}, took(r.duration_ns)), el("td", {}, took(r.freeze_ns)), el("td", {}, took(r.hands_ns)), el("td", {}, String(r.manual)), el("td", {}, String(r.automated)),
      el("td", {}, r.databases ? `${r.proofs} of ${r.databases}` : r.proofs || "—"), el("td", {}, r.broken ? `! ${r.broken}` : r.outcome))))));
}

function steps(h) {
  return el("section", {}, el("h2", {}, "Where the time goes"), el("p", { class: "quiet" }, "Each step, all databases together; the dearest of the newest round first."),
    scroll("Steps", el("table", {}, head(["Step", ...h.rounds.map((r) => r.id)]), el("tbody", {}, h.steps.map((s) => el("tr", {}, el("th", { scope: "row" }, s.name),
      s.took_ns.map((ns, i) => el("td", {}, s.kinds[i] ? took(ns) + (s.kinds[i] === "manual" ? ", by people" : "") : "—"))))))));
}
