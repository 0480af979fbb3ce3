"""The clients of trellis-stable-projectorz: StableProjectorz itself and scripts that send its forms."""

from __future__ import annotations

import re
import time
import unittest
from concurrent.futures import ThreadPoolExecutor

import requests
from kit import BASE64, PICTURE, URI, WithServer


class Dialect(WithServer):
    flags = ("--compat-projectorz", "--compat-projectorz-listen", "127.0.0.1:0")

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.server = cls.base
        assert cls.process.stdout
        for line in cls.process.stdout:
            if "StableProjectorz" in line and (found := re.search(r"http://127\.0\.0\.1:\d+", line)):
                cls.base = found.group(0)
                return
        raise RuntimeError("the server does not say where StableProjectorz is answered")

    def complete(self, answer: requests.Response) -> requests.Response:
        self.assertEqual(answer.status_code, 200, answer.text)
        expected = {
            "status": "COMPLETE",
            "progress": 100,
            "message": "Generation complete",
            "preview_urls": None,
            "model_url": "/download/model",
        }
        self.assertEqual(answer.json(), expected)
        return answer

    def model(self) -> bytes:
        answer = self.get("/download/model")
        self.assertEqual(answer.status_code, 200, answer.text)
        self.assertEqual(answer.headers["content-type"], "model/gltf-binary")
        self.assertIn('filename="model.glb"', answer.headers["content-disposition"])
        self.assert_glb(answer.content)
        return answer.content

    def fails(self, answer: requests.Response, status: int, detail: str) -> None:
        self.assertEqual((answer.status_code, answer.json()), (status, {"detail": detail}))


