// Walks through the dashboard as people do: looks at it, narrow and wide, light and dark; and answers a round with the keyboard alone.
// It gets its addresses from the environment, as JSON in BASCULE_WALK, and ends with an error at the first thing that is not as it should be.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const walk = JSON.parse(process.env.BASCULE_WALK);
const require = createRequire(`${walk.modules}/`);
const { chromium } = require("playwright-core");
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

const browser = await chromium.launch({
  executablePath: walk.chromium,
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});

const sizes = { phone: { width: 360, height: 740 }, desktop: { width: 1280, height: 900 } };

// open opens a page in a browser of its own, in which no error and no refused resource is let pass.
async function open(address, { size = "desktop", scheme = "light", motion = "no-preference" } = {}) {
  const context = await browser.newContext({ viewport: sizes[size], colorScheme: scheme, reducedMotion: motion, locale: "en-GB" });
  const page = await context.newPage();
  page.troubles = [];
  page.on("console", (m) => m.type() === "error" && !page.forgiving && page.troubles.push(m.text()));
  page.on("pageerror", (e) => page.troubles.push(String(e)));
  await page.goto(address);
  await page.locator("main h1").waitFor();
  return page;
}

async function close(page) {
  assert.deepEqual(page.troubles, [], "what the browser complained of");
  await page.context().close();
}

