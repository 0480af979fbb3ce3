// A mesh that a person has is textured as a picture shows it, by the stand-in for TRELLIS.2.
import assert from "node:assert/strict";
import { stat } from "node:fs/promises";
import { after, before, test } from "node:test";
import { accessible, browser, drawn, drop, dropBytes, DUCK, make, TETRAHEDRON, visit } from "./kit.mjs";

let chromium;
before(async () => { chromium = await browser(); });
after(() => chromium?.close());

const chosen = (page, name) => page.locator(".mesh").getByText(name, { exact: true }).waitFor();

test("a mesh that is dropped is textured, shown, and told of everywhere", () => visit(chromium, { rules: [], second: true }, async (page, running) => {
  await page.locator(".pill.good").waitFor();
  assert.equal(await page.getByLabel("Model", { exact: true }).inputValue(), "trellis-image-large");
  // This model textures none, but another one does.
  await page.getByText("Texture a mesh of your own").waitFor();
  assert.equal(await page.getByLabel("Choose a mesh to texture").getAttribute("accept"), ".glb,.obj,.ply");
  await dropBytes(page, TETRAHEDRON, "chair.obj", "");
  await chosen(page, "chair.obj");
  await page.getByText("Add a picture that shows how the mesh should look").waitFor();
  assert.equal(await page.getByLabel("Model", { exact: true }).inputValue(), "trellis2-4b", "the one that textures");
  await accessible(page, "a mesh without a picture");
  await page.locator(".pill").click();
  await page.getByRole("dialog").getByRole("heading", { name: "TRELLIS.2 ready" }).waitFor();
  await page.getByRole("button", { name: "Close", exact: true }).click();
  const go = page.getByRole("button", { name: "Texture it" });
  assert.ok(await go.isDisabled());
  await drop(page, DUCK);
  await page.getByRole("button", { name: "Remove duck.png" }).waitFor();
  // With another model it cannot be textured, and the page says so.
  await page.getByLabel("Model", { exact: true }).selectOption("trellis-image-large");
  await page.getByText("This model does not texture meshes").waitFor();
  assert.ok(await go.isDisabled());
  await page.getByLabel("Model", { exact: true }).selectOption("trellis2-4b");
  await page.getByText("It keeps its shape").waitFor();
  await accessible(page, "a mesh and a picture");

  const id = await make(page, "Texture it");
  await drawn(page);
  const job = await running.job(id);
  assert.deepEqual([job.made_by, job.inputs.map(({ name }) => name)], ["trellis2", ["duck", "chair"]]);
  await page.locator(".result-line").getByText("Textured chair.obj in").waitFor();
  assert.deepEqual((await page.locator(".times th").allTextContents()).filter((stage) => stage.match(/mesh/)), ["Read the mesh"]);
  const [curl, command] = await page.locator(".command code").allTextContents();
  assert.match(curl, /-F image=@duck\.png -F mesh=@chair\.obj /);
  assert.match(command, / --texture-mesh chair\.obj /);
  await accessible(page, "a textured mesh");
  assert.match(await page.getByRole("link", { name: "Download GLB" }).getAttribute("href"), new RegExp(`${id}/artifacts/model.glb$`));
  await page.getByRole("button", { name: "New seed" }).click();
  await page.waitForURL((url) => !url.hash.endsWith(id));
  const next = await running.finished(page.url().split("/").at(-1));
  assert.deepEqual([next.state, next.inputs.map(({ name }) => name)], ["succeeded", ["duck", "chair"]]);
  await page.getByRole("link", { name: "Gallery" }).click();
  await page.locator(".grid").getByText("Textured chair.obj").first().waitFor();
  await accessible(page, "gallery with a textured mesh");
}));