class ByThePreview(Dialect):
    """With the outline preview, which makes models and no videos."""

    def test_0_at_first_there_is_nothing(self) -> None:
        self.assertEqual(self.get("/status").json(), {"status": "FAILED", "progress": 0, "message": "", "busy": False})
        self.fails(self.get("/download/model"), 404, "Mesh not found")

    def test_a_picture_becomes_a_model_whichever_way_it_is_sent(self) -> None:
        for sent in (
            {"data": {"image_base64": BASE64, "seed": 7}},
            {"data": {"image_base64": URI, "seed": "7"}},
            {"files": {"image_base64": (None, URI), "seed": (None, "7")}},
            {"files": {"file": ("duck.png", PICTURE, "image/png")}, "data": {"seed": 7}},
        ):
            self.complete(self.post("/generate_no_preview", **sent))
            self.model()

    def test_several_pictures(self) -> None:
        lists = {"image_list_base64": [BASE64, URI], "seed": 7}
        self.complete(self.post("/generate_multi_no_preview", data=lists))
        self.model()
        files = [("file_list", ("a.png", PICTURE)), ("file_list", ("b.png", PICTURE))]
        self.complete(self.post("/generate_multi_no_preview", files=files, data={"image_list_base64": BASE64}))
        newest = requests.get(self.server + "/v1/jobs?limit=1", timeout=60).json()["jobs"][0]
        self.assertEqual(len(newest["inputs"]), 3)

    def test_what_the_panel_sends(self) -> None:
        panel = {
            "ss_strength": 4.0,
            "ss_steps": 12,
            "slat_strength": 4.0,
            "slat_steps": 12,
            "mesh_simplify": 95,
            "texture_size": 1024,
            "seed": -1,
            "single_multi_img_input": [URI],
            "skip_videos": True,
        }
        self.complete(self.post("/generate", json=panel))
        self.model()
        newest = requests.get(self.server + "/v1/jobs?limit=1", timeout=60).json()["jobs"][0]
        self.assertEqual(newest["params"]["mesh_simplify"], 0.95)
        self.assertEqual(newest["params"]["ss_guidance_strength"], 4.0)
        # Ranges of the panel that the model does not have are brought into its own, and told.
        answer = self.complete(self.post("/generate", json={**panel, "texture_size": 8192, "mesh_simplify": 100}))
        self.assertEqual(answer.headers["trellis-adjusted"], "mesh_simplify=0.98, texture_size=2048")
        # All of its errors are 500 and have the code in their text.
        self.fails(self.post("/generate", json={**panel, "single_multi_img_input": []}), 500, "400: No images provided")
        said = "500: 400: SS sampling steps must be above 0 and <= 50"
        self.fails(self.post("/generate", json={**panel, "ss_steps": 51}), 500, said)

    def test_a_preview_and_then_the_model(self) -> None:
        answer = self.post("/generate_preview", data={"image_base64": BASE64, "seed": 7, "preview_fps": 30})
        self.assertEqual(answer.status_code, 200, answer.text)
        self.assertEqual(answer.headers["trellis-ignored"], "preview_fps")
        said = answer.json()
        self.assertEqual((said["status"], said["model_url"]), ("PREVIEW_READY", None))
        self.assertEqual(said["message"], "Preview generation complete")
        self.assertEqual(
            said["preview_urls"], {"gaussian": "/download/preview/gaussian", "mesh": "/download/preview/mesh"}
        )
        # The outline preview makes no videos.
        for url in said["preview_urls"].values():
            self.fails(self.get(url), 404, "Preview not found")
        self.assertEqual(self.get("/download/preview/radiance").status_code, 422)
        self.fails(self.get("/download/model"), 404, "Mesh not found")
        for wrong in ("mesh_simplify_ratio=0", "mesh_simplify_ratio=x", "texture_size=5000"):
            refused = self.post("/resume_from_preview?" + wrong)
            self.assertEqual(refused.status_code, 422)
            self.assertEqual(refused.json()["detail"][0]["loc"], ["query", wrong.split("=")[0]])
        self.complete(self.post("/resume_from_preview?mesh_simplify_ratio=0.5&texture_size=512"))
        self.model()
        newest, preview = requests.get(self.server + "/v1/jobs?limit=2", timeout=60).json()["jobs"]
        self.assertEqual((newest["params"]["mesh_simplify"], newest["params"]["texture_size"]), (0.5, 512))
        self.assertEqual(newest["params"]["seed"], preview["params"]["seed"])
        self.assertEqual(newest["inputs"], preview["inputs"])
        said = "400: Current generation must be in preview_ready state to resume"
        self.fails(self.post("/resume_from_preview"), 500, said)
        self.assertEqual(self.get("/status").json(), {"status": "FAILED", "progress": 0, "message": said, "busy": False})
        self.model()

    def test_what_is_out_of_range_has_the_words_that_clients_know(self) -> None:
        for fields, said in (
            ({"ss_guidance_strength": 0}, "SS guidance strength must be above 0 and <= 10"),
            ({"slat_guidance_strength": 10.5}, "Slat guidance strength must be above 0 and <= 10"),
            ({"slat_sampling_steps": 0}, "Slat sampling steps must be above 0 and <= 50"),
            ({"preview_frames": 15}, "Preview frames must be above 15 and <= 1000"),
            ({"mesh_simplify_ratio": 101}, "mesh_simplify_ratio must be between 0 and 1, or between 0 and 100"),
            ({"output_format": "obj"}, "Unsupported output format"),
        ):
            with self.subTest(fields):
                answer = self.post("/generate_no_preview", data={"image_base64": BASE64, **fields})
                self.fails(answer, 500, "400: " + said)
                self.assertEqual(self.get("/status").json()["message"], "400: " + said)
        self.fails(self.post("/generate_no_preview"), 500, "400: No input images provided")
        self.fails(self.post("/generate_no_preview", data={"image_base64": ""}), 500, "400: No input images provided")
        answer = self.post("/generate_no_preview", data={"image_base64": BASE64, "seed": "x", "texture_size": "1.5"})
        self.assertEqual(answer.status_code, 422)
        self.assertEqual([problem["loc"] for problem in answer.json()["detail"]], [["body", "seed"], ["body", "texture_size"]])

    def test_a_picture_that_is_none(self) -> None:
        for sent, said in (
            ({"data": {"image_base64": "***"}}, "400: Invalid base64 data: "),
            ({"data": {"image_base64": "aGVsbG8="}}, "400: get_image - issue opening the image file: "),
            ({"files": {"file": ("a.png", b"hello")}}, "400: get_image - issue opening the image file: "),
        ):
            answer = self.post("/generate_no_preview", **sent)
            self.assertEqual(answer.status_code, 500, answer.text)
            self.assertTrue(answer.json()["detail"].startswith(said), answer.text)

    def test_what_a_client_asks_beside(self) -> None:
        ping = {"status": "running", "message": "Trellis API is operational", "busy": False}
        self.assertEqual(self.get("/ping").json(), ping)
        self.assertEqual(self.get("/info/supported_operations").json(), ["make_meshes_and_tex"])
        self.assertEqual(self.post("/interrupt").json(), {"status": "no_generation_in_progress"})
        layout = self.get("/download/spz-ui-layout/generation-3d-panel")
        self.assertEqual(layout.headers["content-type"], "text/plain; charset=utf-8")
        names = re.findall(r"code_name=\((\w+)\)", layout.text)
        fields = ["ss_strength", "ss_steps", "slat_strength", "slat_steps", "mesh_simplify", "texture_size", "seed"]
        self.assertEqual(names, ["single_multi_img_input", *fields])
        self.fails(self.get("/nowhere"), 404, "Not Found")
        self.fails(self.get("/generate"), 405, "Method Not Allowed")


