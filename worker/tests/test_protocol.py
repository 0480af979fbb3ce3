"""Both sides mean the same by each message: the snapshots are the Rust side's."""

from __future__ import annotations

import json
import unittest
from pathlib import Path

from trellis_worker import latents, protocol
from trellis_worker.artifacts import NAMES
from trellis_worker.protocol import Format, Kind, Message, ProtocolError, Stage, to_worker
from trellis_worker.quality import Quality

from .kit import JOB, MESSAGES, snapshot


def sent() -> list[Message]:
    """Each message of the worker as the snapshots have it."""
    versions = {
        "python": "3.12.8",
        "torch": "2.9.1+cu128",
        "cuda": "12.8",
        "xformers": "0.0.33.post2",
        "spconv": "2.3.8",
        "kaolin": "0.18.0",
    }
    gpu = protocol.GpuFacts("NVIDIA GeForce RTX 5090 Laptop GPU", "12.0", 25_646_268_416)
    flags = ["torch.backends.cudnn.benchmark = False"]
    return [
        protocol.Hello(protocol.PROTOCOL, versions, gpu),
        protocol.LoadProgress("slat_flow_model", 2, 6),
        protocol.Loaded(31_000, 6_100_000_000, False, flags),
        protocol.Progress(JOB, Stage.STRUCTURED_LATENT, 3, 12),
        protocol.Artifact(JOB, NAMES[Format.GLB], Format.GLB, 1_234_567),
        protocol.Latents(JOB, latents.NAME, 1_234_567),
        protocol.Done(
            JOB,
            [protocol.StageTime(Stage.PREPROCESS, 210)],
            9_000_000_000,
            6_200_000_000,
            5_000_000_000,
            ["the PLY holds the full mesh"],
            ["nvdiffrast"],
        ),
        protocol.Failed(
            JOB,
            Kind.GPU_OUT_OF_MEMORY,
            "the GPU ran out of memory in stage `decode`",
            ["OutOfMemoryError: CUDA out of memory"],
            "Traceback (most recent call last): …",
            False,
        ),
        protocol.Cancelled(JOB),
        protocol.Pong(5_000_000_000, 6_200_000_000),
    ]


class Protocol(unittest.TestCase):
    def test_what_is_sent_is_what_the_server_reads(self) -> None:
        for message in sent():
            self.assertEqual(json.loads(message.encoded()), snapshot(f"from_worker.{message.TYPE}"))

    def test_every_message_is_covered(self) -> None:
        names = {path.stem for path in MESSAGES.glob("from_worker.*.snap")}
        self.assertEqual(names, {f"from_worker.{message.TYPE}" for message in sent()})

    def test_what_the_server_sends_is_understood(self) -> None:
        for path in MESSAGES.glob("to_worker.*.snap"):
            to_worker(snapshot(path.stem))
        generate = to_worker(snapshot("to_worker.generate"))
        assert isinstance(generate, protocol.Generate)
        self.assertEqual(generate.params.formats, (Format.GLB,))
        self.assertEqual(generate.params.seed, 7)
        self.assertEqual(generate.params.own["ss_sampling_steps"], 12)
        self.assertEqual(generate.traceparent, "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
        self.assertEqual(generate.params.own["quality"], Quality.BALANCED)
        yesterday = snapshot("to_worker.generate")
        for name in ("traceparent", "latents", "keep_latents"):
            del yesterday[name]
        earlier = to_worker(yesterday)
        assert isinstance(earlier, protocol.Generate)
        self.assertIsNone(earlier.traceparent)
        kept = Path("/scratch/latents.safetensors")
        self.assertEqual((generate.latents, generate.keep_latents), (kept, True))
        self.assertEqual((earlier.latents, earlier.keep_latents), (None, False))
        load = to_worker(snapshot("to_worker.load"))
        assert isinstance(load, protocol.Load) and load.warm_up is not None
        self.assertEqual((load.warm_up.own["texture_size"], load.quality), (512, Quality.BALANCED))
        yesterday = snapshot("to_worker.load")
        del yesterday["quality"]
        before = to_worker(yesterday)
        assert isinstance(before, protocol.Load)
        self.assertIs(before.quality, Quality.EXACT)
        self.assertEqual([path.name for path in generate.pictures], ["0", "1"])

    def test_constants_are_the_same(self) -> None:
        expected = {"protocol": protocol.PROTOCOL, "max_frame_bytes": protocol.MAX_FRAME_BYTES}
        self.assertEqual(snapshot("constants"), expected)
        self.assertLessEqual(set(Kind), set(snapshot("failure_kinds")))

    def test_what_is_not_a_message_is_refused(self) -> None:
        for message in (
            {},
            {"type": "dance"},
            {"type": "cancel"},
            {"type": "load", "model": "trellis-9", "folder": 7},
            {**snapshot("to_worker.load"), "quality": "balansed"},
        ):
            with self.assertRaises(ProtocolError):
                to_worker(message)
