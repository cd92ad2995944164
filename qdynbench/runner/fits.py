"""One fit per task, solver and seed: shipped with the plugin, kept from an earlier run, or made now."""

from __future__ import annotations

import contextlib
import json
import shutil
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import filelock
import platformdirs

from qdynbench.contract.spec import SolverSpec
from qdynbench.errors import InputError, QdynbenchError
from qdynbench.files import file_name, written_whole
from qdynbench.plugins.registry import Registry
from qdynbench.record import provenance
from qdynbench.record.manifest import manifest_of, read_manifest, write_manifest
from qdynbench.record.schema import FitRecord
from qdynbench.runner.observer import Observer
from qdynbench.runner.plan import Plan, code_of
from qdynbench.task.load import model_of
from qdynbench.task.spec import Task
from qdynbench.workers import protocol as to
from qdynbench.workers.process import Worker, WorkerFailure


def cache_folder() -> Path:
    """Return the folder that keeps fits between runs; the environment variable XDG_CACHE_HOME moves it on Linux."""
    return platformdirs.user_cache_path("qdynbench") / "fits"


def training_of(task: Task, registry: Registry) -> dict[str, Any]:
    """Return all that the training data of a task depends on, defaults written out.

    Raises:
        InputError: the task has no training section.
    """
    training = task.training
    if training is None:
        raise InputError(f"task {task.name!r} has a learned solver but no 'training' section")
    chosen = training.model or task.model
    return {
        **training.model_dump(mode="json", exclude={"model"}),
        "dt": training.dt or task.times.dt,
        "model": {"family": chosen["family"], **model_of(chosen, registry).model_dump(mode="json")},
        "seed": task.seed,
    }


class Fits:
    """Finds or makes the fits of a plan."""

    def __init__(self, plan: Plan, scorer: Worker, observer: Observer) -> None:
        self._plan = plan
        self._scorer = scorer
        self._observer = observer

    def find(self, spec: SolverSpec) -> FitRecord | None:
        """Return a fit that was made before on the same data: shipped or kept; None when one has to be made."""
        shipped = [("shipped", folder) for folder in self._plan.traits[str(spec)].shipped]
        for source, folder in (*shipped, ("cache", self._home(spec) / "weights")):
            manifest = read_manifest(folder)
            if manifest is not None and manifest.get("training") == training_of(self._plan.task, self._plan.registry):
                return _record(spec, source, folder, manifest)
        return None

    def make(self, spec: SolverSpec, worker: Worker, *, refit: bool) -> FitRecord:
        """Fit a solver now, going on from what an interrupted fit left; a failed fit is a record as well.

        Args:
            spec: the solver.
            worker: a worker that has it loaded.
            refit: drop what an interrupted or finished fit left.
        """
        home = self._home(spec)
        try:
            home.parent.mkdir(parents=True, exist_ok=True)
            with self._alone(spec, home) as waited:
                made = self.find(spec) if waited else None
                return made or self._make(spec, worker, home, refit)
        except filelock.Timeout:
            raise QdynbenchError(f"another run is still fitting {spec} on the same data") from None
        except OSError as error:
            raise QdynbenchError(f"cannot keep the fit of {spec} in {str(home)!r}: {error.strerror}") from error

    @contextlib.contextmanager
    def _alone(self, spec: SolverSpec, home: Path) -> Iterator[bool]:
        """Keep other runs from fitting the same; yield whether one was at it and had to be waited for."""
        lock, waited = filelock.FileLock(home.with_suffix(".lock")), False
        try:
            lock.acquire(timeout=0)
        except filelock.Timeout:
            self._observer.noted(spec, "another run is fitting this on the same data; waiting for it to end")
            lock.acquire(timeout=self._plan.task.limits.fit_seconds)
            waited = True
        try:
            yield waited
        finally:
            lock.release()

    def _make(self, spec: SolverSpec, worker: Worker, home: Path, refit: bool) -> FitRecord:
        if refit:
            shutil.rmtree(home, ignore_errors=True)
        work, partial, weights = home / "work", home / "weights.partial", home / "weights"
        shutil.rmtree(partial, ignore_errors=True)
        work.mkdir(parents=True, exist_ok=True)
        partial.mkdir()
        so_far = Progress(home / "progress.json")
        task, limits = self._plan.task, self._plan.task.limits
        assert task.training is not None  # noqa: S101 - training_of has refused such a task already

        def on_event(event: to.Event) -> None:
            match event:
                case to.Need():
                    made = self._scorer.ask(to.MakeTrajectories(event), seconds=limits.seconds)
                    so_far.add_data(made.seconds)
                    worker.tell(made)
                case to.Note():
                    so_far.note(event.text)
                    self._observer.noted(spec, event.text)
                case to.Progress():
                    so_far.report(event.fraction, event.values)
                    self._observer.fitting(spec, event.fraction, event.values)

        request = to.Fit(
            sizes=task.training.sizes,
            times=task.training_times(),
            count=task.training.trajectories,
            seed=task.seed,
            folder=str(work),
            save_to=str(partial),
        )
        try:
            fitted = worker.ask(request, seconds=limits.fit_seconds, on_event=on_event)
        except WorkerFailure as failure:
            reason = f"fit: {failure.reason}"
            return FitRecord(
                solver=str(spec),
                source="fitted",
                folder=str(weights),
                curve=so_far.curve,
                notes=so_far.notes,
                status=failure.as_status(),
                reason=reason,
                details=failure.details,
            )
        environment = self._plan.environment
        manifest = manifest_of(
            str(spec),
            training_of(self._plan.task, self._plan.registry),
            data_time=so_far.data,
            fit_time=so_far.before + fitted.seconds,
            curve=so_far.curve,
            foundation=self._plan.traits[str(spec)].foundation,
            notes=so_far.notes,
            where={"threads": environment.threads, "device": environment.device},
        )
        write_manifest(partial, manifest)
        shutil.rmtree(weights, ignore_errors=True)
        partial.rename(weights)
        shutil.rmtree(work, ignore_errors=True)
        so_far.path.unlink(missing_ok=True)
        return _record(spec, "fitted", weights, manifest)

    def _home(self, spec: SolverSpec) -> Path:
        environment = self._plan.environment
        parts = [
            str(spec),
            training_of(self._plan.task, self._plan.registry),
            code_of(self._plan.registry, spec.name),
            environment.device,
            *filter(None, [self._plan.traits[str(spec)].foundation]),
        ]
        return cache_folder() / f"{file_name(spec.name)}-{provenance.fingerprint(parts)}"


