// The page as a reader's browser shows it: `npm ci && npm test` here, with a built stagegate and
// an installed Chromium (CHROMIUM and STAGEGATE name them where they are not in the usual places).
import { strict as assert } from "node:assert";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

const root = fileURLToPath(new URL("../..", import.meta.url));
const stagegate = process.env.STAGEGATE ?? join(process.env.CARGO_TARGET_DIR ?? join(root, "target"), "release/stagegate");
const axe = readFileSync(new URL("node_modules/axe-core/axe.min.js", import.meta.url), "utf8");
const folder = mkdtempSync(join(tmpdir(), "stagegate-"));
const SCENARIOS = ["sample", "incident", "messy", "no-memory", "mix-shift"];
const ALL_SCENARIOS = ["good", "regression", "fallback-storm", "broken-split", "mix-shift", "incident", "messy", "no-memory"];
const EXTREMES = ["ten stages", "one stage", "300 error types", "hostile names", "hardly anything usable"];
const pages = {};
let browser;

/** Writes the report of a log and remembers its page. */
function report(name, log, config = []) {
  const out = join(folder, name.replaceAll(" ", "-"));
  execFileSync(stagegate, ["report", "-q", "--generated-at", "2025-11-18T12:00:00Z", ...config, "--out", out, log], { cwd: folder });
  pages[name] = `file://${out}/report.html`;
}

const START = Date.UTC(2025, 10, 3) / 1000;

/** A log of so many uploads, an hour apart in groups of ten, each made by `of`. */
function log(name, count, of) {
  const lines = Array.from({ length: count }, (_, index) => JSON.stringify({
    execution_type: "async", success: true, duration_ms: 500 + (index * 37) % 400, timestamp: START + Math.floor(index / 10) * 3600 + (index % 10) * 60,
    file_size_mb: 1 + (index % 90), provider: index % 3 ? "kimi" : "glm", file_type: "json", memory_mb: 20 + (index % 9), ...of(index),
  }));
  writeFileSync(join(folder, name), lines.join("\n"));
  return name;
}

/** Rollouts that nobody planned for. */
function extremes() {
  const names = Array.from({ length: 10 }, (_, index) => (index ? `stage ${index} with a rather long name` : "baseline"));
  const stages = names.map((name, index) => `[[stages]]\nname = "${name}"\npercentage = ${index * 11}\n`).join("");
  writeFileSync(join(folder, "ten.toml"), stages);
  report("ten stages", log("ten.jsonl", 2000, (index) => ({ stage: names[Math.floor(index / 200)], execution_type: index < 200 || index % 2 ? "sync" : "async" })), ["--config", "ten.toml"]);
  writeFileSync(join(folder, "one.toml"), '[[stages]]\nname = "only"\npercentage = 0\n');
  report("one stage", log("one.jsonl", 30, () => ({ stage: "only" })), ["--config", "one.toml"]);
  const hostile = ["<script>alert(1)</script>", "\u202egnp.exe", "x".repeat(10_000), "a b".repeat(3000), "]]></style><svg onload=alert(1)>"];
  report("300 error types", log("errors.jsonl", 1500, (index) => ({ success: index % 2 > 0, error_type: index % 2 ? null : `Error${index % 600}${hostile[index % 5]}` })));
  report("hostile names", log("hostile.jsonl", 400, (index) => ({ provider: hostile[index % 5], file_type: hostile[(index + 2) % 5], execution_type: index < 200 ? "sync" : "async" })));
  report("hardly anything usable", log("hardly.jsonl", 3, (index) => ({ execution_type: index ? "other" : "sync" })));
}