async function look(name, address, size, scheme) {
  const page = await open(address, { size, scheme });
  assert.deepEqual(page.troubles, [], `what the browser complained of in ${name}`);
  const wide = await page.evaluate(() => document.scrollingElement.scrollWidth - window.innerWidth);
  assert.ok(wide <= 0, `${name} is ${wide} px too wide on the ${size}`);
  await page.evaluate(axe);
  const found = await page.evaluate(() => window.axe.run({ runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"] }));
  const lines = found.violations.flatMap((v) => v.nodes.slice(0, 3).map((n) => `${v.id}: ${n.html.slice(0, 160)} ${n.any[0]?.message ?? ""}`));
  assert.deepEqual(lines, [], `${name}, ${size}, ${scheme}`);
  if (walk.pictures) {
    await page.screenshot({ path: `${walk.pictures}/${name}-${size}-${scheme}.png` });
    await page.screenshot({ path: `${walk.pictures}/${name}-${size}-${scheme}-full.png`, fullPage: true });
  }
  await close(page);
}

const control = async (path, body) => {
  const answer = await fetch(walk.control + path, { method: "POST", body });
  assert.ok(answer.ok, `${path}: ${answer.status} ${answer.ok ? "" : await answer.text()}`);
};

const journal = async () => (await fetch(`${walk.control}/journal`)).json();

// press moves the focus by Tab until it is on what is wanted, and presses a key there. Where it is must be seen.
async function press(page, name, key = "Enter") {
  for (let i = 0; i < 300; i++) {
    await page.keyboard.press("Tab");
    const on = await page.evaluate(() => {
      const e = document.activeElement, style = getComputedStyle(e);
      return { text: (e.labels?.[0]?.textContent || e.textContent || "").trim(), seen: e.matches(":focus-visible") && (style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0) };
    });
    if (on.text.startsWith(name)) {
      assert.ok(on.seen, `${name} does not show that it has the focus`);
      if (key) await page.keyboard.press(key);
      return;
    }
  }
  assert.fail(`Tab never comes to ${name}`);
}

async function answer() {
  const page = await open(walk.round, { size: "phone", motion: "reduce" });
  const verdict = page.locator(".head .verdict .text"), news = page.locator("#news");
  assert.match(await verdict.textContent(), /Waiting for/);
  assert.equal(await page.locator('[data-act="approve"]').count(), 0, "nobody has signed in");

  // The first Tab leads past the header.
  await page.keyboard.press("Tab");
  assert.equal(await page.evaluate(() => document.activeElement.textContent), "To the content");

  // Whoever may only approve does not see what operators do, and says go.
  await press(page, "Sign in");
  await page.keyboard.type(walk.tokens.bob);
  await Promise.all([page.waitForNavigation(), page.keyboard.press("Enter")]);
  await page.locator('.wait [data-act="approve"]').waitFor();
  await press(page, "Say go");
  await page.getByRole("dialog").waitFor();
  await page.keyboard.type("<script>window.caught = 1</script><img src=x onerror='window.caught = 2'>");
  await press(page, "Say go");
  await page.getByRole("dialog").waitFor({ state: "detached" });
  await page.waitForFunction(() => document.querySelector(".head .verdict .text").textContent.startsWith("On its way"));
  assert.match(await news.textContent(), /written into the journal|is running/);
  assert.ok((await journal()).some((e) => e.what === "go" && e.who === "bob"));
  await page.waitForFunction(() => document.querySelector("#timeline").textContent.includes("<script>window.caught = 1</script>"));
  assert.equal(await page.evaluate(() => window.caught), undefined, "what somebody typed was run");

  // The driver goes on; the page follows without being loaded again.
  await page.evaluate(() => { window.mine = true; });
  await control("/tell", "0s started: announce\n1s done: announce\n0s started: quiesce");
  await page.locator('.wait [data-act="done"]').waitFor();
  await press(page, "It is done");
  await page.getByRole("dialog").waitFor();
  await press(page, "It is done"); // without evidence the browser does not send it
  assert.equal(await page.getByRole("dialog").count(), 1);
  await press(page, "Evidence", null);
  await page.keyboard.type("no consumer since midnight");
  await press(page, "It is done");
  await page.getByRole("dialog").waitFor({ state: "detached" });
  await page.waitForFunction(() => document.querySelector(".flow").textContent.includes("close orders"));
  assert.ok((await journal()).some((e) => e.what === "done" && e.step === "quiesce" && e.evidence === "no consumer since midnight"));

  // Writes stop: the page says so, big, in its title, and without a colour.
  await control("/tell", "0s started: close orders");
  await page.locator(".writes.stopped").waitFor();
  assert.match(await page.locator(".writes").innerText(), /Writes are stopped/i);
  await page.waitForFunction(() => /stopped/.test(document.title));
  if (walk.pictures) await page.screenshot({ path: `${walk.pictures}/walk-freeze-phone.png` });

  // The Gantt's rows open by the keyboard.
  await press(page, "▸close");
  await press(page, "▸orders");
  await page.getByText("open the old side").first().waitFor();

  // The server goes away and comes back as another process; meanwhile something happened.
  page.forgiving = true;
  await control("/stop");
  await page.waitForFunction(() => document.querySelector("#connection").textContent.includes("what you see may be old"), null, { timeout: 30000 });
  if (walk.pictures) await page.screenshot({ path: `${walk.pictures}/walk-lost-phone.png` });
  await control("/tell", "3s noted | said while the server was away");
  await control("/start");
  await page.waitForFunction(() => document.querySelector("#timeline").textContent.includes("said while the server was away"), null, { timeout: 30000 });
  await page.waitForFunction(() => document.querySelector("#connection").textContent === "");
  assert.equal(await page.evaluate(() => window.mine), true, "the page was loaded again");
  page.forgiving = false;

  // Sessions end with the process. Signed in again, the round is aborted, and what that costs is said before.
  await page.reload();
  await press(page, "Sign in");
  await page.keyboard.type(walk.tokens.bob);
  await Promise.all([page.waitForNavigation(), page.keyboard.press("Enter")]);
  await page.locator('.turning [data-act="abort"]').waitFor();
  await press(page, "Abort the round");
  await page.getByRole("dialog").waitFor();
  assert.ok((await page.locator("dialog .explain").textContent()).length > 10, "the dialog does not say what turning back costs");
  await page.keyboard.type("orders does not drain");
  if (walk.pictures) await page.screenshot({ path: `${walk.pictures}/walk-abort-phone.png` });
  await press(page, "Abort the round");
  await page.getByRole("dialog").waitFor({ state: "detached" });
  await page.waitForFunction(() => document.querySelector(".head .verdict .phase").textContent.startsWith("aborting"));
  assert.ok((await journal()).some((e) => e.what === "aborted" && e.who === "bob" && e.reason === "orders does not drain"));
  const moving = await page.evaluate(() => [...document.querySelectorAll("*")].filter((e) => parseFloat(getComputedStyle(e).transitionDuration) > 0 || getComputedStyle(e).animationName !== "none").length);
  assert.equal(moving, 0, "it moves though nobody wants that");
  await close(page);
}

try {
  for (const [name, address] of Object.entries(walk.looks)) {
    await look(name, address, "phone", "light");
    await look(name, address, "desktop", "dark");
    if (!walk.pictures) continue;
    await look(name, address, "phone", "dark");
    await look(name, address, "desktop", "light");
  }
  await answer();
} finally {
  await browser.close();
}
console.log("walked");
