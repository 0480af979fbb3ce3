"""NVIDIA's NIM for TRELLIS: its API reference for `infer`, and what its clients are known to read."""

from __future__ import annotations

import base64
import socket
import time
import unittest
from urllib.parse import urlsplit

import requests
from kit import URI, WithServer


class Nim(WithServer):
    def infer(self, **body: object) -> requests.Response:
        return self.post("/v1/infer", json=body, headers={"Accept": "application/json"})

    def test_a_picture_becomes_a_glb_in_one_request(self) -> None:
        answer = self.infer(image=URI, seed=7)
        self.assertEqual(answer.status_code, 200, answer.text)
        [artifact] = answer.json()["artifacts"]
        self.assertEqual(artifact["finishReason"], "SUCCESS")
        self.assertEqual(artifact["seed"], 7)
        self.assert_glb(base64.b64decode(artifact["base64"]))

    def test_every_field_of_the_reference_is_taken(self) -> None:
        answer = self.infer(
            mode="image",
            prompt=None,
            image=[URI, URI],
            multiimage_algo="multidiffusion",
            ss_cfg_scale=7.5,
            slat_cfg_scale=3.0,
            ss_sampling_steps=10,
            slat_sampling_steps=50,
            samples=1,
            seed=4294967295,
            no_texture=False,
            output_format="stl",
        )
        self.assertEqual(answer.status_code, 200, answer.text)
        [artifact] = answer.json()["artifacts"]
        stl = base64.b64decode(artifact["base64"])
        self.assertEqual(len(stl), 84 + 50 * int.from_bytes(stl[80:84], "little"))
        self.assertEqual(artifact["seed"], 4294967295)

    def test_seed_0_is_a_random_one_that_is_told(self) -> None:
        seeds = {self.infer(image=URI, seed=0).json()["artifacts"][0]["seed"] for _ in range(2)}
        self.assertEqual(len(seeds), 2)
        self.assertNotIn(0, seeds)

    def test_without_a_texture_there_is_no_picture_in_the_glb(self) -> None:
        with_it = base64.b64decode(self.infer(image=URI, seed=7).json()["artifacts"][0]["base64"])
        answer = self.infer(image=URI, seed=7, no_texture=True)
        self.assertEqual(answer.status_code, 200, answer.text)
        glb = base64.b64decode(answer.json()["artifacts"][0]["base64"])
        self.assert_glb(glb)
        self.assertIn(b'"images"', with_it)
        self.assertNotIn(b'"images"', glb)
        self.assertLess(len(glb), len(with_it))

    def test_a_charset_and_a_key_that_nobody_asked_for_are_taken(self) -> None:
        headers = {"Content-Type": "application/json; charset=utf-8", "Authorization": "Bearer nvapi-anything"}
        answer = self.post("/v1/infer", json={"image": URI}, headers=headers)
        self.assertEqual(answer.status_code, 200, answer.text)

    def test_what_is_wrong_is_told_as_fastapi_does(self) -> None:
        for body, field in [
            ({"image": URI, "ss_cfg_scale": 1.0}, "ss_cfg_scale"),
            ({"image": URI, "slat_cfg_scale": 10.5}, "slat_cfg_scale"),
            ({"image": URI, "ss_sampling_steps": 9}, "ss_sampling_steps"),
            ({"image": URI, "slat_sampling_steps": 51}, "slat_sampling_steps"),
            ({"image": URI, "samples": 2}, "samples"),
            ({"image": URI, "seed": -1}, "seed"),
            ({"image": URI, "seed": 2**32}, "seed"),
            ({"image": URI, "output_format": "obj"}, "output_format"),
            ({"image": URI, "multiimage_algo": "mean"}, "multiimage_algo"),
            ({"image": URI, "no_texture": "maybe"}, "no_texture"),
            ({"image": URI, "colour": "red"}, "colour"),
        ]:
            with self.subTest(field=field):
                answer = self.infer(**body)
                self.assertEqual(answer.status_code, 422, answer.text)
                [problem] = answer.json()["detail"]
                self.assertEqual(problem["loc"], ["body", field])
                self.assertTrue(problem["msg"] and problem["type"], problem)

    def test_neither_and_both_and_text(self) -> None:
        self.assertIn("either image or prompt", self.infer().json()["detail"])
        self.assertEqual(self.infer().status_code, 422)
        both = self.infer(image=URI, prompt="a chair")
        self.assertEqual((both.status_code, both.json()["detail"]), (422, "Multiple prompt fields are detected"))
        self.assertEqual(self.infer(image=URI, prompt=None).status_code, 200)
        text = self.infer(prompt="a chair")
        self.assertEqual(text.status_code, 422)
        self.assertIn("text", str(text.json()["detail"]))
        self.assertEqual(self.infer(mode="text", prompt="a chair").status_code, 422)

    def test_a_picture_that_is_none(self) -> None:
        for image in ["data:image/png;base64,aGVsbG8=", "https://example.org/chair.png", "data:image/png;base64,***", 7]:
            answer = self.infer(image=image)
            self.assertEqual(answer.status_code, 422, answer.text)
            self.assertTrue(answer.json()["detail"])
        # A picture without an object is a failure of the work, not of the request.
        empty = "data:image/png;base64," + base64.b64encode(flat()).decode()
        answer = self.infer(image=empty)
        self.assertIn(answer.status_code, (422, 500), answer.text)
        self.assertTrue(answer.json()["detail"])

    def test_health_as_its_clients_ask_for_it(self) -> None:
        for path in ["/v1/health/live", "/v1/health/ready", "/health/ready"]:
            answer = self.get(path)
            self.assertEqual(answer.status_code, 200, path)
        ready = self.get("/v1/health/ready").json()
        self.assertEqual((ready["status"], ready["object"]), ("ready", "health.response"))
        self.assertTrue(ready["message"])
        head = requests.head(self.base + "/v1/infer", timeout=10)
        self.assertEqual(head.status_code, 405)

    def test_metadata_and_models_name_what_runs(self) -> None:
        metadata = self.get("/v1/metadata").json()
        self.assertTrue(all(entry["shortName"] for entry in metadata["modelInfo"]), metadata)
        models = self.get("/v1/models").json()
        self.assertEqual(models["object"], "list")
        self.assertTrue(all(entry["object"] == "model" and entry["id"] for entry in models["data"]), models)
        version = self.get("/v1/version").json()
        self.assertTrue(version["release"] and version["api"])

    def test_the_schema_has_what_clients_look_for_where_they_look(self) -> None:
        schema = self.get("/openapi.json").json()["components"]["schemas"]["Object3DRequest"]["properties"]

        def literals(field: str) -> set[str]:
            found: set[str] = set()
            for branch in schema[field]["anyOf"]:
                found.update(branch.get("enum", []) + ([branch["const"]] if "const" in branch else []))
            return found

        self.assertEqual(literals("mode"), {"image"})
        self.assertEqual(literals("output_format"), {"glb", "stl"})
        self.assertEqual(literals("multiimage_algo"), {"stochastic", "multidiffusion"})
        self.assertTrue(any(branch.get("type") == "array" for branch in schema["image"]["anyOf"]))
        self.assertEqual(schema["samples"]["maximum"], 1)

    def test_a_client_that_hangs_up_cancels_its_job(self) -> None:
        # Jobs of others first, so that this one is still waiting when its client hangs up.
        place = urlsplit(self.base)
        before = {job["id"] for job in self.get("/v1/jobs?limit=100").json()["jobs"]}
        body = ('{"image": "' + "data:image/png;base64," + base64.b64encode(large()).decode() + '"}').encode()
        with socket.create_connection((place.hostname, place.port)) as stream:
            head = f"POST /v1/infer HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
            stream.sendall(head.encode() + body)
            job = self.until(lambda: next((job for job in self.jobs() if job["id"] not in before), None))
        ended = self.until(lambda: next((it for it in self.jobs() if it["id"] == job["id"] and it["state"] in ENDS), None))
        self.assertEqual(ended["state"], "cancelled")

    def jobs(self) -> list[dict[str, object]]:
        return self.get("/v1/jobs?limit=100").json()["jobs"]

    def until(self, found: object) -> dict[str, object]:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            if value := found():  # type: ignore[operator]
                return value
            time.sleep(0.02)
        self.fail("it did not come")


ENDS = ("succeeded", "failed", "cancelled")


def flat() -> bytes:
    """A picture of one colour."""
    from kit import picture

    return picture(2)


def large() -> bytes:
    """One that takes a while."""
    from kit import picture

    return picture(1500)


if __name__ == "__main__":
    unittest.main()
