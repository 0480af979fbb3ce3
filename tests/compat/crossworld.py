"""The client of k0sti/crossworld: what its types and its retries need."""

from __future__ import annotations

import unittest

from kit import BASE64, URI, WithServer


class Crossworld(WithServer):
    flags = ("--compat-crossworld",)

    def generate(self, query: str = "", **body: object) -> dict[str, object]:
        answer = self.post("/generate" + query, json=body)
        self.assertEqual(answer.status_code, 200, answer.text)
        self.headers = answer.headers
        return answer.json()

    def test_the_preview_says_that_it_is_ready_and_what_it_is(self) -> None:
        health = self.get("/health").json()
        self.assertEqual((health["status"], health["model_loaded"]), ("ready", True))
        self.assertEqual((health["trellis_available"], health["gpu_available"]), (False, False))
        self.assertEqual(health["gpu_name"], "none: outline preview")
        self.assertNotIn("error", health)

    def test_a_picture_becomes_a_coloured_mesh(self) -> None:
        for image in (BASE64, URI):
            mesh = self.generate(image=image, seed=7)
            count = len(mesh["vertices"])
            self.assertGreater(count, 100)
            self.assertEqual(len(mesh["vertex_colors"]), count)
            self.assertEqual(len(mesh["vertex_normals"]), count)
            self.assertTrue(all(len(face) == 3 and max(face) < count for face in mesh["faces"]))
            self.assertTrue(all(0 <= value <= 1 for colour in mesh["vertex_colors"] for value in colour))
            # The disc is red on its front, where its normals look.
            front = [
                colour
                for colour, normal in zip(mesh["vertex_colors"], mesh["vertex_normals"], strict=True)
                if normal[2] > 0.9
            ]
            red, green, _ = (sum(values) / len(front) for values in zip(*front, strict=True))
            self.assertGreater(red, 1.5 * green)
            self.assertNotIn("glb_data", mesh)
            self.assert_glb(self.get(mesh["glb_url"]).content)

    def test_the_glb_comes_as_numbers_where_it_is_asked_for(self) -> None:
        mesh = self.generate("?glb_data=1", image=BASE64, seed=7)
        self.assert_glb(bytes(mesh["glb_data"]))

    def test_all_that_its_client_sends_is_taken(self) -> None:
        self.generate(
            image=BASE64,
            seed=42,
            resolution="1024",
            ss_guidance_strength=7.5,
            ss_sampling_steps=12,
            shape_slat_guidance_strength=3.0,
            shape_slat_sampling_steps=12,
            tex_slat_guidance_strength=3.0,
            tex_slat_sampling_steps=12,
        )
        ignored = self.headers["trellis-ignored"]
        self.assertEqual(ignored, "resolution, tex_slat_sampling_steps, tex_slat_guidance_strength")

    def test_what_is_wrong_is_a_client_error(self) -> None:
        for body in ({}, {"image": "***"}, {"image": BASE64, "seed": "x"}, {"image": BASE64, "ss_sampling_steps": 1000}):
            answer = self.post("/generate", json=body)
            self.assertEqual(answer.status_code, 422, answer.text)
            self.assertTrue(answer.json()["detail"])


class Off(WithServer):
    def test_nothing_answers_where_it_is_not_switched_on(self) -> None:
        self.assertEqual(self.get("/health").status_code, 404)
        self.assertEqual(self.post("/generate", json={"image": BASE64}).status_code, 404)


if __name__ == "__main__":
    unittest.main()
