// What people say: a dialog that says what will happen, and one request.
import { announce, el } from "./dom.js";
import { capital } from "./time.js";

let me = { roles: [] };

export async function readMe() {
  me = await (await fetch("/api/me")).json();
  drawWho();
  return me;
}

export const signedIn = () => Boolean(me.name) && !me.readonly;
export const needsToken = () => me.needed;

async function post(path, body) {
  const answer = await fetch(path, {
    method: "POST", headers: { "Content-Type": "application/json", "X-Bascule": "1" }, body: JSON.stringify(body),
  });
  if (answer.ok) return answer.status === 204 ? null : answer.json();
  const said = await answer.json().catch(() => ({ error: `the server answered ${answer.status}` }));
  throw new Error(said.hint ? `${said.error}. ${capital(said.hint)}.` : said.error);
}

// ask shows a dialog with fields and does what is wanted with them; an error stays in the dialog.
function ask({ title, text, fields, button, danger, send }) {
  const problem = el("p", { class: "problem", role: "alert" });
  const inputs = {};
  const rows = fields.map((f) => {
    const id = `ask-${f.name}`;
    let input;
    if (f.choices) input = el("select", { id }, f.choices.map(([value, label]) => el("option", { value }, label)));
    else if (f.secret) input = el("input", { id, type: "password", autocomplete: "current-password", required: true });
    else if (f.line) input = el("input", { id, type: "text", autocomplete: "off", required: f.required });
    else input = el("textarea", { id, rows: 3, required: f.required, maxlength: 8000 });
    inputs[f.name] = input;
    return el("div", { class: "field" }, el("label", { for: id }, f.label), input);
  });
  const go = el("button", { type: "submit", class: danger ? "danger" : "main" }, button);
  const form = el("form", { method: "dialog" }, el("h2", { id: "ask-title" }, title), text ? el("p", { class: "explain" }, text) : null, rows, problem,
    el("div", { class: "buttons" }, go, el("button", { type: "button", onclick: () => dialog.close() }, "Cancel")));
  const dialog = el("dialog", { "aria-labelledby": "ask-title" }, form);
  form.addEventListener("submit", async (e) => {
    e.preventDefault();
    if (go.disabled) return;
    go.disabled = true;
    problem.textContent = "";
    try {
      await send(Object.fromEntries(Object.entries(inputs).map(([name, input]) => [name, input.value.trim()])));
      dialog.close();
    } catch (err) {
      problem.textContent = err.message;
    }
    go.disabled = false;
  });
  const before = document.activeElement;
  dialog.addEventListener("close", () => {
    dialog.remove();
    if (before?.isConnected) before.focus();
    else document.getElementById("main").focus();
  });
  document.body.append(dialog);
  dialog.showModal();
}

const reason = (label, required = true) => ({ name: "reason", label, required });

// Of each action: its button, the role that it needs, and what its dialog asks for.
const acts = {
  approve: { label: "Say go", role: "approve", fields: [reason("Remark (may stay empty)", false)], text: "Your go is written into the journal with your name." },
  decline: { label: "Say no go", role: "approve", danger: true, fields: [reason("Why not?")], text: "The gate fails. Nothing behind it starts." },
  done: { label: "It is done", role: "operate", fields: [{ name: "evidence", label: "Evidence: how is it seen?", required: true }], text: "The round goes on from here." },
  retry: { label: "Try again", role: "operate", fields: [reason("Remark (may stay empty)", false)], text: "It starts once more." },
  skip: { label: "Leave out", role: "operate", danger: true, fields: [reason("Why is it left out?")], text: "The round goes on as if it were done. Nobody will do it later." },
  note: {
    label: "Write a note", role: "view",
    fields: [{ name: "kind", label: "What is it?", choices: [["", "A remark"], ["problem", "A problem"], ["opportunity", "An opportunity"], ["question", "A question"]] },
      reason("Text"), { name: "owner", label: "Whose is it? (may stay empty)", line: true }],
  },
  pause: { label: "Pause", role: "operate", fields: [reason("Why? (may stay empty)", false)], text: "Nothing new starts. What runs goes on to its end." },
  resume: { label: "Resume", role: "operate", fields: [reason("Remark (may stay empty)", false)], text: "The next steps start." },
  abort: { label: "Abort the round", role: "operate", danger: true, fields: [reason("Why?")], turning: true },
  forward: { label: "Go forward", role: "operate", danger: true, fields: [reason("Why forward?")], text: "The round goes on with its trouble behind it." },
  fallback: { label: "Fall back", role: "operate", danger: true, fields: [reason("Why back?")], turning: true },
};

// mayAct says whether who looks may do something, and if not, why not.
export function mayAct(name) {
  if (me.readonly) return "This dashboard only shows.";
  if (!me.name) return "sign in";
  if (!me.roles.includes(acts[name].role)) return `Needs the role ${acts[name].role}.`;
  return "";
}

// buttons makes a button for each action that who looks may do; or one to sign in; or says which role it takes.
export function buttons(names, round, step, context) {
  const out = [], missing = new Set();
  for (const name of names) {
    const why = mayAct(name);
    if (!why) out.push(button(name, round, step, context));
    else missing.add(why);
  }
  if (missing.has("sign in")) out.push(el("button", { type: "button", onclick: signIn }, "Sign in to answer"));
  else if (!out.length) for (const why of missing) out.push(el("span", { class: "quiet" }, why));
  return out;
}

function button(name, round, step, context) {
  const a = acts[name];
  const main = name === "approve" || name === "done" || name === "resume";
  return el("button", {
    type: "button", class: a.danger ? "danger" : main ? "main" : "", "data-act": name,
    onclick: () => ask({
      title: step ? `${a.label}: ${step}` : a.label, text: a.turning ? capital(context?.turning || "") : a.text, fields: a.fields, button: a.label, danger: a.danger,
      send: async (values) => {
        await post(`/api/rounds/${encodeURIComponent(round)}/${name}`, step ? { step, ...values } : values);
        announce(`${a.label}: written into the journal`);
      },
    }),
  }, a.label);
}

export function signIn() {
  ask({
    title: "Sign in", text: "With the token that bascule token add printed for you. The browser keeps you signed in for 12 hours.",
    fields: [{ name: "token", label: "Token", secret: true }], button: "Sign in",
    send: async (values) => {
      await post("/api/login", values);
      location.reload();
    },
  });
}

function drawWho() {
  const e = document.getElementById("who");
  const out = async () => {
    await post("/api/logout", {});
    location.reload();
  };
  if (me.name) e.replaceChildren(el("span", {}, `${me.name} (${me.roles.join(", ") || "no role"})`), el("button", { type: "button", class: "small", onclick: out }, "Sign out"));
  else e.replaceChildren(el("span", { class: "quiet wide" }, me.readonly ? "Only shows" : "Not signed in"), me.readonly ? "" : el("button", { type: "button", class: "small", onclick: signIn }, "Sign in"));
}
