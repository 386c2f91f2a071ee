// Which page it is, and what all pages share.
import { needsToken, readMe, signIn } from "./act.js";
import { el } from "./dom.js";
import { historyPage } from "./history.js";
import { listPage } from "./list.js";
import { roundPage } from "./round.js";
import { isUTC, setUTC } from "./time.js";

const main = document.getElementById("main");

// refused shows what the server does not show.
function refused(status, said) {
  const parts = [el("h1", {}, status === 404 ? "There is no such round" : status === 401 ? "Sign in" : status ? "Not for you" : "The rounds cannot be read"), el("p", {}, said.error)];
  if (said.hint) parts.push(el("p", { class: "quiet" }, said.hint));
  if (status === 401) parts.push(el("button", { type: "button", class: "main", onclick: signIn }, "Sign in"));
  else parts.push(el("p", {}, el("a", { href: "/" }, "All rounds")));
  main.replaceChildren(el("section", { class: "card" }, parts));
}

const who = document.getElementById("who");
const zoneButton = el("button", { type: "button", class: "small", "aria-pressed": "false", onclick: () => {
  setUTC(!isUTC());
  zoneButton.setAttribute("aria-pressed", String(isUTC()));
} }, "UTC");
zoneButton.title = "Show times in UTC";
who.before(zoneButton);

async function start() {
  try {
    await readMe();
  } catch {
    // the page itself says that the server cannot be reached
  }
  if (needsToken()) return refused(401, { error: "This server shows rounds to people with a token." });
  const round = location.pathname.match(/^\/rounds\/([^/]+)$/);
  if (round) roundPage(main, decodeURIComponent(round[1]), refused);
  else if (location.pathname === "/history") historyPage(main, refused);
  else listPage(main, refused);
}
start();
