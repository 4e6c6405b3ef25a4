// The page as a reader's browser shows it: `npm ci && npm test` here, with a built stagegate and
// an installed Chromium (CHROMIUM and STAGEGATE name them where they are not in the usual places).
import { strict as assert } from "node:assert";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

const root = fileURLToPath(new URL("../..", import.meta.url));
const stagegate = process.env.STAGEGATE ?? join(process.env.CARGO_TARGET_DIR ?? join(root, "target"), "release/stagegate");
const axe = readFileSync(new URL("node_modules/axe-core/axe.min.js", import.meta.url), "utf8");
const folder = mkdtempSync(join(tmpdir(), "stagegate-"));
const pages = {};
let browser;

/** Writes the report of a log and remembers its page. */
function report(name, log) {
  const out = join(folder, name);
  execFileSync(stagegate, ["report", "-q", "--generated-at", "2025-11-18T12:00:00Z", "--out", out, log], { cwd: folder });
  pages[name] = `file://${out}/report.html`;
}

before(async () => {
  report("sample", join(root, "data/rollout.jsonl.gz"));
  for (const scenario of ["incident", "messy", "no-memory"]) {
    const log = join(folder, `${scenario}.jsonl`);
    execFileSync(stagegate, ["generate", "--scenario", scenario, "--uploads", "4000", "--seed", "7", "-o", log]);
    report(scenario, log);
  }
  browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync", "--no-first-run"],
  });
});

after(async () => {
  await browser?.close();
  rmSync(folder, { recursive: true });
});

/** Opens a page and hands it over with what it said and asked for. */
async function open(name, options, use) {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  const said = [];
  const asked = [];
  page.on("console", (message) => said.push(message.text()));
  page.on("pageerror", (error) => said.push(error.message));
  page.on("request", (request) => asked.push(request.url()));
  await page.goto(pages[name]);
  await use(page, said, asked);
  await context.close();
}

const views = [1440, 390].flatMap((width) => ["light", "dark"].map((colorScheme) => ({ viewport: { width, height: 900 }, colorScheme })));

for (const name of ["sample", "incident", "messy", "no-memory"]) {
  test(`${name}: nothing is loaded, nothing overflows, without script and network`, async () => {
    for (const view of views) {
      await open(name, { ...view, offline: true, javaScriptEnabled: false }, async (page, said, asked) => {
        assert.deepEqual(said, []);
        assert.deepEqual(asked.filter((url) => !url.startsWith("data:")), [pages[name]]);
        assert.ok(await page.getByRole("heading", { level: 1 }).isVisible());
        const figures = await page.locator("figure svg:visible").count();
        assert.equal(figures, 4, "each chart once, at the width of the view");
      });
      await open(name, view, async (page) => {
        const width = await page.evaluate(() => document.documentElement.scrollWidth);
        assert.ok(width <= view.viewport.width, `${width} px wide`);
      });
    }
  });

  test(`${name}: axe finds nothing`, async () => {
    for (const view of views) {
      await open(name, { ...view, bypassCSP: true }, async (page) => {
        await page.evaluate(() => document.querySelectorAll("details").forEach((details) => { details.open = true; }));
        await page.addScriptTag({ content: axe });
        const { violations } = await page.evaluate(() => globalThis.axe.run());
        assert.deepEqual(violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.target)}`), []);
      });
    }
  });
}

test("the page forbids scripts and requests to itself", async () => {
  await open("sample", {}, async (page, said) => {
    await page.evaluate(() => {
      const script = document.createElement("script");
      script.textContent = "document.title = 'run'";
      document.body.append(script);
    });
    assert.notEqual(await page.title(), "run");
    assert.ok(said.some((text) => text.includes("Content Security Policy")), said.join("\n"));
  });
});

test("every link of the page leads somewhere", async () => {
  await open("sample", {}, async (page) => {
    const dead = await page.evaluate(() =>
      [...document.querySelectorAll("a[href^='#']")].map((link) => link.getAttribute("href").slice(1)).filter((id) => !document.getElementById(id)));
    assert.deepEqual(dead, []);
  });
});