before(async () => {
  report("sample", join(root, "data/rollout.jsonl.gz"));
  for (const scenario of ALL_SCENARIOS) {
    const log = join(folder, `${scenario}.jsonl`);
    execFileSync(stagegate, ["generate", "--scenario", scenario, "--uploads", "4000", "--seed", "7", "-o", log]);
    report(scenario, log);
  }
  extremes();
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

for (const name of [...SCENARIOS, ...EXTREMES]) {
  test(`${name}: nothing is loaded, nothing overflows, without script and network`, async () => {
    for (const view of views) {
      await open(name, { ...view, offline: true, javaScriptEnabled: false }, async (page, said, asked) => {
        // Chromium says that it did not run the page's script, which it was told not to.
        assert.deepEqual(said.filter((text) => !text.includes("script")), []);
        assert.deepEqual(asked.filter((url) => !url.startsWith("data:")), [pages[name]]);
        assert.ok(await page.getByRole("heading", { level: 1 }).isVisible());
        await page.evaluate(() => document.querySelectorAll("details.appendix").forEach((details) => { details.open = true; }));
        const drawn = page.locator("figure > div > svg");
        const hidden = page.locator("details:not([open]) figure > div > svg");
        const [all, visible] = [(await drawn.count()) - (await hidden.count()), await page.locator("figure > div > svg:visible").count()];
        assert.ok((visible >= 7 || EXTREMES.includes(name)) && all === 2 * visible, `${visible} of ${all}: each chart once, at the width of the view`);
      });
      await open(name, view, async (page, said) => {
        assert.deepEqual(said, []);
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

for (const [width, height] of [[1440, 900], [390, 844]]) {
  test(`the decision needs no scrolling at ${width} x ${height}`, async () => {
    await open("incident", { viewport: { width, height } }, async (page) => {
      const below = async (selector) => (await page.locator(selector).first().boundingBox()).y + (await page.locator(selector).first().boundingBox()).height;
      assert.ok((await below(".verdict")) < height);
      assert.ok((await below(".verdict .told p + p")) < height);
      if (width === 1440) {
        assert.ok((await below(".aside")) < height, "what to do next");
      }
    });
  });
}

for (const name of ALL_SCENARIOS) {
  test(`${name}: the first screen has the decision, its cause, and the values before and now`, async () => {
    for (const [width, height] of [[1440, 900], [390, 844]]) {
      await open(name, { viewport: { width, height } }, async (page) => {
        const ends = async (locator) => { const box = await locator.boundingBox(); return box.y + box.height; };
        const rows = page.locator(".glance-table tbody tr");
        assert.ok((await ends(page.locator(".verdict .word"))) < height / 3);
        assert.ok((await ends(page.locator(".verdict"))) < height, "the reason and what changed");
        const seen = width === 1440 ? 5 : 1;
        assert.ok((await ends(rows.nth(seen - 1).locator("td").nth(1))) < height, `${seen} lines at ${width} px`);
        const [before, now] = [await rows.first().locator("td").nth(0).innerText(), await rows.first().locator("td").nth(1).innerText()];
        assert.match(before, /\d.*%/);
        assert.match(now, /\d.*%/);
        if (width === 1440) assert.ok((await ends(page.locator(".strip"))) < height && (await ends(page.locator(".aside"))) < height);
        else assert.ok((await page.locator(".glance-table").boundingBox()).y < (await page.locator(".strip").boundingBox()).y, "figures before any list");
      });
    }
  });
}

test("the page is short, and few stops of the Tab key long", async () => {
  for (const [width, height, screens] of [[1440, 900, 8], [390, 844, 14]]) {
    await open("sample", { viewport: { width, height } }, async (page) => {
      const tall = await page.evaluate(() => document.documentElement.scrollHeight);
      assert.ok(tall <= screens * height, `${(tall / height).toFixed(1)} screens at ${width} px`);
      const stops = await page.evaluate(() =>
        [...document.querySelectorAll("a[href], button, summary, [tabindex='0']")].filter((item) => item.checkVisibility({ visibilityProperty: true })).length);
      assert.ok(stops < 150, `${stops} stops`);
    });
  }
});

test("the labels of the charts are at least 12 px high", async () => {
  for (const width of [1440, 390]) {
    await open("sample", { viewport: { width, height: 900 } }, async (page) => {
      const small = await page.evaluate(() => {
        document.querySelectorAll("details.appendix").forEach((details) => { details.open = true; });
        return [...document.querySelectorAll("figure svg text")].filter((text) => text.checkVisibility())
          .filter((text) => parseFloat(getComputedStyle(text).fontSize) * text.getScreenCTM().a < 11.5).map((text) => text.textContent);
      });
      assert.deepEqual(small, []);
    });
  }
});

test("the theme switches and stays readable", async () => {
  await open("sample", { colorScheme: "light", viewport: { width: 1440, height: 900 } }, async (page, said) => {
    const back = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const light = await back();
    await page.getByRole("button", { name: "Dark theme" }).click();
    assert.notEqual(await back(), light);
    await page.getByRole("button", { name: "Light theme" }).click();
    assert.equal(await back(), light);
    assert.deepEqual(said, []);
  });
});

test("tables sort by their headings, with the keyboard, too", async () => {
  await open("sample", {}, async (page) => {
    await page.locator("#criteria > details > summary").click();
    const first = () => page.locator("#criteria table.sortable tbody tr").first().innerText();
    const before = await first();
    const status = page.locator("#criteria th", { hasText: "Criterion" }).getByRole("button");
    await status.focus();
    await page.keyboard.press("Enter");
    assert.equal(await page.locator("#criteria th[aria-sort=ascending]").count(), 1);
    const ascending = await first();
    await page.keyboard.press("Enter");
    assert.notEqual(await first(), ascending);
    assert.ok(before.length > 0);
  });
});

test("a figure tells where it comes from when it is pointed at or focused", async () => {
  await open("sample", { viewport: { width: 1440, height: 900 } }, async (page) => {
    await page.locator("#criteria > details > summary").click();
    const figure = page.locator("#criteria a.figure").first();
    const about = figure.locator(".about");
    assert.ok(!(await about.isVisible()));
    await figure.hover();
    assert.ok(await about.isVisible());
    assert.match(await about.innerText(), /successes \/ uploads · n = /);
    await page.mouse.move(0, 0);
    await page.keyboard.press("Tab");
    await figure.focus();
    assert.ok(await about.isVisible());
  });
});

test("a link into something closed opens it", async () => {
  await open("sample", {}, async (page) => {
    await page.goto(`${pages.sample}#claims.stages.100~25.treated.latency_p99_ms`);
    await page.reload();
    assert.ok(await page.locator("[id='claims.stages.100~25.treated.latency_p99_ms']").isVisible());
  });
});

test("the cursor of the time line reads the bucket below it", async () => {
  await open("sample", { viewport: { width: 1440, height: 900 } }, async (page) => {
    const chart = page.locator("#chart-timeline svg:visible");
    await chart.scrollIntoViewIfNeeded();
    const box = await chart.boundingBox();
    await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2);
    assert.match(await page.locator("#chart-timeline .readout").innerText(), / · (sync|async) \d+, \d+ failed/);
  });
});

test("the printed page keeps its tables and fits its paper", async () => {
  await open("sample", { viewport: { width: 1440, height: 900 } }, async (page) => {
    await page.emulateMedia({ media: "print" });
    assert.ok(!(await page.locator(".toc").isVisible()));
    assert.ok(await page.locator("#criteria table.plan").isVisible());
    assert.ok(await page.locator("#stages .stage table").first().isVisible(), "the appendix is unfolded");
    assert.ok(!(await page.locator(".pointer").isVisible()));
    const pdf = await page.pdf({ format: "A4" });
    assert.ok(pdf.length > 20_000 && pdf.subarray(0, 5).toString() === "%PDF-");
  });
});

test("report --pdf prints with this browser", () => {
  const out = join(folder, "printed");
  const env = { ...process.env, CHROMIUM: process.env.CHROMIUM ?? "/usr/bin/chromium" };
  execFileSync(stagegate, ["report", "-q", "--pdf", "--out", out, join(folder, "incident.jsonl")], { cwd: folder, env });
  const pdf = readFileSync(join(out, "report.pdf"));
  assert.ok(pdf.length > 20_000 && pdf.subarray(0, 5).toString() === "%PDF-");
});

test("the dashboard holds what the days say, and axe finds nothing in it", async () => {
  const run = (...given) => execFileSync(stagegate, given, { cwd: folder });
  for (const date of ["2025-11-15", "2025-11-16", "2025-11-17"]) run("daily", "-q", "--out", "days", "--date", date, "incident.jsonl");
  run("status", "-q", "--out", "days");
  pages.status = `file://${folder}/days/index.html`;
  for (const view of views) {
    await open("status", { ...view, bypassCSP: true }, async (page, said) => {
      assert.deepEqual(said, []);
      assert.equal(await page.locator("table.stack tbody tr").count(), 3);
      assert.ok((await page.locator("figure svg:visible").count()) >= 3);
      assert.ok((await page.evaluate(() => document.documentElement.scrollWidth)) <= view.viewport.width);
      await page.addScriptTag({ content: axe });
      const { violations } = await page.evaluate(() => globalThis.axe.run());
      assert.deepEqual(violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.target)}`), []);
    });
  }
});

test("the page is light", async () => {
  await open("sample", { viewport: { width: 1440, height: 900 } }, async (page) => {
    const { elements, paint } = await page.evaluate(async () => ({
      elements: document.querySelectorAll("*").length,
      paint: await new Promise((told) => {
        new PerformanceObserver((list) => told(list.getEntriesByName("first-contentful-paint")[0]?.startTime)).observe({ type: "paint", buffered: true });
        setTimeout(told, 2000);
      }),
    }));
    const bytes = readFileSync(new URL(pages.sample)).length;
    console.log(`# page weight ${(bytes / 1000).toFixed(0)} kB, ${elements} elements, first paint ${paint?.toFixed(0) ?? "not told"} ms`);
    assert.ok(bytes <= 500_000 && elements < 20_000);
  });
});
