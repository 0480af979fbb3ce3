"""The messages between supervisor and worker, as docs/worker-protocol.md describes them.

The Rust side defines them; the tests hold these types against its snapshots.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, ClassVar

from .quality import Quality

PROTOCOL = 2
MAX_FRAME_BYTES = 1024 * 1024


class Kind(StrEnum):
    """Why something failed: those of the server's kinds that a worker can know."""

    BAD_INPUT = "bad_input"
    NO_OBJECT = "no_object"
    STORAGE_FULL = "storage_full"
    CHECKPOINT_MISSING = "checkpoint_missing"
    CHECKPOINT_CORRUPT = "checkpoint_corrupt"
    GPU_OUT_OF_MEMORY = "gpu_out_of_memory"
    NO_KERNEL_IMAGE = "no_kernel_image"
    EXTENSION_ABI = "extension_abi"
    EXTENSION_MISSING = "extension_missing"
    DRIVER_MISSING = "driver_missing"
    DRIVER_TOO_OLD = "driver_too_old"
    OFFLINE_DOWNLOAD_ATTEMPT = "offline_download_attempt"
    IMPLAUSIBLE_RESULT = "implausible_result"
    INTERNAL = "internal"


class Stage(StrEnum):
    """A part of the way from a picture to an asset."""

    PREPROCESS = "preprocess"
    CONDITION = "condition"
    SPARSE_STRUCTURE = "sparse_structure"
    STRUCTURED_LATENT = "structured_latent"
    TEXTURE_LATENT = "texture_latent"
    DECODE = "decode"
    SIMPLIFY = "simplify"
    TEXTURE = "texture"
    EXPORT = "export"


class Format(StrEnum):
    """A format of a result. The server makes OBJ and voxels itself, from the GLB."""

    GLB = "glb"
    STL = "stl"
    PLY = "ply"
    GAUSSIAN_PLY = "gaussian_ply"
    TURNTABLE = "turntable"
    VXZ = "vxz"


@dataclass(frozen=True)
class Params:
    """Checked parameters of a job: those that all models share, and by name the model's own."""

    model: str
    seed: int
    texture: bool
    stl_size_mm: float
    formats: tuple[Format, ...]
    own: dict[str, Any]
    remove_background: bool

    @classmethod
    def from_json(cls, message: dict[str, Any]) -> Params:
        own = dict(message)
        del own["voxel_resolution"]  # voxels are made by the server
        shared = {name: own.pop(name) for name in cls.__dataclass_fields__ if name != "own"}
        return cls(**{**shared, "formats": tuple(map(Format, shared["formats"])), "own": own})


@dataclass(frozen=True)
class Load:
    """Load the pipeline."""

    model: str
    folder: Path
    quality: Quality
    low_vram: bool
    warm_up: Params | None


@dataclass(frozen=True)
class Generate:
    """Make an asset."""

    job: str
    pictures: tuple[Path, ...]
    out: Path
    params: Params
    low_vram: bool
    traceparent: str | None = None
    latents: Path | None = None
    keep_latents: bool = False
    # The mesh to be textured; see `meshes.py`.
    mesh: Path | None = None


@dataclass(frozen=True)
class Cancel:
    """Stop a job at the next step."""

    job: str


@dataclass(frozen=True)
class Ping:
    """Answer at once."""


@dataclass(frozen=True)
class Shutdown:
    """Leave."""


ToWorker = Load | Generate | Cancel | Ping | Shutdown


class ProtocolError(Exception):
    """The supervisor said something that this version does not know."""


def to_worker(message: dict[str, Any]) -> ToWorker:
    """A message of the supervisor. Unknown fields are ignored, unknown types are not."""
    try:
        match message["type"]:
            case "load":
                warm_up = message.get("warm_up")
                return Load(
                    message["model"],
                    Path(message["folder"]),
                    Quality(message.get("quality", Quality.EXACT)),
                    message["low_vram"],
                    None if warm_up is None else Params.from_json(warm_up),
                )
            case "generate":
                return Generate(
                    message["job"],
                    tuple(Path(picture) for picture in message["pictures"]),
                    Path(message["out"]),
                    Params.from_json(message["params"]),
                    message["low_vram"],
                    message.get("traceparent"),
                    None if (latents := message.get("latents")) is None else Path(latents),
                    message.get("keep_latents", False),
                    None if (mesh := message.get("mesh")) is None else Path(mesh),
                )
            case "cancel":
                return Cancel(message["job"])
            case "ping":
                return Ping()
            case "shutdown":
                return Shutdown()
            case unknown:
                raise ProtocolError(f"unknown message `{unknown}`")
    except (KeyError, TypeError, ValueError) as error:
        raise ProtocolError("a message lacks a field or has one of another type") from error


@dataclass(frozen=True)
class Message:
    """What a worker says."""

    TYPE: ClassVar[str]

    def encoded(self) -> bytes:
        """As it travels: absent optional fields are left out."""
        return _ENCODER.encode(self).encode("utf-8", "replace")


def _fields(value: Any) -> dict[str, Any]:
    """A dataclass for `json`, which knows the rest: far cheaper than `asdict`, and progress comes often."""
    fields = {name: field for name, field in vars(value).items() if field is not None}
    return {"type": value.TYPE, **fields} if isinstance(value, Message) else fields


_ENCODER = json.JSONEncoder(ensure_ascii=False, default=_fields)


@dataclass(frozen=True)
class GpuFacts:
    """The GPU as torch sees it."""

    name: str
    capability: str
    memory_bytes: int


@dataclass(frozen=True)
class Hello(Message):
    """The first message. `versions` holds only what is installed."""

    TYPE = "hello"
    protocol: int
    versions: dict[str, str]
    gpu: GpuFacts | None


@dataclass(frozen=True)
class LoadProgress(Message):
    """Loading went on."""

    TYPE = "load_progress"
    part: str
    step: int
    total: int


@dataclass(frozen=True)
class Loaded(Message):
    """Ready for jobs."""

    TYPE = "loaded"
    load_ms: int
    vram_bytes: int
    low_vram: bool
    determinism: list[str]


@dataclass(frozen=True)
class Progress(Message):
    """A job went on."""

    TYPE = "progress"
    job: str
    stage: Stage
    step: int
    total: int


@dataclass(frozen=True)
class Artifact(Message):
    """A file is whole and has its final name."""

    TYPE = "artifact"
    job: str
    name: str
    format: Format
    size_bytes: int


@dataclass(frozen=True)
class Latents(Message):
    """What sampling made is whole in a file and has its final name."""

    TYPE = "latents"
    job: str
    name: str
    size_bytes: int


@dataclass(frozen=True)
class StageTime:
    """How long a stage took."""

    stage: Stage
    ms: int


@dataclass(frozen=True)
class Done(Message):
    """A job is finished."""

    TYPE = "done"
    job: str
    stages: list[StageTime]
    peak_vram_bytes: int
    vram_bytes: int
    rss_bytes: int
    notes: list[str] = field(default_factory=list)
    non_commercial: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Failed(Message):
    """A job, or without one the load, failed."""

    TYPE = "failed"
    job: str | None
    kind: Kind
    message: str
    causes: list[str]
    traceback: str
    replace: bool


@dataclass(frozen=True)
class Cancelled(Message):
    """A job was stopped as asked."""

    TYPE = "cancelled"
    job: str


@dataclass(frozen=True)
class Pong(Message):
    """The answer to a ping."""

    TYPE = "pong"
    rss_bytes: int
    vram_bytes: int
