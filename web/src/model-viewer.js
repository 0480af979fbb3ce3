// The 3D viewer's code: a file of its own, loaded while a person still looks for a picture.
import { ModelViewerElement } from "@google/model-viewer/lib/model-viewer.js";
import * as template from "@google/model-viewer/lib/template.js";

// The viewer's style, an export by `build.mjs`, as a sheet that the page's policy allows.
const sheet = new CSSStyleSheet();
sheet.replaceSync(/** @type {any} */ (template).css);
ModelViewerElement.elementStyles = [sheet];

/** @typedef {InstanceType<typeof ModelViewerElement>} ModelViewer */
export { ModelViewerElement };