test("a mesh is chosen and removed with the keyboard, and only what holds for it is asked", () => visit(chromium, { rules: [], second: true }, async (page, running) => {
  await page.locator(".pill.good").waitFor();
  await page.getByLabel("Model", { exact: true }).selectOption("trellis2-4b");
  const { texturing } = (await (await fetch(`${running.address}v1/version`)).json()).backends.find(({ model }) => model === "trellis2-4b");
  await page.getByText("All settings").click();
  await page.locator("#field-resolution").fill("1536");
  await page.getByLabel("STL for printing").check();
  await page.getByLabel("Made by").selectOption("relief");
  const input = page.getByLabel("Choose a mesh to texture");
  assert.equal(await input.getAttribute("accept"), ".glb,.obj,.ply");
  // Where the keyboard is can be seen, although the inputs themselves are hidden.
  const ring = (id) => page.locator(`label.button[for="${id}"]`).evaluate((label) => getComputedStyle(label).outlineStyle);
  const press = async (...keys) => { for (const key of keys) await page.keyboard.press(key); };
  await page.getByLabel("Choose pictures").focus();
  await press("Shift+Tab", "Tab");
  assert.deepEqual([await ring("pick"), await ring("pick-mesh")], ["solid", "none"]);
  // The sample is between them.
  await press("Tab", "Tab");
  assert.deepEqual([await ring("pick"), await ring("pick-mesh")], ["none", "solid"]);
  const asked = page.waitForEvent("filechooser");
  await page.keyboard.press("Enter");
  await (await asked).setFiles({ name: "chair.obj", mimeType: "", buffer: Buffer.from(TETRAHEDRON) });
  await chosen(page, "chair.obj");
  const shown = await page.locator(".fields .field").count();
  assert.equal(shown, texturing.parameters.filter((name) => !["seed", "model"].includes(name)).length);
  assert.equal(await page.locator("#field-remesh, #field-ss_sampling_steps").count(), 0);
  assert.deepEqual([await page.locator("#field-resolution").getAttribute("max"), await page.locator("#field-resolution").inputValue()], ["1024", "1024"]);
  assert.equal(await page.getByLabel("STL for printing").count(), 0);
  assert.ok(!(await page.getByLabel("Made by").isVisible()), "no preview stands in");
  await accessible(page, "settings of a mesh");
  await drop(page, DUCK);
  const id = await make(page, "Texture it");
  const job = await running.finished(id);
  assert.deepEqual([job.state, job.backend, job.params.resolution, job.params.formats], ["succeeded", "trellis", 1024, ["glb"]], JSON.stringify(job));
  await page.getByRole("button", { name: "Remove chair.obj" }).focus();
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "Picture to 3D" }).waitFor();
  assert.equal(await page.evaluate(() => document.activeElement?.id), "pick-mesh");
  assert.equal(await page.locator("#field-remesh").count(), 1);
  assert.equal(await page.locator("#field-resolution").inputValue(), "1536", "what was chosen is there again");
  assert.ok(await page.getByLabel("STL for printing").isChecked());
  // It stays removed, also where a picture is looked at meanwhile.
  await dropBytes(page, TETRAHEDRON, "chair.obj", "");
  await chosen(page, "chair.obj");
  await page.evaluate(() => {
    const read = createImageBitmap;
    const released = new Promise((done) => { globalThis.release = done; });
    globalThis.createImageBitmap = async (...what) => { await released; return read(...what); };
  });
  await drop(page, DUCK, "side.png");
  await page.getByRole("button", { name: "Remove chair.obj" }).click();
  await page.evaluate(() => globalThis.release());
  await page.getByRole("button", { name: "Remove side.png" }).waitFor();
  assert.equal(await page.locator(".mesh").count(), 0);
}));

test("what is no mesh that the server reads is refused in plain words", () => visit(chromium, { rules: [], second: true }, async (page) => {
  await page.locator(".pill.good").waitFor();
  await page.getByText("All settings").click();
  await page.locator("#field-texture_size").fill("2048");
  await dropBytes(page, "solid chair", "chair.stl", "model/stl");
  await page.getByText("“chair.stl” is not a mesh that the server reads").waitFor();
  await page.getByText("Export it as GLB, OBJ or PLY").waitFor();
  assert.equal(await page.locator(".mesh").count(), 0);
  assert.equal(await page.getByLabel("Model", { exact: true }).inputValue(), "trellis-image-large", "nothing is changed");
  assert.equal(await page.locator("#field-texture_size").inputValue(), "2048");
  // Only the server looks inside.
  await dropBytes(page, "solid chair", "chair.obj", "");
  await drop(page, DUCK);
  await page.getByRole("button", { name: "Texture it" }).click();
  await page.getByText("this is an STL file").waitFor();
  await accessible(page, "a refused mesh");
  await chosen(page, "chair.obj");
}));

test("a mesh counts with the pictures that are there", async () => {
  const limit = (await stat(DUCK)).size + 1000;
  await visit(chromium, { rules: [], second: true, flags: ["--limits-body-bytes", String(limit)] }, async (page) => {
    await page.locator(".pill.good").waitFor();
    await drop(page, DUCK);
    await page.locator(".picture").waitFor();
    await dropBytes(page, "#".repeat(1001), "chair.obj", "");
    await page.getByText("The files are too large together").waitFor();
    assert.equal(await page.locator(".mesh").count(), 0);
  });
});

test("where nothing textures meshes, nothing of it is seen", () => visit(chromium, {}, async (page) => {
  await page.locator(".drop").waitFor();
  assert.equal(await page.getByText("Texture a mesh").count() + (await page.locator("#pick-mesh").count()), 0);
  await dropBytes(page, TETRAHEDRON, "chair.obj", "");
  await page.getByText("“chair.obj” is a mesh, not a picture").waitFor();
  assert.equal(await page.locator(".picture, .mesh").count(), 0);
}));
