"""TRELLIS.2 through a real worker process with its stand-in, and what is computed beside it."""

from __future__ import annotations

import json
import struct
import sys
import tempfile
import threading
import unittest
import zlib
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

from trellis_worker import views
from trellis_worker.checkpoints import local
from trellis_worker.families import trellis2, trellis2_turntable
from trellis_worker.families import trellis2_texturing as texturing
from trellis_worker.family import Run, own_params
from trellis_worker.placement import Placement
from trellis_worker.protocol import Params
from trellis_worker.stages import Stages
from trellis_worker.texture.alpha import alpha_mode

from .kit import FAKE, Recorded, Worker, WorkerCase, model

sys.path.insert(0, str(FAKE))
ROOT = Path(__file__).resolve().parents[2]

STAGES = [
    "preprocess",
    "condition",
    "sparse_structure",
    "structured_latent",
    "texture_latent",
    "decode",
    "simplify",
    "texture",
    "export",
]


def usual() -> dict[str, Any]:
    """A job's parameters for this model, as the server fills them in."""
    snapshot = ROOT / "crates/trellis-core/src/params/snapshots"
    text = (snapshot / "trellis_core__params__tests__defaults_are_trellis_own.snap").read_text("utf-8")
    return dict(json.loads(text.split("---\n", 2)[2])[1])


def read_vxz(content: bytes) -> tuple[dict[str, Any], dict[str, bytes]]:
    """The header of a voxel file, and what each attribute has, chunk after chunk."""
    assert content[:4] == b"VXZ\0"
    begin = int.from_bytes(content[4:8], "big")
    header = json.loads(content[8:begin])
    attributes: dict[str, bytes] = {}
    for chunk in header["chunks"]:
        for name, _ in header["attr"]:
            at = begin + chunk["ptr"][0] + chunk[name][0]
            found = zlib.decompress(content[at : at + chunk[name][1]], wbits=-15)
            attributes[name] = attributes.get(name, b"") + found
    return header, attributes


