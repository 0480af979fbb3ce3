// Checks GLB files with the Khronos glTF validator: `node validate.mjs FILE...`.
// Prints the counts for each file; exits with 1 if any has an error or a warning, 2 on wrong usage.
import { readFile } from "node:fs/promises";
import { basename } from "node:path";

import validator from "gltf-validator";

const files = process.argv.slice(2);
if (files.length === 0) {
  console.error("validate.mjs: name the GLB files to check");
  process.exit(2);
}

let refused = 0;
for (const file of files) {
  const report = await validator.validateBytes(new Uint8Array(await readFile(file)), { uri: basename(file) });
  const { numErrors, numWarnings, numInfos, numHints, messages } = report.issues;
  const { totalTriangleCount, totalVertexCount } = report.info;
  console.log(
    `${basename(file)}: ${numErrors} errors, ${numWarnings} warnings, ${numInfos} infos, ${numHints} hints; ` +
      `${totalVertexCount} vertices, ${totalTriangleCount} triangles`,
  );
  for (const { code, message, pointer } of messages) {
    console.log(`  ${code} ${pointer ?? ""}: ${message}`);
  }
  refused += numErrors + numWarnings > 0 ? 1 : 0;
}
console.log(`${files.length - refused} of ${files.length} files without errors and warnings`);
process.exit(refused > 0 ? 1 : 0);
