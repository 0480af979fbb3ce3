// A mesh that is to be textured, before it is sent. What is in it only the server looks at.

import { bad } from "./pictures.js";
import { listed, size } from "./words.js";

/** What a backend textures, as the server's facts have it. @typedef {{ meshes: string[], formats: string[], parameters: string[], max_resolution: number }} Texturing */

/** Endings of files that hold meshes, also formats that no server reads: none of them is a picture. */
const ENDINGS = ["glb", "gltf", "obj", "ply", "stl", "fbx", "dae", "3mf", "blend", "usd", "usdz", "off"];

/** @param {File} file */
const ending = ({ name }) => name.split(".").at(-1)?.toLowerCase() ?? "";

/** @param {File} file */
export const isMesh = (file) => ENDINGS.includes(ending(file)) || file.type.startsWith("model/");

/**
 * The one mesh among files, `present` where there is none.
 * @param {File[]} files @param {File | null} present @param {Texturing | undefined} texturing @param {number} mostBytes
 */
export function meshOf(files, present, texturing, mostBytes) {
  const [mesh, other] = files.filter(isMesh);
  if (!mesh) return present;
  if (!texturing) throw bad(`“${mesh.name}” is a mesh, not a picture`, "choose a picture of the object as PNG or JPEG: the server makes the mesh");
  if (other) throw bad(`“${mesh.name}” and “${other.name}” are two meshes`, "one mesh is textured at a time; save all parts of the object in one file");
  if (!texturing.meshes.includes(ending(mesh))) {
    throw bad(`“${mesh.name}” is not a mesh that the server reads`, `export it as ${listed(texturing.meshes.map((format) => format.toUpperCase()), "or")}`);
  }
  if (mesh.size === 0) throw bad(`“${mesh.name}” is empty`, "choose another file");
  if (mesh.size > mostBytes) throw bad(`“${mesh.name}” is too large: ${size(mesh.size)}`, `${size(mostBytes)} is the limit for a job; reduce its triangles first`);
  return mesh;
}
