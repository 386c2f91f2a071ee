// The state of what is shown: read once, then kept by what the server says changed.
import { say } from "./dom.js";
import { duration, everySecond, setClock } from "./time.js";

const silence = 20000; // the server speaks every 15 s at least

export class Live {
  // path is below /api/; changed gets the state and the sections that changed; refused gets an answer that is none.
  constructor(path, changed, refused) {
    Object.assign(this, { path, changed, refused, sections: {}, heard: performance.now(), wait: 1000 });
    everySecond(() => this.look());
  }

  async load() {
    clearTimeout(this.again);
    this.source?.close();
    try {
      const answer = await fetch(`/api/${this.path}`);
      if (!answer.ok) {
        if (answer.status < 500) return this.refused(answer.status, await answer.json());
        throw new Error((await answer.json()).error);
      }
      const all = await answer.json();
      this.sections = {};
      this.take(all);
      this.wait = 1000;
      this.follow(all.id);
    } catch (e) {
      if (!(e instanceof TypeError && /fetch/i.test(e.message))) console.error(e); // an unreachable server is no mistake of the page
      this.why = e.message;
      if (!this.sections.head && !this.sections.rounds) this.refused(0, { error: e.message, hint: "This page tries again by itself." });
      this.again = setTimeout(() => this.load(), this.wait);
      this.wait = Math.min(this.wait * 2, 10000);
      this.look(true);
    }
  }

  follow(id) {
    const [path, query] = this.path === "rounds" ? ["events", ""] : [`${this.path}/events`, ""];
    const source = new EventSource(`/api/${path}?after=${encodeURIComponent(id)}${query}`);
    this.source = source;
    source.onmessage = (e) => this.take(JSON.parse(e.data));
    source.addEventListener("beat", (e) => this.take(JSON.parse(e.data)));
    source.addEventListener("reset", () => this.load());
    source.onopen = () => this.look();
    source.onerror = () => {
      this.lost = true;
      this.look();
      if (source.readyState === EventSource.CLOSED) this.again = setTimeout(() => this.load(), this.wait);
    };
  }

  take(message) {
    setClock(message.now);
    this.heard = performance.now();
    this.lost = false;
    this.why = "";
    const touched = {};
    for (const [section, keys] of Object.entries(message.sections || {})) {
      const mine = this.sections[section] || (this.sections[section] = {});
      touched[section] = Object.keys(keys || {});
      for (const [key, value] of Object.entries(keys || {})) {
        if (value === null) delete mine[key];
        else mine[key] = value;
      }
    }
    this.changed(this.sections, touched);
    this.look();
  }

  // look says so when what is shown may be old. A page that stands still and looks alive would be worse than none.
  look(failed) {
    const e = document.getElementById("connection"), quiet = performance.now() - this.heard;
    const trouble = this.sections.store?.trouble;
    let text = "";
    if (trouble) text = `The server cannot read the rounds, so this may be old: ${trouble.error}`;
    else if (this.lost || failed || this.why || quiet > silence) {
      text = quiet < 3000 && !this.why ? "" : `No news for ${duration(quiet)}: what you see may be old. ${this.lost || !this.why ? "Trying to reach the server." : this.why}`;
    }
    say(e, text);
    document.documentElement.classList.toggle("old", text !== "");
  }
}
