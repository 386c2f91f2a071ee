// All environments, and their rounds.
import { announce, el, keyed, same, say } from "./dom.js";
import { Live } from "./live.js";
import { kindName, marks } from "./round.js";
import { duration, everySecond, now, stretch, time } from "./time.js";

export function listPage(main, refused) {
  const title = el("h1", {}, "Rounds"), groups = el("div"), summary = el("p", { class: "about" });
  let s, told = {};

  function draw() {
    const by = new Map(Object.entries(s.environments || {}).sort((a, b) => a[1].i - b[1].i).map(([name]) => [name, []]));
    for (const [id, r] of Object.entries(s.rounds || {}).sort((a, b) => b[1].began - a[1].began)) {
      if (!by.has(r.env)) by.set(r.env, []);
      by.get(r.env).push(id);
    }
    keyed(groups, [...by.keys()], environment, (e, name) => {
      const env = s.environments?.[name], ids = by.get(name);
      say(e.about, [env?.production ? "production" : "", env?.databases ? `${env.databases} ${env.databases === 1 ? "database" : "databases"}` : "", env?.zone || "", ids.length ? "" : "no round yet"].filter(Boolean).join(", "));
      keyed(e.list, ids, card, fill);
    });
    const all = Object.values(s.rounds || {}), going = all.filter((r) => !r.ended), stopped = going.filter((r) => r.freeze.from);
    const answers = going.reduce((n, r) => n + (r.waits?.length || 0), 0);
    say(summary, all.length === 0 ? "There is no round yet: bascule round plan ENVIRONMENT says what one would be." : `${going.length} under way, ${answers === 1 ? "1 answer" : `${answers} answers`} waited for, writes stopped in ${stopped.length}.`);
    document.title = stopped.length ? "Writes are stopped · bascule" : "Rounds · bascule";
  }

  function environment(name) {
    const about = el("span", { class: "quiet" }), list = el("ul", { class: "rounds" });
    const e = el("section", { "aria-label": name }, el("h2", {}, name, " ", about), list);
    return Object.assign(e, { about, list });
  }

  function card(id) {
    const mark = el("span", { class: "mark", "aria-hidden": "true" }), link = el("a", { href: `/rounds/${encodeURIComponent(id)}` }, id);
    const text = el("span", { class: "text" }), phase = el("span", { class: "phase" }), facts = el("p", { class: "facts-line" }), waits = el("ul", { class: "mini" });
    const e = el("li", { class: "card round" }, el("p", { class: "verdict" }, mark, el("span", {}, link, phase, text)), facts, waits);
    return Object.assign(e, { mark, text, phase, facts, waits, banner: e.firstElementChild });
  }

  function fill(e, id) {
    const r = s.rounds[id];
    e.banner.className = `verdict ${r.verdict.level}`;
    say(e.mark, marks[r.verdict.level]);
    say(e.phase, `${kindName[r.kind] ? `${kindName[r.kind]}, ` : ""}${r.phase}`);
    say(e.text, r.verdict.text);
    if (!same(e.waits, r.waits)) e.waits.replaceChildren(...(r.waits || []).slice(0, 4).map((w) => el("li", {}, el("strong", {}, w.for), `: ${w.what}`, w.step ? ` (${w.step})` : "", w.since ? [", since ", time(w.since, { zone: r.zone })] : "")));
    e.round = r;
    tickOne(e);
    if (told[id] && told[id] !== r.phase) announce(`${id} is ${r.phase}`);
    told[id] = r.phase;
  }

  function tickOne(e) {
    const r = e.round, frozen = stretch(r.freeze);
    const began = same(e.facts, r.began) ? e.facts.firstElementChild : time(r.began, { zone: r.zone });
    const rest = [
      `${r.ended ? "took" : "for"} ${duration(Math.floor(((r.ended || now()) - r.began) / 1000) * 1000)}`,
      Math.abs(r.drift) >= 1000 ? `${duration(Math.abs(r.drift))} ${r.drift > 0 ? "late" : "early"}` : "",
      `${r.done} of ${r.steps} steps`, r.open ? `${r.open} of ${r.databases} databases on the new side` : "",
    ].filter(Boolean).join(", ");
    const freeze = frozen ? (r.freeze.from ? `writes stopped for ${duration(Math.floor(frozen / 1000) * 1000)}` : `writes were stopped for ${duration(frozen)}`) : "";
    const text = `${rest}${freeze && !r.freeze.from ? `, ${freeze}` : ""}`;
    if (e.said === text + freeze) return;
    e.said = text + freeze;
    e.facts.replaceChildren(began, `, ${text}`, r.freeze.from ? el("strong", { class: "stopped" }, ` ${freeze}`) : "");
  }
  everySecond(() => {
    for (const g of groups.children) for (const e of g.list.children) if (e.round && !e.round.ended) tickOne(e);
  });

  let drawn = false;
  new Live("rounds", (state) => {
    s = state;
    if (!drawn) main.replaceChildren(title, summary, groups);
    drawn = true;
    draw();
  }, refused).load();
}
