// Bundles the page into web/dist: hashed names, each file compressed once by brotli, and index.html that names them.
import { createHash } from "node:crypto";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, constants } from "node:zlib";
import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const dist = join(here, "dist");

/**
 * model-viewer's style element would need `unsafe-inline` in the page's policy. Its text becomes an export, of which
 * `model-viewer.js` makes a style sheet.
 * @type {import("esbuild").Plugin}
 */
const styleAsExport = {
  name: "style-as-export",
  setup(build) {
    build.onLoad({ filter: /model-viewer\/lib\/template\.js$/ }, async ({ path }) => {
      const text = await readFile(path, "utf8");
      const style = text.match(/<style>(.*?)<\/style>/s);
      if (!style || style[1].includes("${")) throw new Error(`${path}: no style element of plain text`);
      return { contents: `${text.replace(style[0], "")}\nexport const css = ${JSON.stringify(style[1])};`, loader: "js" };
    });
  },
};

/**
 * The decoder of meshopt's compression compiles WebAssembly as soon as it is loaded, which the page's policy forbids. No
 * model of ours is compressed like that.
 * @type {import("esbuild").Plugin}
 */
const withoutMeshopt = {
  name: "without-meshopt",
  setup(build) {
    build.onLoad({ filter: /meshopt_decoder\.module\.js$/ }, () => ({
      contents: "export const MeshoptDecoder = { supported: false, ready: Promise.resolve() };",
      loader: "js",
    }));
  },
};

const { outputFiles, metafile } = await build({
  entryPoints: [join(here, "src/main.js"), join(here, "src/style.css")],
  outdir: join(dist, "ui"),
  absWorkingDir: here,
  bundle: true,
  splitting: true,
  format: "esm",
  target: "es2022",
  minify: true,
  entryNames: "[name]-[hash]",
  chunkNames: "[name]-[hash]",
  assetNames: "[name]-[hash]",
  loader: { ".webp": "file" },
  legalComments: "linked",
  metafile: true,
  write: false,
  plugins: [styleAsExport, withoutMeshopt],
});

// The folder itself stays: cargo looks at its date for whether to build again.
await Promise.all(["ui", "index.html", "index.html.br"].map((name) => rm(join(dist, name), { recursive: true, force: true })));
await mkdir(join(dist, "ui"), { recursive: true });

/** Writes a file, and beside it its compressed form where that is smaller. */
async function put(/** @type {string} */ path, /** @type {Uint8Array} */ bytes) {
  await writeFile(path, bytes);
  const small = brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } });
  if (small.length < bytes.length * 0.9) await writeFile(`${path}.br`, small);
  return small.length;
}

const sizes = [];
for (const { path, contents } of outputFiles) {
  // The notices of licences are named after what they are of: they have no hash of their own, and need none.
  sizes.push([basename(path), contents.length, await put(path, contents)]);
}
/** The hashed name of an entry. */
const named = (/** @type {string} */ entry) => {
  const found = Object.entries(metafile.outputs).find(([, output]) => output.entryPoint === entry);
  if (!found) throw new Error(`no output of ${entry}`);
  return basename(found[0]);
};
const icon = await readFile(join(here, "src/icon.svg"));
const iconName = `icon-${createHash("sha256").update(icon).digest("hex").slice(0, 8)}.svg`;
await put(join(dist, "ui", iconName), icon);
const page = (await readFile(join(here, "src/index.html"), "utf8"))
  .replace("{script}", `ui/${named("src/main.js")}`)
  .replace("{style}", `ui/${named("src/style.css")}`)
  .replaceAll("{icon}", `ui/${iconName}`);
sizes.push(["index.html", page.length, await put(join(dist, "index.html"), new TextEncoder().encode(page))]);
for (const [name, size, small] of sizes) console.log(`${String(size).padStart(9)} ${String(small).padStart(8)} br  ${name}`);