class ByTrellis(Dialect):
    """With a worker of the stand-in, which makes videos too, and takes its time."""

    rules = [{"at": "structured_latent", "do": "sleep", "seconds": 0.1}, {"at": "decode", "do": "sleep", "seconds": 1}]

    def test_a_preview_is_a_video_and_then_a_model(self) -> None:
        said = self.post("/generate_preview", data={"image_base64": BASE64, "seed": 7}).json()
        self.assertEqual(said["status"], "PREVIEW_READY", said)
        videos = [self.get(url) for url in said["preview_urls"].values()]
        for kind, video in zip(("gaussian", "mesh"), videos, strict=True):
            self.assertEqual((video.status_code, video.headers["content-type"]), (200, "video/mp4"), video.text[:200])
            self.assertIn(f'filename="preview_{kind}.mp4"', video.headers["content-disposition"])
            self.assertEqual(video.content[4:8], b"ftyp")
        self.assertEqual(videos[0].content, videos[1].content)
        self.fails(self.get("/download/model"), 404, "Mesh not found")
        self.complete(self.post("/resume_from_preview"))
        self.model()
        self.fails(self.get("/download/preview/mesh"), 404, "Preview not found")

    def test_what_the_program_asks_from_its_start_to_a_model(self) -> None:
        """StableProjectorz's own order of calls: looks for the server, draws its panel, generates, polls, fetches."""
        self.assertEqual(self.get("/ping").json()["status"], "running")
        self.assertEqual(self.get("/info/supported_operations").json(), ["make_meshes_and_tex"])
        layout = self.get("/download/spz-ui-layout/generation-3d-panel").text
        names = set(re.findall(r"code_name=\((\w+)\)", layout))
        panel = {"ss_strength": 7.5, "ss_steps": 12.0, "slat_strength": 3.0, "slat_steps": 12.0, "mesh_simplify": 95.0}
        panel = {**panel, "texture_size": 1024, "seed": 1, "single_multi_img_input": [BASE64]}
        self.assertEqual(names, set(panel))
        panel["generate_what"] = "make_meshes_and_tex"
        told = []
        with ThreadPoolExecutor(1) as beside:
            answer = beside.submit(self.post, "/generate", json=panel, headers={"expect": "100-continue"})
            # It gives up at any other status while it has no answer.
            while not answer.done():
                status = self.get("/status").json()
                if status["status"] != "PROCESSING":
                    self.complete(answer.result(timeout=1))
                    break
                told.append(status)
                time.sleep(0.1)
            self.complete(answer.result())
        progress = [status["progress"] for status in told]
        self.assertEqual(progress, sorted(progress))
        self.assertGreater(len(set(progress)), 1, told)
        done = {"status": "COMPLETE", "progress": 100, "message": "Generation complete", "busy": False}
        self.assertEqual(self.get("/status").json(), done)
        self.model()


if __name__ == "__main__":
    unittest.main()
