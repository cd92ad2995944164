"""The fits of a run, one for each learned solver: shipped with the plugin, cached by an earlier run, or made now."""

from __future__ import annotations

import contextlib
import json
import shutil
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import filelock
import platformdirs

from qdynbench.contract.spec import SolverSpec
from qdynbench.errors import InputError, QdynbenchError
from qdynbench.files import file_name, written_whole
from qdynbench.plugins.registry import Registry
from qdynbench.record import provenance
from qdynbench.record.manifest import manifest_of, read_manifest, write_manifest
from qdynbench.record.schema import FitRecord
from qdynbench.runner.fleet import Fleet
from qdynbench.runner.observer import Observer
from qdynbench.runner.plan import Plan, code_of
from qdynbench.task.load import model_of
from qdynbench.task.spec import Task
from qdynbench.workers import protocol as to
from qdynbench.workers.process import Worker, WorkerFailure


def cache_folder() -> Path:
    """Return the folder that keeps fits between runs; on Linux the environment variable XDG_CACHE_HOME moves it."""
    return platformdirs.user_cache_path("qdynbench") / "fits"


def home_of(
    spec: SolverSpec, training: to.Json, registry: Registry, device: str, foundation: to.Json | None, prefix: str
) -> Path:
    """Return the folder of a fit, with a name that contains a hash of everything on which the fit depends."""
    parts = [
        str(spec),
        training,
        code_of(registry, "solvers", spec.name),
        device,
        *([] if foundation is None else [foundation]),
    ]
    return cache_folder() / f"{prefix}-{provenance.fingerprint(parts)}"


def training_of(task: Task, registry: Registry) -> to.Json:
    """Return everything on which the training data of a task depends, with all defaults.

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

    def __init__(self, plan: Plan, fleet: Fleet, observer: Observer) -> None:
        self._plan = plan
        self._fleet = fleet
        self._observer = observer

    def find(self, spec: SolverSpec) -> FitRecord | None:
        """Return a shipped or cached fit on the same training data, or None."""
        shipped = [("shipped", Path(folder)) for folder in self._plan.traits[str(spec)].shipped]
        for source, folder in (*shipped, ("cache", self._home(spec) / "weights")):
            manifest = read_manifest(folder)
            if manifest is not None and manifest.get("training") == training_of(self._plan.task, self._plan.registry):
                return _record(spec, source, folder, manifest)
        return None

    def make(self, spec: SolverSpec, worker: Worker, *, refit: bool) -> FitRecord:
        """Fit a solver, or resume an interrupted fit, and return the record; a failed fit has a record as well.

        Args:
            spec: the solver.
            worker: the worker that has loaded it.
            refit: whether to drop the results of earlier fits, finished or interrupted.
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
        """Exclude other runs from making the same fit; yield whether one was making it, so that this run has waited."""
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
        assert task.training is not None  # noqa: S101 - training_of refuses such a task; this tells the type checker

        def on_event(event: to.Event) -> None:
            match event:
                case to.Need():
                    made = self._fleet.scorer.ask(to.MakeTrajectories(event), seconds=limits.seconds)
                    so_far.data += made.seconds
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
            return FitRecord(
                solver=str(spec),
                source="fitted",
                folder=str(weights),
                curve=so_far.curve,
                notes=so_far.notes,
                status=failure.as_status(),
                reason=f"fit: {failure.reason}",
                details=failure.details,
            )
        environment = self._plan.environment
        manifest = manifest_of(
            str(spec),
            training_of(self._plan.task, self._plan.registry),
            data_time=so_far.data,
            fit_time=so_far.before + fitted.seconds,
            curve=so_far.curve,
            foundation=self._plan.foundation(spec),
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
        plan, foundation = self._plan, self._plan.foundation(spec)
        training = training_of(plan.task, plan.registry)
        return home_of(spec, training, plan.registry, plan.environment.device, foundation, file_name(spec.name))


class Progress:
    """Cost and learning curve of a fit so far, in a file beside its checkpoints that survives an interruption.

    Attributes:
        before: seconds of fitting in earlier, interrupted attempts.
        data: seconds for the training data, in all attempts.
        curve: learning curve of all attempts.
        notes: remarks of the fit, each once.
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

    def note(self, text: str) -> None:
        """Keep a note; a resumed fit may repeat earlier ones."""
        if text not in self.notes:
            self.notes.append(text)

    def report(self, fraction: float, values: Mapping[str, float]) -> None:
        """Add a point to the learning curve and write the file."""
        if self._resumed:
            # The resumed fit repeats what the interrupted attempt did after its last checkpoint.
            self.curve = [point for point in self.curve if point["fraction"] < fraction]
            self._resumed = False
        self.curve.append({"fraction": fraction, **values})
        fitting = time.monotonic() - self._started - (self.data - self._data_before)
        kept = {"fit_time": self.before + fitting, "data_time": self.data, "curve": self.curve, "notes": self.notes}
        with written_whole(self.path) as stream:
            stream.write(json.dumps(kept).encode())


def _record(spec: SolverSpec, source: str, folder: Path, manifest: to.Json) -> FitRecord:
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
