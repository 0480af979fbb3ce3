// The 3D viewer's code: a file of its own, loaded while a person still looks for a picture.
import { ModelViewerElement } from "@google/model-viewer/lib/model-viewer.js";

// Elsewhere it would look for decoders of compressed models on other hosts; ours need none.
ModelViewerElement.meshoptDecoderLocation = "";

/** @typedef {InstanceType<typeof ModelViewerElement>} ModelViewer */
export { ModelViewerElement };
