// Draws a GLB for looking at: `node render.mjs FILE.glb OUT.png`, in headless Chromium with three.js.
// Four views: front, turned by 35 degrees, from above at 75 degrees, and the back. `CHROMIUM` names the
// browser if it is not `chromium`; `NORMALS=1` paints the normals instead of the picture.
import { spawn } from "node:child_process";
import { createReadStream } from "node:fs";
import { readFile, stat, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { dirname, join, resolve, sep } from "node:path";
import { fileURLToPath } from "node:url";

const [model, out] = process.argv.slice(2);
if (!model || !out) {
  console.error("render.mjs: name a GLB and the PNG to write");
  process.exit(2);
}

const here = dirname(fileURLToPath(import.meta.url));
const modules = join(here, "node_modules");
const normals = process.env.NORMALS === "1";

const page = `<!doctype html><style>body{margin:0}</style>
<script type="importmap">{"imports":{"three":"/modules/three/build/three.module.js"}}</script>
<script type="module">
import * as THREE from "three";
import { GLTFLoader } from "/modules/three/examples/jsm/loaders/GLTFLoader.js";
const size = 512;
const renderer = new THREE.WebGLRenderer({ antialias: true, preserveDrawingBuffer: true });
renderer.setSize(2 * size, 2 * size);
renderer.setScissorTest(true);
document.body.append(renderer.domElement);
const scene = new THREE.Scene();
scene.background = new THREE.Color(0x4d7f4d);
scene.add(new THREE.AmbientLight(0xffffff, 1.6));
const camera = new THREE.PerspectiveCamera(30, 1, 0.1, 10);
const light = new THREE.DirectionalLight(0xffffff, 2.2);
scene.add(light);
const { scene: object } = await new GLTFLoader().loadAsync("/model.glb");
if (${normals}) object.traverse((node) => { if (node.isMesh) node.material = new THREE.MeshNormalMaterial(); });
scene.add(object);
const views = [[0, 0], [35, 10], [75, 25], [180, 0]];
views.forEach(([turn, tilt], index) => {
  const [t, p] = [turn, tilt].map(THREE.MathUtils.degToRad);
  camera.position.setFromSphericalCoords(2.2, Math.PI / 2 - p, t);
  camera.lookAt(0, 0, 0);
  light.position.setFromSphericalCoords(2.2, Math.PI / 2 - p - 0.5, t - 0.6);
  const corner = [(index % 2) * size, (1 - (index >> 1)) * size];
  renderer.setViewport(...corner, size, size);
  renderer.setScissor(...corner, size, size);
  renderer.render(scene, camera);
});
const png = await new Promise((done) => renderer.domElement.toBlob(done));
await fetch("/done", { method: "POST", body: png });
</script>`;

const browserExited = Symbol("exited");

/** Serves the page, the model and three.js, and resolves with the picture that the page sends back. */
function serve() {
  let finish;
  const picture = new Promise((done) => (finish = done));
  const server = createServer(async (request, response) => {
    if (request.url === "/") {
      response.setHeader("content-type", "text/html");
      response.end(page);
    } else if (request.url === "/model.glb") {
      response.end(await readFile(model));
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
const result = await Promise.race([picture, exited, new Promise((late) => setTimeout(late, 60_000, browserExited))]);
browser.kill();
server.close();
if (result === browserExited) {
  console.error("render.mjs: the browser drew nothing; set CHROMIUM to a Chromium with WebGL");
  process.exit(1);
}
await writeFile(out, result);
process.exit(0);
