// What is kept: the gallery, names, comparing; and who may see it.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { accessible, browser, drawn, drop, DUCK, make, visit } from "./kit.mjs";

let chromium;
before(async () => { chromium = await browser(); });
after(() => chromium?.close());

test("two results are turned together", () => visit(chromium, {}, async (page, running) => {
  const jobs = [await running.submit("one.png", { seed: 1 }), await running.submit("two.png", { seed: 2 })];
  await Promise.all(jobs.map(({ id }) => running.finished(id)));
  await page.goto(`${running.address}#/compare/${jobs[0].id}`);
  await page.getByRole("button", { name: /two/ }).click();
  await page.locator(".pair model-viewer").nth(1).waitFor();
  await page.waitForFunction(() => [...document.querySelectorAll(".pair model-viewer")].every((view) => view.loaded && view.modelIsVisible));
  await accessible(page, "compare");
  const looks = () => page.evaluate(() => [...document.querySelectorAll(".pair model-viewer")].flatMap((view) => [view.getCameraOrbit().theta, view.getCameraOrbit().phi, view.getFieldOfView()]));
  /** Where both cameras stand once they stand still: a busy machine takes seconds for each step of the way. */
  const settled = async (moved) => {
    let [before, now] = [[], await looks()];
    for (let wait = 0; wait < 100 && (!moved(now) || String(before) !== String(now)); wait += 1) {
      await page.waitForTimeout(600);
      [before, now] = [now, await looks()];
    }
    assert.ok(moved(now), `nothing moved: ${now}`);
    return now;
  };
  const near = ([theta, phi, fov, otherTheta, otherPhi, otherFov]) =>
    Math.abs(theta - otherTheta) < 0.02 && Math.abs(phi - otherPhi) < 0.02 && Math.abs(fov - otherFov) < 0.5;
  for (const [at, turned] of [[0, (now) => now[0] < -0.3], [1, (now) => now[3] > -0.2]]) {
    const view = page.locator(".pair model-viewer").nth(at);
    await view.scrollIntoViewIfNeeded();
    const box = await view.boundingBox();
    await page.mouse.move(box.x + 200, box.y + 200);
    await page.mouse.down();
    await page.mouse.move(box.x + (at ? 80 : 320), box.y + 200, { steps: 6 });
    await page.mouse.up();
    const now = await settled(turned);
    assert.ok(near(now), `the other did not follow: ${now}`);
  }
  const [, , wide] = await looks();
  await page.mouse.wheel(0, -300);
  const now = await settled(([, , fov, , , otherFov]) => Math.min(fov, otherFov) < wide - 1);
  assert.ok(near(now), `the other did not come nearer: ${now}`);
}));

test("the gallery of 200 jobs fetches what is in sight, and the rest as it is scrolled to", () => visit(chromium, {}, async (page, running) => {
  // The first is made, the others are the same and so done at once.
  const { id } = await running.submit("job-0.png", { seed: 1 });
  await running.finished(id);
  for (let at = 1; at < 200; at += 20) {
    await Promise.all(Array.from({ length: Math.min(20, 200 - at) }, (_, more) => running.submit(`job-${at + more}.png`, { seed: 1 })));
  }
  const pictures = new Set();
  let models = 0;
  page.on("request", (request) => {
    if (/input|thumbnail/.test(request.url()) && request.method() === "GET") pictures.add(request.url());
    if (request.url().includes("/artifacts/")) models += 1;
  });
  await page.goto(`${running.address}#/gallery`);
  await page.locator(".grid li").first().waitFor();
  await page.waitForTimeout(500);
  assert.ok(pictures.size < 80, `${pictures.size} pictures were fetched before anything was scrolled`);
  await accessible(page, "gallery");
  const before = models;
  const { longest, own } = await page.evaluate(async () => {
    let longest = 0;
    let own = 0;
    new PerformanceObserver((list) => { for (const { scripts } of list.getEntries()) own = Math.max(own, ...scripts.map(({ duration }) => duration)); }).observe({ type: "long-animation-frame" });
    let last = performance.now();
    for (let turn = 0; turn < 400 && document.querySelectorAll(".grid li").length < 200; turn += 1) {
      scrollBy(0, 250);
      await new Promise((done) => requestAnimationFrame(done));
      longest = Math.max(longest, performance.now() - last);
      last = performance.now();
      if (scrollY + innerHeight >= document.documentElement.scrollHeight - 10) await new Promise((done) => setTimeout(done, 50));
    }
    return { longest, own };
  });
  console.log(`longest frame while 200 cards were scrolled: ${Math.round(longest)} ms, of which the page's own code took ${Math.round(own)} ms at most`);
  // Drawing a thumbnail holds everything up, so that waits. One may have been on its way.
  assert.ok(models <= before + 1, `${models - before} models were fetched to be drawn while somebody scrolled`);
  await page.waitForFunction(() => document.querySelectorAll(".grid li").length === 200);
}));