class Progress:
    """What a fit has cost and shown so far, kept beside its checkpoints: nothing of an interrupted fit is forgotten.

    Attributes:
        before: seconds of fitting in earlier, interrupted attempts.
        data: seconds of making training data, all attempts.
        curve: learning curve, all attempts.
        notes: what the fit had to say, each once.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.before, self.data = 0.0, 0.0
        self.curve: list[dict[str, float]] = []
        self.notes: list[str] = []
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):  # nothing was interrupted
            kept = json.loads(path.read_text())
            self.before, self.data = float(kept["fit_time"]), float(kept["data_time"])
            self.curve, self.notes = list(kept["curve"]), list(kept["notes"])
        self._started = time.monotonic()
        self._data_before = self.data
        self._resumed = bool(self.curve)

    def add_data(self, seconds: float) -> None:
        """Count the making of some trajectories."""
        self.data += seconds

    def note(self, text: str) -> None:
        """Keep a note; a fit that goes on may say again what it said before."""
        if text not in self.notes:
            self.notes.append(text)

    def report(self, fraction: float, figures: Mapping[str, float]) -> None:
        """Add a point to the learning curve and write all down."""
        if self._resumed:
            # What the interrupted attempt did after its last checkpoint, or all of it, is done again.
            self.curve = [point for point in self.curve if point["fraction"] < fraction]
            self._resumed = False
        self.curve.append({"fraction": fraction, **figures})
        fitting = time.monotonic() - self._started - (self.data - self._data_before)
        kept = {"fit_time": self.before + fitting, "data_time": self.data, "curve": self.curve, "notes": self.notes}
        with written_whole(self.path) as stream:
            stream.write(json.dumps(kept).encode())


def _record(spec: SolverSpec, source: str, folder: Path, manifest: dict[str, Any]) -> FitRecord:
    return FitRecord(
        solver=str(spec),
        source=source,
        folder=str(folder),
        data_time=manifest["data_time"],
        fit_time=manifest["fit_time"],
        made=manifest["made"],
        curve=manifest["curve"],
        built_upon=manifest.get("built_upon"),
        notes=manifest.get("notes", []),
    )
