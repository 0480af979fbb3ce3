"""The worker's life: hello, load, jobs, shutdown.

One thread reads the socket, so that pings are answered and a cancel is heard while the main thread works.
"""

from __future__ import annotations

import gc
import importlib
import logging
import os
import queue
import threading
import time
from typing import Any

from . import attention, determinism, facts, parent
from .channel import Channel
from .failures import Cancelled, report
from .families import family_of
from .family import Report
from .generate import Engine
from .placement import Placement, bind_device
from .protocol import (
    PROTOCOL,
    Cancel,
    Done,
    Generate,
    Hello,
    Load,
    Loaded,
    LoadProgress,
    Message,
    Ping,
    Pong,
    ProtocolError,
    Shutdown,
    to_worker,
)
from .protocol import Cancelled as CancelledMessage
from .warmup import warm_up

log = logging.getLogger(__name__)

# Where models run. `cpu` exists for tests of the torch paths without a GPU.
DEVICE_VARIABLE = "TRELLIS_WORKER_DEVICE"


class Session:
    """One worker process."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._inbox: queue.Queue[Load | Generate | Shutdown] = queue.Queue()
        self._cancelled: dict[str, threading.Event] = {}
        self._cancelling = threading.Lock()
        self._torch: Any | None = None
        self._torch_error: BaseException | None = None
        self._vram = facts.Vram(None)
        self._engine: Engine | None = None

    def run(self) -> None:
        """Works until `shutdown`."""
        threading.Thread(target=self._read, name="socket", daemon=True).start()
        self._import_torch()
        self.send(Hello(PROTOCOL, facts.versions(self._torch), facts.gpu(self._torch)))
        while True:
            match self._inbox.get():
                case Load() as message:
                    self._load(message)
                case Generate() as message:
                    self._generate(message)
                case Shutdown():
                    return

    def send(self, message: Message) -> None:
        """Sends, or ends the process where nobody listens any more."""
        try:
            self._channel.send(message)
        except OSError:
            log.warning("the server is gone: leaving")
            parent.end_group()

    def _import_torch(self) -> None:
        determinism.before_torch()
        try:
            torch = importlib.import_module("torch")
            self._vram = facts.Vram(torch)
        except Exception as error:  # noqa: BLE001 reported as the answer to `load`
            self._torch_error = error
        else:
            self._torch = torch

    def _read(self) -> None:
        try:
            while (frame := self._channel.receive()) is not None:
                self._take(frame)
        except ProtocolError:
            log.exception("the server does not speak protocol %d: leaving", PROTOCOL)
        parent.end_group()

    def _take(self, frame: dict[str, Any]) -> None:
        match to_worker(frame):
            case Ping():
                self.send(Pong(facts.rss_bytes(), self._vram.held()))
            case Cancel(job):
                with self._cancelling:
                    if job in self._cancelled:
                        self._cancelled[job].set()
            case Generate() as message:
                # Known before the main thread takes it, so that a cancel right behind it is not lost.
                with self._cancelling:
                    self._cancelled[message.job] = threading.Event()
                self._inbox.put(message)
            case Load() | Shutdown() as message:
                self._inbox.put(message)

    def _load(self, message: Load) -> None:
        started = time.monotonic()
        part = "torch"

        def tell(name: str, step: int, total: int) -> None:
            nonlocal part
            part = name
            self.send(LoadProgress(name, step, total))

        try:
            if self._torch_error is not None:
                raise self._torch_error
            self._engine, settings = self._start_engine(message, tell)
        except Exception as error:
            log.exception("loading failed at %s", part)
            self.send(report(error, None, f"while loading `{part}`"))
            return
        load_ms = round((time.monotonic() - started) * 1000)
        self.send(Loaded(load_ms, self._vram.held(), message.low_vram, settings))

    def _start_engine(self, message: Load, tell: Report) -> tuple[Engine, list[str]]:
        torch = self._torch
        assert torch is not None
        family = family_of(message.model)
        settings = [*determinism.settings(torch), *family.determinism()]
        device = torch.device(os.environ.get(DEVICE_VARIABLE, "cuda"))
        if device.type == "cuda":
            # Says by itself what is wrong with driver or GPU, before gigabytes are read.
            torch.cuda.init()
        settings += attention.settle(torch, device, message.model)
        pipeline = family.load(message.folder, message.quality, tell)
        bind_device(pipeline, device)
        placement = Placement(pipeline.models, device, self._vram.release)
        engine = Engine(torch, family, pipeline, placement, self._vram)
        parts = len(pipeline.models)
        tell("placement", parts, parts + 1)
        engine.placement.choose(message.low_vram)
        if message.warm_up is not None:
            warm_up(engine, message.warm_up, lambda step: tell(step, parts, parts + 1))
        # torch and the models are hundreds of thousands of objects: those that stay need not be walked
        # through each time a job's are collected.
        gc.collect()
        gc.freeze()
        return engine, settings

    def _generate(self, message: Generate) -> None:
        with self._cancelling:
            cancelled = self._cancelled[message.job]
        engine = self._engine
        if engine is None:
            raise ProtocolError("`generate` came before `load` had succeeded")
        if message.traceparent is not None:
            log.info("job %s has traceparent %s", message.job, message.traceparent)
        stages = engine.stages(message.job, self.send, cancelled)
        answer: Message
        try:
            answer = engine.run(message, self.send, stages)
        except Cancelled:
            answer = CancelledMessage(message.job)
        except Exception as error:
            where = f"in stage `{stages.current.value}`" if stages.current else "before the first stage"
            log.exception("the job failed %s", where)
            answer = report(error, message.job, where)
        if not isinstance(answer, Done):
            # While the exception was on its way, its frames still held the job's tensors.
            try:
                engine.clean()
            except Exception:
                # A CUDA error that stays would be raised here once more; the answer says what it was.
                log.exception("memory was not given back")
        with self._cancelling:
            del self._cancelled[message.job]
        self.send(answer)