test("a name is changed, found, kept over a reload; a job is deleted", async (context) => {
  await visit(chromium, {}, async (page, running) => {
    if (!(await running.contract()).paths["/v1/jobs/{id}"].patch) return context.skip("the server has no names yet");
    const [one, other] = [await running.submit("one.png", { seed: 1 }), await running.submit("two.png", { seed: 2 })];
    await Promise.all([one, other].map(({ id }) => running.finished(id)));
    await page.goto(`${running.address}#/gallery`);
    await page.getByRole("button", { name: "Rename one" }).click();
    await accessible(page, "rename");
    await page.getByLabel("Name", { exact: true }).fill("Yellow duck");
    await page.getByRole("button", { name: "Save" }).click();
    await page.getByText("Yellow duck").waitFor();
    await page.reload();
    await page.getByLabel("Search by name").fill("yellow");
    await page.waitForFunction(() => document.querySelectorAll(".grid li").length === 1);
    await page.getByLabel("Search by name").fill("");
    await page.getByRole("button", { name: "Delete two" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
    await page.waitForFunction(() => document.querySelectorAll(".grid li").length === 1);
  });
});

test("cards follow their jobs, and new jobs come to the gallery", () => visit(chromium, { rules: [{ at: "decode", do: "sleep", seconds: 8, times: 1 }] }, async (page, running) => {
  const { id } = await running.submit("first.png", { seed: 1 });
  await page.goto(`${running.address}#/gallery`);
  const first = page.locator(".grid li", { hasText: "first" });
  await first.getByText(/Waiting|Working/).waitFor();
  await first.getByRole("link").focus();
  await running.submit("second.png", { seed: 2 });
  await page.locator(".grid li", { hasText: "second" }).waitFor();
  assert.deepEqual(await page.locator(".grid strong").allTextContents(), ["second", "first"]);
  assert.equal((await running.finished(id)).state, "succeeded");
  await page.waitForFunction(() => document.querySelectorAll(".grid .badge").length === 0);
  assert.equal(await page.evaluate(() => document.activeElement?.getAttribute("href")), `#/job/${id}`, "the focus stays");
}));

test("a card is followed while it is asked about, and goes when its job is deleted", () => visit(chromium, { rules: [{ at: "decode", do: "sleep", seconds: 5, times: 1 }] }, async (page, running) => {
  const { id } = await running.submit("first.png", { seed: 1 });
  await page.goto(`${running.address}#/gallery`);
  await page.locator(".grid").getByText(/Waiting|Working/).waitFor();
  await page.getByRole("button", { name: "Delete first" }).click();
  assert.equal((await running.finished(id)).state, "succeeded");
  await page.waitForFunction(() => document.querySelectorAll(".grid .badge").length === 0);
  await page.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
  await page.waitForFunction(() => document.querySelectorAll(".grid li").length === 0);
}));

test("what changes while the cards are fetched is seen afterwards", () => visit(chromium, {}, async (page, running) => {
  await running.finished((await running.submit("first.png", { seed: 1 })).id);
  await page.goto("about:blank");
  // It is as if the job ended after the list was made and before it came.
  let jobs = { queued: 0, running: 1 };
  await page.addInitScript(() => {
    globalThis.moves = 0;
    addEventListener("jobs-moved", () => { globalThis.moves += 1; });
  });
  const moves = (least) => page.waitForFunction((least) => globalThis.moves >= least, least);
  await page.route("**/v1/status", async (route) => {
    const answer = await route.fetch();
    await route.fulfill({ response: answer, json: { ...(await answer.json()), jobs } });
  });
  await page.route(/v1\/jobs\?/, async (route) => {
    const answer = await route.fetch();
    const list = await answer.json();
    list.jobs[0].state = "running";
    await moves(1);
    jobs = { queued: 0, running: 0 };
    await moves(2);
    await route.fulfill({ response: answer, json: list });
  }, { times: 1 });
  await page.goto(`${running.address}#/gallery`);
  await page.locator(".grid li").getByText("Preview", { exact: true }).waitFor();
  await page.unrouteAll({ behavior: "ignoreErrors" });
}));

test("more cards come after a failure, and those far down are followed too", () => visit(chromium, { rules: [{ at: "decode", do: "sleep", seconds: 60, times: 1 }] }, async (page, running) => {
  await running.submit("first.png", { seed: 0 });
  const oldest = await running.submit("oldest.png", { seed: 1 });
  await Promise.all(Array.from({ length: 43 }, (_, at) => running.submit(`job-${at}.png`, { seed: 2 + at })));
  await page.route(/v1\/jobs\?.*cursor=/, (route) => route.abort(), { times: 1 });
  await page.goto(`${running.address}#/gallery`);
  await page.locator(".grid li").nth(39).waitFor();
  await page.locator(".more").scrollIntoViewIfNeeded();
  await page.locator(".toast").getByText("The server cannot be reached").waitFor();
  assert.equal(await page.locator(".grid li").count(), 40);
  await page.evaluate(() => scrollTo(0, 0));
  await page.waitForTimeout(500);
  await page.evaluate(() => scrollTo(0, document.documentElement.scrollHeight));
  await page.waitForFunction(() => document.querySelectorAll(".grid li").length === 45);
  const headers = { origin: new URL(running.address).origin };
  assert.ok((await fetch(`${running.address}v1/jobs/${oldest.id}/cancel`, { method: "POST", headers })).ok);
  await page.locator(".grid li", { hasText: "oldest" }).getByText("Cancelled").waitFor();
}));

test("a job that waits is deleted at once", () => visit(chromium, { rules: [{ at: "decode", do: "sleep", seconds: 20, times: 1 }] }, async (page, running) => {
  await running.submit("first.png", { seed: 1 });
  const waits = await running.submit("second.png", { seed: 2 });
  await page.goto(`${running.address}#/gallery`);
  await page.getByRole("button", { name: "Delete second" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
  await page.waitForFunction(() => document.querySelectorAll(".grid li").length === 1);
  assert.equal((await running.job(waits.id)).status, 404);
}));

test("the card of a job that no server can do says what it waits for", () => visit(chromium, { rules: [{ at: "decode", do: "sleep", seconds: 20, times: 1 }] }, async (page, running) => {
  await running.submit("first.png", { seed: 1 });
  await running.submit("second.png", { seed: 2 });
  await page.route(/v1\/jobs\?/, async (route) => {
    const answer = await route.fetch();
    const list = await answer.json();
    for (const job of list.jobs) if (job.name === "second") job.waits_for = { kind: "no_server", message: "no server runs `trellis2-4b` now", fix: "start one" };
    await route.fulfill({ response: answer, json: list });
  });
  await page.goto(`${running.address}#/gallery`);
  const card = page.locator(".grid li", { hasText: "second" });
  await card.getByText("Waits for a server").waitFor();
  await card.getByText("No server runs `trellis2-4b` now.").waitFor();
  assert.equal(await page.getByText("Waits for a server").count(), 1);
  await accessible(page, "gallery with a job that waits for a server");
}));

test("a thumbnail is drawn once and kept by the server", async (context) => {
  await visit(chromium, {}, async (page, running) => {
    if (!(await running.contract()).paths["/v1/jobs/{id}/thumbnail"]) return context.skip("the server keeps no thumbnails yet");
    const { id } = await running.submit();
    await running.finished(id);
    await page.goto(`${running.address}#/gallery`);
    await page.waitForResponse((answer) => answer.request().method() === "PUT" && answer.status() === 204);
    let drawnAgain = 0;
    page.on("request", (request) => { if (request.method() === "PUT" || request.url().includes("artifacts")) drawnAgain += 1; });
    await page.reload();
    await page.waitForFunction(() => document.querySelector(".thumb img")?.src.includes("/thumbnail") && document.querySelector(".thumb img").naturalWidth > 0);
    assert.equal(drawnAgain, 0);
    const covered = await page.evaluate(async () => {
      const bitmap = await createImageBitmap(document.querySelector(".thumb img"));
      const pen = new OffscreenCanvas(bitmap.width, bitmap.height).getContext("2d");
      pen.drawImage(bitmap, 0, 0);
      const { data } = pen.getImageData(0, 0, bitmap.width, bitmap.height);
      const last = bitmap.width - 1;
      let [opaque, cut] = [0, 0];
      for (let at = 3, x = 0, y = 0; at < data.length; at += 4, x === last ? (x = 0, y += 1) : (x += 1)) {
        if (data[at] <= 250) continue;
        opaque += 1;
        if (x === 0 || y === 0 || x === last || y === bitmap.height - 1) cut += 1;
      }
      return [bitmap.width, bitmap.height, opaque / (data.length / 4), cut];
    });
    assert.ok(covered[0] === covered[1] && covered[2] > 0.1 && covered[2] < 0.9, `${covered}`);
    assert.equal(covered[3], 0, "the model is cut off at an edge");
    assert.equal((await running.job(id)).thumbnail, `/v1/jobs/${id}/thumbnail`);
  });
});

test("another format is made of a finished model", async (context) => {
  await visit(chromium, {}, async (page, running) => {
    if (!(await running.contract()).paths["/v1/jobs/{id}/exports"]) return context.skip("the server makes no later exports yet");
    const { id } = await running.submit();
    await running.finished(id);
    await page.goto(`${running.address}#/job/${id}`);
    await page.getByLabel("Another format").selectOption("voxels");
    await page.getByRole("button", { name: "Export" }).click();
    await page.waitForURL((url) => url.hash.startsWith("#/job/") && !url.hash.endsWith(id));
    await page.getByRole("link", { name: "Voxels" }).waitFor();
    // It has no seed of its own, and is repeated in another way.
    assert.equal(await page.getByRole("button", { name: "New seed" }).count(), 0);
    const [curl, generate] = await page.locator(".command code").allTextContents();
    assert.match(curl, new RegExp(`--json '\\{"format":"voxels","voxel_resolution":64\\}' \\S+/v1/jobs/${id}/exports$`));
    assert.match(generate, new RegExp(`^trellis jobs export ${id} --format voxels --voxel-resolution 64 --server `));
  });
});

test("a model is made again with another texture, without sampling", () => visit(chromium, { rules: [] }, async (page, running) => {
  await page.locator(".pill.good").waitFor();
  await drop(page, DUCK);
  const id = await make(page);
  await drawn(page, "result");
  assert.ok((await running.job(id)).latents.size_bytes > 0);
  await page.getByRole("button", { name: "Change texture or triangles" }).click();
  const asked = page.getByRole("dialog", { name: "Change texture or triangles" });
  await asked.getByLabel("Texture size").fill("2048");
  await asked.getByLabel("Mesh simplify").fill("0.5");
  await accessible(page, "make again");
  await asked.getByRole("button", { name: "Make it" }).click();
  await page.waitForURL((url) => url.hash.startsWith("#/job/") && !url.hash.endsWith(id));
  await drawn(page, "result");
  const again = await running.job(page.url().split("/").at(-1));
  assert.deepEqual([again.source.job, again.params.texture_size, again.params.mesh_simplify, again.latents], [id, 2048, 0.5, undefined]);
  assert.ok(!again.timings.stages.some(({ stage }) => stage === "structured_latent"), "nothing was sampled");
  const [curl, command] = await page.locator(".command code").allTextContents();
  assert.match(curl, new RegExp(`"texture_size":2048.*/v1/jobs/${id}/exports'?$`));
  assert.match(command, new RegExp(`^trellis jobs export ${id} --format glb --texture true --texture-size 2048 --mesh-simplify 0.5 `));
  // What was sampled stays the first job's. Once that is gone, the server's words say so.
  await page.getByRole("button", { name: "Change texture or triangles" }).click();
  await running.remove(id);
  await asked.getByRole("button", { name: "Make it" }).click();
  await page.locator(".toast").getByText("There is no job").waitFor();
}));

test("a model of TRELLIS.2 is made again with settings of its own", () => visit(chromium, { rules: [], second: true }, async (page, running) => {
  await page.locator(".pill.good").waitFor();
  const { id } = await running.submit("duck.png", { model: "trellis2-4b", texture_size: 1024 });
  const made = await running.finished(id);
  assert.equal(made.made_by, "trellis2", JSON.stringify(made));
  await page.goto(`${running.address}#/job/${id}`);
  await page.getByText("Made by TRELLIS.2 on").waitFor();
  const formats = await page.getByLabel("Another format").locator("option").allTextContents();
  assert.ok(formats.includes("Voxels") && !formats.includes("Gaussian splats"), formats.join());
  await page.getByRole("button", { name: "Change texture or triangles" }).click();
  const asked = page.getByRole("dialog", { name: "Change texture or triangles" });
  assert.equal(await asked.getByLabel("Mesh simplify").count(), 0);
  await asked.getByLabel("Decimation target").fill("100000");
  await asked.getByRole("button", { name: "Make it" }).click();
  await page.waitForURL((url) => url.hash.startsWith("#/job/") && !url.hash.endsWith(id));
  const again = await running.finished(page.url().split("/").at(-1));
  assert.deepEqual([again.made_by, again.source.job, again.params.decimation_target, again.params.texture_size], ["trellis2", id, 100_000, 1024]);
  // The page hears of the end by itself, maybe later than this test.
  await page.locator(".command code").nth(1).waitFor();
  const [, command] = await page.locator(".command code").allTextContents();
  assert.match(command, new RegExp(`^trellis jobs export ${id} --format glb --texture true --texture-size 1024 --texture-format png --decimation-target 100000 --remesh true `));
}));

test("that nothing sampled is kept is said", () => visit(chromium, { rules: [], flags: ["--retention-latent-bytes=0"] }, async (page, running) => {
  await page.locator(".pill.good").waitFor();
  const { id } = await running.submit();
  await running.finished(id);
  await page.goto(`${running.address}#/job/${id}`);
  await page.getByText("TRELLIS’s samples for this model are not kept").waitFor();
  assert.equal(await page.getByRole("button", { name: "Change texture or triangles" }).count(), 0);
}));

test("a server with keys asks for one, refuses a wrong one, and forgets it at sign-out", () => visit(chromium, { keys: "studio s3cret-of-the-studio\n" }, async (page) => {
  await page.getByLabel("API key").waitFor();
  await accessible(page, "sign in");
  await page.getByLabel("API key").fill("not-one-of-the-keys");
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByText("The server does not know this key").waitFor();
  await page.getByLabel("API key").fill("s3cret-of-the-studio");
  await page.getByRole("button", { name: "Sign in" }).click();
  await drop(page, DUCK);
  await make(page);
  // Pictures, models and event streams are fetched with the cookie alone.
  await drawn(page);
  assert.equal(await page.evaluate(() => document.cookie), "", "scripts cannot read the cookie");
  await page.reload();
  await drawn(page);
  await page.locator(".pill").click();
  await page.getByRole("button", { name: "Sign out studio" }).click();
  await page.getByLabel("API key").waitFor();
}));
