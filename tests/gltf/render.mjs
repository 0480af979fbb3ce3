// Draws GLBs for looking at: `node render.mjs FILE.glb... OUT.png`, in headless Chromium with three.js.
// One row a file, one column a view: turned by 0, 35, 60, 90, 120 and 180 degrees, from above, and from below.
// `VIEWS` names others as degrees of turn and tilt ("0 35/10 90"), `SIZE` the pixels of each (default 320),
// `LABELS` the rows' words, separated by "|". `CHROMIUM` names the browser if it is not `chromium`;
// `NORMALS=1` paints the normals instead of the picture, `CLAY=1` the bare shape.
import { spawn } from "node:child_process";
import { createReadStream } from "node:fs";
import { readFile, stat, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { dirname, join, resolve, sep } from "node:path";
import { fileURLToPath } from "node:url";

const models = process.argv.slice(2);
const out = models.pop();
if (models.length === 0 || !out.endsWith(".png")) {
  console.error("render.mjs: name one or more GLBs, then the PNG to write");
  process.exit(2);
}

const here = dirname(fileURLToPath(import.meta.url));
const modules = join(here, "node_modules");
const views = (process.env.VIEWS ?? "0 35 60 90 120 180 0/89 0/-60")
  .split(" ")
  .map((view) => view.split("/").map(Number))
  .map(([turn, tilt = 8]) => [turn, turn === 0 && tilt === 8 ? 0 : tilt]);
const setting = {
  rows: models.length,
  views,
  size: Number(process.env.SIZE ?? 320),
  labels: process.env.LABELS?.split("|") ?? [],
  material: process.env.NORMALS === "1" ? "normals" : process.env.CLAY === "1" ? "clay" : "picture",
};

const page = `<!doctype html><style>body{margin:0}</style>
<script type="importmap">{"imports":{"three":"/modules/three/build/three.module.js"}}</script>
<script type="module">
import * as THREE from "three";
import { GLTFLoader } from "/modules/three/examples/jsm/loaders/GLTFLoader.js";
const { rows, views, size, labels, material } = ${JSON.stringify(setting)};
const head = 22;
const sheet = document.createElement("canvas");
sheet.width = views.length * size;
sheet.height = rows * (size + head);
const pen = sheet.getContext("2d");
const renderer = new THREE.WebGLRenderer({ antialias: true, preserveDrawingBuffer: true });
renderer.setSize(size, size);
const camera = new THREE.PerspectiveCamera(30, 1, 0.1, 10);
const materials = { normals: new THREE.MeshNormalMaterial(), clay: new THREE.MeshStandardMaterial({ color: 0xb8b0a8 }) };
for (let row = 0; row < rows; row += 1) {
  const scene = new THREE.Scene();
  scene.background = new THREE.Color(0x4d7f4d);
  scene.add(new THREE.AmbientLight(0xffffff, material === "clay" ? 0.6 : 1.6));
  const light = new THREE.DirectionalLight(0xffffff, 2.2);
  scene.add(light);
  const { scene: object } = await new GLTFLoader().loadAsync("/model/" + row);
  object.traverse((node) => { if (node.isMesh && materials[material]) node.material = materials[material]; });
  const box = new THREE.Box3().setFromObject(object);
  object.position.sub(box.getCenter(new THREE.Vector3()));
  const extent = box.getSize(new THREE.Vector3());
  const away = 2.2 * Math.max(extent.x, extent.y, extent.z);
  scene.add(object);
  views.forEach(([turn, tilt], column) => {
    const [t, p] = [turn, tilt].map(THREE.MathUtils.degToRad);
    camera.position.setFromSphericalCoords(away, Math.PI / 2 - p, t);
    camera.lookAt(0, 0, 0);
    light.position.setFromSphericalCoords(away, Math.max(0.1, Math.PI / 2 - p - 0.5), t - 0.6);
    renderer.render(scene, camera);
    const [left, top] = [column * size, row * (size + head)];
    pen.drawImage(renderer.domElement, left, top + head);
    pen.fillStyle = "#dfe7df";
    pen.fillRect(left, top, size - 2, head);
    pen.fillStyle = "#202820";
    pen.font = "15px sans-serif";
    const side = tilt > 60 ? "above" : tilt < -30 ? "below" : turn + "\u00b0";
    pen.fillText((column === 0 && labels[row] ? labels[row] + ", " : "") + side, left + 6, top + 16);
  });
}
const png = await new Promise((done) => sheet.toBlob(done));
await fetch("/done", { method: "POST", body: png });
</script>`;

const browserExited = Symbol("exited");

/** Serves the page, the models and three.js, and resolves with the picture that the page sends back. */
function serve() {
  let finish;
  const picture = new Promise((done) => (finish = done));
  const server = createServer(async (request, response) => {
    if (request.url === "/") {
      response.setHeader("content-type", "text/html; charset=utf-8");
      response.end(page);
    } else if (request.url.startsWith("/model/")) {
      response.end(await readFile(models[Number(request.url.slice("/model/".length))]));
    } else if (request.url === "/done") {
      const parts = await request.toArray();
      response.end();
      finish(Buffer.concat(parts));
    } else {
      const path = resolve(modules, `.${request.url.replace(/^\/modules/, "")}`);
      const known = path.startsWith(modules + sep) && (await stat(path).catch(() => null))?.isFile();
      response.statusCode = known ? 200 : 404;
      response.setHeader("content-type", "text/javascript");
      known ? createReadStream(path).pipe(response) : response.end();
    }
  });
  return { server, picture };
}

const { server, picture } = serve();
await new Promise((ready) => server.listen(0, "127.0.0.1", ready));
const browser = spawn(
  process.env.CHROMIUM ?? "chromium",
  [
    "--headless=new",
    "--no-sandbox",
    "--enable-unsafe-swiftshader",
    "--use-angle=swiftshader",
    `http://127.0.0.1:${server.address().port}/`,
  ],
  { stdio: "ignore" },
);
const exited = new Promise((done) => browser.on("exit", () => done(browserExited)).on("error", () => done(browserExited)));
const result = await Promise.race([picture, exited, new Promise((late) => setTimeout(late, 120_000, browserExited))]);
browser.kill();
server.close();
if (result === browserExited) {
  console.error("render.mjs: the browser drew nothing; set CHROMIUM to a Chromium with WebGL");
  process.exit(1);
}
await writeFile(out, result);
process.exit(0);