class Trellis2Case(WorkerCase):
    def write_model(self) -> None:
        model.write_trellis2(self.folder)

    def loaded(self) -> Worker:
        worker = self.start()
        self.assertEqual(worker.load(model="trellis2-4b")["type"], "loaded")
        return worker

    def of_trellis2(self, **changes: Any) -> dict[str, Any]:
        of_the_job = ("pictures", "low_vram", "latents", "keep_latents")
        request = self.request(**{name: changes.pop(name) for name in of_the_job if name in changes})
        return {**request, "params": {**usual(), "quality": "exact", **changes}}

    def run_job(self, worker: Worker, request: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        """How it ended, and the steps of each stage."""
        worker.send(request)
        steps: dict[str, list[tuple[int, int]]] = {}
        while (message := worker.until("progress", "done", "failed", "cancelled"))["type"] == "progress":
            steps.setdefault(message["stage"], []).append((message["step"], message["total"]))
        return message, steps


class Loading(Trellis2Case):
    def test_models_are_loaded_from_the_folder_and_settings_are_told(self) -> None:
        answer = self.start().load(model="trellis2-4b")
        self.assertEqual(answer["type"], "loaded", answer)
        self.assertIn("SPARSE_CONV_BACKEND=flex_gemm", answer["determinism"])
        self.assertIn("FlexGEMM's tuning: not recorded", answer["determinism"])

    def failure(self) -> dict[str, Any]:
        answer = self.start().load(model="trellis2-4b")
        self.assertEqual(answer["type"], "failed", answer)
        return answer

    def keys(self, checkpoint: str, *names: str) -> None:
        """Has a checkpoint hold weights of these names."""
        header = {
            name: {"dtype": "F32", "shape": [4], "data_offsets": [16 * at, 16 * at + 16]}
            for at, name in enumerate(names)
        }
        text = json.dumps(header).encode("utf-8")
        content = struct.pack("<Q", len(text)) + text + bytes(16 * len(names))
        (self.folder / "ckpts" / f"{checkpoint}.safetensors").write_bytes(content)

    def test_a_weight_that_is_missing_is_named(self) -> None:
        self.keys("shape_dec")
        answer = self.failure()
        self.assertEqual(answer["kind"], "checkpoint_corrupt")
        self.assertIn("`ckpts/shape_dec` does not fit: it lacks `weight`", answer["message"])

    def test_a_weight_that_is_too_much_is_named(self) -> None:
        self.keys("tex_dec", "weight", "blocks.0.conv.conv.weight")
        answer = self.failure()
        self.assertEqual(answer["kind"], "checkpoint_corrupt")
        self.assertIn("`blocks.0.conv.conv.weight`", answer["message"])

    def test_the_decoder_of_the_other_repository_is_looked_for_in_the_folder(self) -> None:
        (self.folder / "ckpts" / "ss_dec.safetensors").unlink()
        answer = self.failure()
        self.assertEqual(answer["kind"], "checkpoint_missing")
        self.assertIn("`ckpts/ss_dec.safetensors`", answer["message"])

    def test_without_dinov3_it_says_so(self) -> None:
        (self.folder / "dinov3" / "model.safetensors").unlink()
        answer = self.failure()
        self.assertEqual(answer["kind"], "checkpoint_missing")
        self.assertIn("`dinov3/model.safetensors`", answer["message"])

    def test_a_dinov3_that_lacks_weights_is_refused(self) -> None:
        (self.folder / "dinov3" / "config.json").write_text('{"missing": ["layer.3.norm1.weight"]}')
        answer = self.failure()
        self.assertEqual(answer["kind"], "checkpoint_corrupt")
        self.assertIn("`layer.3.norm1.weight`", answer["message"])


class Jobs(Trellis2Case):
    def test_each_stage_tells_its_own_steps(self) -> None:
        request = self.of_trellis2(
            ss_sampling_steps=3, shape_slat_sampling_steps=2, tex_slat_sampling_steps=4
        )
        done, steps = self.run_job(self.loaded(), request)
        self.assertEqual(done["type"], "done", done)
        self.assertEqual(list(steps), STAGES)
        self.assertEqual([time["stage"] for time in done["stages"]], STAGES)
        self.assertEqual(steps["condition"][-1], (2, 2))
        self.assertEqual(steps["sparse_structure"], [(step, 3) for step in range(4)])
        self.assertEqual(steps["structured_latent"], [(step, 4) for step in range(5)])
        self.assertEqual(steps["texture_latent"], [(step, 4) for step in range(5)])
        self.assertEqual(steps["decode"], [(step, 8) for step in range(9)])
        self.assertEqual(steps["simplify"], [(step, 4) for step in range(5)])
        self.assertEqual(steps["texture"], [(step, 2) for step in range(3)])
        self.assertTrue((Path(request["out"]) / "model.glb").read_bytes().startswith(b"glTF"))

    def test_at_512_there_is_one_sampler_of_the_shape(self) -> None:
        request = self.of_trellis2(resolution=512, shape_slat_sampling_steps=2)
        done, steps = self.run_job(self.loaded(), request)
        self.assertEqual(done["type"], "done", done)
        self.assertEqual(steps["structured_latent"][-1], (2, 2))
        self.assertEqual(steps["condition"][-1], (1, 1))

    def test_without_colours_none_are_sampled(self) -> None:
        worker = self.loaded()
        for changes in ({"formats": ["stl"]}, {"formats": ["glb", "stl"], "texture": False}):
            done, steps = self.run_job(worker, self.of_trellis2(**changes))
            self.assertEqual(done["type"], "done", done)
            self.assertNotIn("texture_latent", steps)
            self.assertNotIn("texture", steps)
            self.assertEqual(steps["decode"][-1], (4, 4))

    def test_every_format_is_made(self) -> None:
        request = self.of_trellis2(formats=["glb", "stl", "ply"])
        done, _ = self.run_job(self.loaded(), request)
        self.assertEqual(done["type"], "done", done)
        names = sorted(file.name for file in Path(request["out"]).iterdir())
        self.assertEqual(names, ["model.glb", "model.ply", "model.stl"])
        self.assertTrue(any("`decimation_target` does not apply" in note for note in done["notes"]))

    def test_a_voxel_file_holds_surface_and_materials(self) -> None:
        request = self.of_trellis2(formats=["vxz"], texture=False, resolution=512)
        done, steps = self.run_job(self.loaded(), request)
        self.assertEqual(done["type"], "done", done)
        self.assertIn("texture_latent", steps, "materials are sampled whether a GLB has a texture or not")
        self.assertEqual([stage for stage in steps if stage in {"simplify", "texture"}], [])
        self.assertIn("the grid of the `.vxz` file has 512 voxels a side", done["notes"])
        header, attributes = read_vxz((Path(request["out"]) / "model.vxz").read_bytes())
        self.assertEqual([chunk["idx"] for chunk in header["chunks"]], [[0, 0, 0], [0, 0, 1]])
        self.assertEqual(header["num_voxel"], 3)
        # What is beyond 0 and 1 is taken for the nearest.
        self.assertEqual(attributes["base_color"][1:3], bytes([64, 255]))
        self.assertEqual(attributes["metallic"], bytes([0] * 3))
        self.assertEqual(attributes["roughness"], bytes([128] * 3))
        self.assertEqual(attributes["alpha"], bytes([255] * 3))
        self.assertEqual(attributes["dual_vertices"][:2], bytes([128, 255]))
        self.assertEqual(attributes["intersected"], bytes([0b101] * 3))

    def test_a_turntable_is_drawn_frame_by_frame_without_nvidia_s_rasteriser(self) -> None:
        request = self.of_trellis2(formats=["turntable"], texture=False)
        done, steps = self.run_job(self.loaded(), request)
        self.assertEqual(done["type"], "done", done)
        self.assertEqual(steps["export"], [(step, 120) for step in range(121)])
        self.assertIn("texture_latent", steps)
        self.assertEqual(done["non_commercial"], [])
        film = (Path(request["out"]) / "turntable.mp4").read_bytes()
        self.assertTrue(film.endswith(b"." * 120) and not film.endswith(b"." * 121), film)

    def test_nvidias_rasteriser_is_named_where_it_took_part(self) -> None:
        worker = self.loaded()
        # The decoder's package imports it at once, and that is not to take part.
        for changes, expected in (
            ({"formats": ["stl"]}, []),
            ({"formats": ["glb"]}, ["nvdiffrast"]),
            ({"formats": ["glb"], "texture": False}, []),
        ):
            done, _ = self.run_job(worker, self.of_trellis2(**changes))
            self.assertEqual((done["type"], done["non_commercial"]), ("done", expected), changes)

    def test_a_resolution_that_was_lowered_is_told(self) -> None:
        worker = self.loaded()
        done, _ = self.run_job(worker, self.of_trellis2(resolution=1536, max_num_tokens=500))
        self.assertTrue(done["notes"][0].startswith("made at a resolution of 1024 in place of 1536"), done)
        done, _ = self.run_job(worker, self.of_trellis2(resolution=1536))
        self.assertFalse(any("in place of" in note for note in done["notes"]))

    def test_a_cancel_ends_it_at_each_stage(self) -> None:
        places = [
            "condition",
            "sparse_structure",
            "structured_latent",
            "texture_latent",
            "decode",
            "simplify",
        ]
        self.script(*({"at": place, "do": "sleep", "seconds": 0.2} for place in [*places, "texture"]))
        worker = self.loaded()
        for stage in [*places, "texture"]:
            request = self.of_trellis2(low_vram=True)
            worker.send(request)
            while worker.until("progress")["stage"] != stage:
                pass
            worker.send({"type": "cancel", "job": request["job"]})
            ended = worker.until("cancelled", "done", "failed")
            self.assertEqual(ended["type"], "cancelled", stage)
        self.script()
        done, _ = self.run_job(worker, self.of_trellis2())
        self.assertEqual(done["type"], "done", "nothing is left behind")

    def test_an_empty_mesh_is_an_implausible_result(self) -> None:
        self.script({"at": "decode", "do": "empty"})
        failed, _ = self.run_job(self.loaded(), self.of_trellis2())
        self.assertEqual((failed["type"], failed["kind"]), ("failed", "implausible_result"), failed)

    def test_memory_that_runs_out_is_told_and_low_vram_suffices(self) -> None:
        self.script({"at": "condition", "do": "out_of_memory", "only_high_vram": True})
        worker = self.loaded()
        failed, _ = self.run_job(worker, self.of_trellis2(low_vram=False))
        self.assertEqual(failed["kind"], "gpu_out_of_memory")
        done, _ = self.run_job(worker, self.of_trellis2(low_vram=True))
        self.assertEqual(done["type"], "done", done)

    def test_several_pictures_are_taken_both_ways(self) -> None:
        worker = self.loaded()
        for way in ("stochastic", "multidiffusion"):
            done, _ = self.run_job(worker, self.of_trellis2(pictures=3, multiimage_algo=way, formats=["stl"]))
            self.assertEqual(done["type"], "done", done)


class Kept(Trellis2Case):
    """What was sampled, made into files again."""

    def kept(self, worker: Worker, **changes: Any) -> tuple[Path, dict[str, bytes]]:
        """The latents of a job, and its files."""
        request = self.of_trellis2(keep_latents=True, **changes)
        worker.send(request)
        kept = worker.until("latents", "done", "failed")
        self.assertEqual(kept["type"], "latents", kept)
        self.assertEqual(worker.until("done", "failed")["type"], "done")
        files = {path.name: path.read_bytes() for path in Path(request["out"]).iterdir()}
        self.assertEqual(kept["size_bytes"], len(files.pop(kept["name"])))
        return Path(request["out"]) / kept["name"], files

    def again(self, worker: Worker, latents: Path, **changes: Any) -> tuple[dict[str, Any], list[str], Path]:
        request = self.of_trellis2(pictures=0, latents=str(latents), **changes)
        ended, steps = self.run_job(worker, request)
        return ended, list(steps), Path(request["out"])

    def test_the_same_files_are_made_without_sampling(self) -> None:
        worker = self.loaded()
        latents, files = self.kept(worker, formats=["glb", "stl", "ply", "vxz"])
        # Also by a process that never saw the job, with each model there for its stage.
        for other, low_vram in ((worker, False), (self.loaded(), True)):
            formats = ["glb", "stl", "ply", "vxz"]
            done, stages, out = self.again(other, latents, formats=formats, low_vram=low_vram)
            self.assertEqual(done["type"], "done", done)
            self.assertEqual(stages, ["decode", "simplify", "texture", "export"])
            self.assertEqual({path.name: path.read_bytes() for path in out.iterdir()}, files)

    def test_a_glb_is_made_with_other_settings(self) -> None:
        worker = self.loaded()
        latents, _ = self.kept(worker)
        other = {"decimation_target": 100_000, "texture_size": 4096, "remesh": False}
        done, _, _ = self.again(worker, latents, **other)
        self.assertEqual(done["type"], "done", done)
        asked = json.loads((self.folder / "to_glb.json").read_text("utf-8"))
        self.assertEqual({name: asked[name] for name in other}, other)

    def test_the_resolution_that_was_used_is_kept(self) -> None:
        worker = self.loaded()
        lowered = {"resolution": 1536, "max_num_tokens": 500}
        latents, _ = self.kept(worker, **lowered)
        done, _, _ = self.again(worker, latents, **lowered)
        self.assertTrue(done["notes"][0].startswith("made at a resolution of 1024 in place of 1536"), done)
        asked = json.loads((self.folder / "to_glb.json").read_text("utf-8"))
        self.assertEqual(asked["voxel_size"], 1 / 1024)

    def test_colours_that_were_not_sampled_cannot_be_decoded(self) -> None:
        worker = self.loaded()
        latents, files = self.kept(worker, formats=["stl"])
        failed, _, _ = self.again(worker, latents, formats=["glb"])
        self.assertEqual((failed["type"], failed["kind"], failed["replace"]), ("failed", "bad_input", False))
        self.assertIn("no colours were sampled for the earlier job", failed["message"])
        done, stages, out = self.again(worker, latents, formats=["glb", "stl"], texture=False)
        self.assertEqual((done["type"], stages), ("done", ["decode", "simplify", "export"]), done)
        self.assertEqual((out / "model.stl").read_bytes(), files["model.stl"])

    def test_what_another_model_sampled_is_refused(self) -> None:
        worker = self.loaded()
        latents = self.folder / "other.safetensors"
        latents.write_text('{"coords": [[0, 0, 0, 0]], "feats": [[0.5]]}', "utf-8")
        failed, _, _ = self.again(worker, latents)
        self.assertEqual((failed["type"], failed["kind"]), ("failed", "bad_input"), failed)
        self.assertIn("the kept latents cannot be read", failed["message"])


class Beside(unittest.TestCase):
    def test_each_sampler_gets_its_own_parameters(self) -> None:
        params = Params.from_json({**usual(), "tex_slat_sampling_steps": 7})
        own = own_params(trellis2.Own, params)
        self.assertEqual(set(params.own), set(trellis2.Own.__dataclass_fields__))
        self.assertEqual(
            own.of_sampler("tex_slat"),
            {
                "steps": 7,
                "guidance_strength": 1.0,
                "guidance_rescale": 0.0,
                "guidance_interval": [0.6, 0.9],
                "rescale_t": 3.0,
            },
        )
        self.assertEqual(own.of_sampler("ss")["rescale_t"], 5.0)

    def test_pictures_take_turns_or_are_averaged(self) -> None:
        def inference(_model: Any, x_t: float, _t: float, cond: list[int], neg_cond: list[int]) -> float:
            self.assertEqual(len(neg_cond), 1)
            return x_t + cond[0]

        conditions = {"cond": [1, 2, 6], "neg_cond": [0, 0, 0]}
        turns = views.of_all(inference, "stochastic")
        self.assertEqual([turns(None, 10.0, 0.5, **conditions) for _ in range(4)], [11, 12, 16, 11])
        mean = views.of_all(inference, "multidiffusion")
        self.assertAlmostEqual(mean(None, 10.0, 0.5, **conditions), 13.0)

    def test_the_camera_of_a_turntable_looks_at_the_middle_with_its_head_up(self) -> None:
        def seen(turn: float, place: tuple[float, float, float]) -> list[float]:
            rows = trellis2_turntable.camera(turn)[:3]
            return [sum(a * b for a, b in zip(row, (*place, 1.0), strict=True)) for row in rows]

        for number in range(8):
            turn = number / 8
            for there, right in zip(seen(turn, (0.0, 0.0, 0.0)), (0.0, 0.0, 2.0), strict=True):
                self.assertAlmostEqual(there, right)
            above = seen(turn, (0.0, 0.0, 0.3))
            self.assertAlmostEqual(above[0], 0.0)
            self.assertLess(above[1], 0.0, "what is up is above the middle")
            rows = [row[:3] for row in trellis2_turntable.camera(turn)[:3]]
            for a, one in enumerate(rows):
                for b, other in enumerate(rows):
                    product = sum(x * y for x, y in zip(one, other, strict=True))
                    self.assertAlmostEqual(product, float(a == b))
        # It begins where TRELLIS's own does, and goes on a quarter around.
        self.assertLess(seen(0.0, (0.0, 0.1, 0.0))[2], 2.0)
        self.assertLess(seen(0.25, (0.1, 0.0, 0.0))[2], 2.0)

    def test_alpha_is_what_the_texture_uses(self) -> None:
        for counts, mode in (
            ({255: 1000}, "OPAQUE"),
            # The seam that inpainting leaves is no hole.
            ({255: 100_000, 0: 50}, "OPAQUE"),
            ({255: 900, 0: 100, 130: 3}, "MASK"),
            ({255: 500, 100: 500}, "BLEND"),
            # Glass that hides more than half of what is behind it, a pane in a frame, and a decoder's noise.
            ({153: 1000}, "BLEND"),
            ({255: 970, 180: 30}, "BLEND"),
            ({255: 995, 200: 5}, "OPAQUE"),
            # No texel shows the surface.
            ({}, "OPAQUE"),
        ):
            self.assertEqual(alpha_mode([counts.get(value, 0) for value in range(256)]), mode, counts)

    def test_our_ways_touch_no_rasteriser_of_nvidias(self) -> None:
        with mock.patch.object(trellis2, "is_imported", lambda _name: True):
            for quality, expected in (("exact", ["nvdiffrast"]), ("balanced", [])):
                params = Params.from_json({**usual(), "quality": quality})
                self.assertEqual(trellis2.FAMILY.non_commercial(params), expected, quality)

    def test_an_exact_job_in_low_vram_mode_forgets_what_earlier_ones_recorded(self) -> None:
        params = Params.from_json({**usual(), "quality": "exact"})
        own = own_params(trellis2.Own, params)
        samplers = {
            name: SimpleNamespace(sample_once=None, _inference_model=None) for name in trellis2.SAMPLERS
        }
        dense, tokens = Recorded(), Recorded()
        ours = {"recorded_flow": dense, "token_flows": {"a model": tokens}}
        released: list[int] = []
        placement = Placement({}, "cpu", lambda: released.append(dense.forgot))
        stages = Stages(lambda *_step: None, threading.Event(), lambda: None)
        for low_vram in (False, True):
            placement.low_vram = low_vram
            for flows in (ours, {"recorded_flow": None, "token_flows": {}}, {}):
                pipeline = SimpleNamespace(**samplers, **flows)
                with trellis2._listening(Run(pipeline, placement, stages, params), own):
                    self.assertEqual((dense.forgot, tokens.forgot), (low_vram, low_vram))
                    # Their memory is free only then.
                    self.assertEqual(released[-1:], [1] if low_vram else [])

    def test_a_checkpoint_of_another_repository_has_a_place_in_the_folder(self) -> None:
        self.assertEqual(local("ckpts/shape_dec"), "ckpts/shape_dec")
        other = "microsoft/TRELLIS-image-large/ckpts/ss_dec_conv3d_16l8_fp16"
        self.assertEqual(local(other), "ckpts/ss_dec_conv3d_16l8_fp16")
        with tempfile.TemporaryDirectory() as name:
            encoder = Path(name) / "ckpts" / "encoder.safetensors"
            encoder.parent.mkdir()
            encoder.touch()
            told = {texturing.ENCODER: "owner/name/ckpts/encoder"}
            self.assertEqual(texturing.encoder_name(Path(name), told), "ckpts/encoder")

    def test_reading_colours_is_never_timed(self) -> None:
        def tile(places: int, numbers: int) -> SimpleNamespace:
            return SimpleNamespace(kwargs={"BM": places, "BK": numbers})

        kernel = SimpleNamespace(configs=[tile(4, 64), tile(8, 8), tile(32, 8), tile(16, 16)])
        package = SimpleNamespace(indice_weighed_sum_fwd_kernel=kernel)
        with mock.patch.dict(sys.modules, {trellis2.SAMPLING: package}):
            trellis2.settle_sampling()
        # With one there is nothing to choose from.
        self.assertEqual(kernel.configs, [tile(32, 8)])
        # Another version, and none at all.
        for other in (SimpleNamespace(), None):
            with mock.patch.dict(sys.modules, {trellis2.SAMPLING: other}):
                trellis2.settle_sampling()
