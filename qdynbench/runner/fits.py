"""The fits of a run, one for each learned solver: shipped with the plugin, cached by an earlier run, or made now."""

from __future__ import annotations

import contextlib
import json
import math
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import filelock
import platformdirs

from qdynbench.contract.spec import SolverSpec
from qdynbench.errors import InputError
from qdynbench.files import file_name, read, short_name, written_whole
from qdynbench.plugins.registry import Registry
from qdynbench.record import provenance, trust
from qdynbench.record.manifest import (
    HASH,
    LARGEST,
    MANIFEST,
    check_weights,
    costs_of,
    manifest_of,
    read_manifest,
    weights_of,
    write_manifest,
)
from qdynbench.record.schema import MOST_POINTS, FitRecord, ManifestRecord, Status, kept_notes, thinned
from qdynbench.runner.earlier import differences
from qdynbench.runner.fleet import Fleet, ended_by_failure
from qdynbench.runner.observer import Observer
from qdynbench.runner.plan import Plan, code_of
from qdynbench.task.load import whole_model
from qdynbench.task.spec import Task
from qdynbench.workers import protocol as to
from qdynbench.workers.process import WorkerFailure

OFTEN = 0.2
"""Seconds between two times that a learning curve is written down."""
OF_OTHER_CODE = "fitted by an earlier version of the solver's code, see --keep-fit"
NO_HASH = "these weights have no hash in their manifest, so that a change of them would not be noticed"
UNKNOWN_TRAINING = "these weights do not say what they were trained on; the tracks take the task's word for it"


def cache_folder() -> Path:
    """Return the folder that keeps fits between runs; on Linux the environment variable XDG_CACHE_HOME moves it."""
    return platformdirs.user_cache_path("qdynbench").absolute() / "fits"


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
    return cache_folder() / f"{short_name(prefix)}-{provenance.fingerprint(parts)}"


def training_of(task: Task, registry: Registry) -> to.Json:
    """Return everything on which the training data of a task depends, with all defaults.

    Raises:
        InputError: the task has no training section.
    """
    training = task.training
    if training is None:
        raise InputError(f"task {task.name!r} has a learned solver but no 'training' section")
    return {
        **training.model_dump(mode="json", exclude={"model"}),
        "dt": training.dt or task.times.dt,
        "model": whole_model(training.model or task.model, registry),
        "seed": task.seed,
    }


@dataclass(frozen=True)
class Choice:
    """What the user says of the weights of learned solvers.

    Attributes:
        refit: solvers to be fitted again, even if there are weights.
        weights: folders of weights by solver; "" stands for the one solver that they can belong to.
        keep: whether weights that other code of the same solver has learned from the same training are good enough.
    """

    refit: frozenset[str] = frozenset()
    weights: Mapping[str, Path] = field(default_factory=dict)
    keep: bool = False


class Fits:
    """Finds or makes the fits of a plan.

    Args:
        plan: the plan.
        fleet: its workers.
        observer: is told of the progress.
        choice: what the user says of the weights.
        earlier: fits of an earlier run in the same folder; weights that were given to it are its weights from then on.

    Raises:
        InputError: weights that are given belong to no solver of the plan, or are not what they should be.
    """

    def __init__(
        self, plan: Plan, fleet: Fleet, observer: Observer, choice: Choice, earlier: Mapping[str, FitRecord]
    ) -> None:
        self._plan = plan
        self._fleet = fleet
        self._observer = observer
        self._choice = choice
        self._given = {
            name: self._given_to(name, Path(fit.folder))
            for name, fit in earlier.items()
            if fit.source == "given"
            and name in {str(spec) for spec in plan.learned} - choice.refit
            and trust.holds(Path(fit.folder), fit.fingerprint)  # else the run is a stranger's, and names any folder
            and fit.fingerprint == weights_of(Path(fit.folder))
        }
        for name, folder in choice.weights.items():
            owner = self._owner(name, folder)
            self._given[owner] = given = self._given_to(owner, folder)
            trust.remember(Path(given.folder), given.fingerprint)

    def find(self, spec: SolverSpec) -> FitRecord | None:
        """Return a given, shipped or kept fit on the same training data; None if it has to be made.

        What comes with a plugin and cannot be used is a failed fit.
        """
        try:
            return self._find(spec)
        except (InputError, OSError, ValueError) as error:
            return _failed(spec, "", str(error))

    def _find(self, spec: SolverSpec) -> FitRecord | None:
        if str(spec) in self._given:
            return self._given[str(spec)]
        if str(spec) in self._choice.refit:
            return None
        kept = self._home(spec) / "weights"
        for folder in map(Path, self._plan.traits[str(spec)].shipped):
            manifest = read_manifest(folder)
            if manifest is not None and manifest.get("training") == self._training:
                if HASH not in manifest:
                    manifest["notes"] = [*manifest.get("notes", []), NO_HASH]
                return _record(spec, "shipped", folder, manifest)
        if os.path.lexists(kept):
            try:
                known = _record(spec, "cache", kept, _whole(kept))
            except (InputError, OSError, ValueError) as error:
                self._observer.noted(spec, f"the kept weights are damaged, and are made anew: {error}")
            else:
                with contextlib.suppress(OSError):  # so that it is known when it was last used
                    os.utime(kept.parent, follow_symlinks=False)
                return known
        if self._choice.keep and (manifest := self._adopt(spec, kept)) is not None:
            return _record(spec, "cache", kept, manifest)
        return None

    @property
    def _training(self) -> to.Json:
        return training_of(self._plan.task, self._plan.registry)

    def _adopt(self, spec: SolverSpec, kept: Path) -> to.Json | None:
        """Copy the latest weights that other code of a solver has learned from the same, and return their manifest."""
        found = []
        for folder in cache_folder().glob(f"{short_name(file_name(spec.name))}-*/weights"):
            manifest = read_manifest(folder) or {}
            same = manifest.get("solver") == str(spec) and manifest.get("training") == self._training
            if same and manifest.get("built_upon") == self._plan.foundation(spec):
                with contextlib.suppress(InputError, OSError, ValueError):
                    manifest = _whole(folder)
                    check_weights(folder, manifest)
                    found.append((str(manifest.get("made", {}).get("date")), folder, manifest))
        if not found:
            return None
        _, folder, manifest = max(found, key=lambda one: one[0])
        manifest["notes"] = list(dict.fromkeys([*manifest.get("notes", []), OF_OTHER_CODE]))
        _removed(kept)
        shutil.copytree(folder, kept)
        write_manifest(kept, manifest)
        return manifest

    def _owner(self, name: str, folder: Path) -> str:
        """Return the solver that given weights belong to."""
        learned = [str(spec) for spec in self._plan.learned]
        entries = self._plan.registry.entries["solvers"]
        asked = [text for text in learned if not entries[SolverSpec.parse(text).name].gate]  # no yardstick
        named = name or (read_manifest(folder) or {}).get("solver")
        if named in learned:
            return str(named)
        if not name and len(asked) == 1:
            return asked[0]
        raise InputError(
            f"--weights {name and f'{name}='}{folder}: say which solver they belong to, as --weights SOLVER=FOLDER "
            f"with one of the learned solvers of this run: {', '.join(learned) or 'there is none'}"
        )

    def _given_to(self, name: str, folder: Path) -> FitRecord:
        """Return the record of weights that the user brings."""
        if not folder.is_dir():
            raise InputError(f"--weights {folder}: there is no such folder")
        manifest = read_manifest(folder) or {}
        try:
            manifest |= costs_of(manifest)
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(
                f"--weights {folder}: write the seconds that these weights had cost into {folder / MANIFEST}, such as "
                '{"data_time": 12.0, "fit_time": 3600.0}; without them no break-even would be true'
            ) from error
        unlike = list(differences(manifest.get("training", self._training), self._training))
        if unlike:
            raise InputError(
                f"--weights {folder}: they were trained on something else than the task says "
                f"({'; '.join(unlike)}); change 'training' of the task, so that every row has its true track"
            )
        if "training" not in manifest:
            manifest["notes"] = [*manifest.get("notes", []), UNKNOWN_TRAINING]
        return _record(SolverSpec.parse(name), "given", folder.resolve(), manifest)

    def make(self, spec: SolverSpec) -> FitRecord:
        """Fit a solver, or resume an interrupted fit, and return the record; a failed fit has a record as well.

        A refit drops the results of earlier fits, finished or interrupted. A fit that cannot be kept has failed.
        """
        home = Path()
        try:
            home = self._home(spec)
            home.parent.mkdir(parents=True, exist_ok=True)
            with self._alone(spec, home) as waited:
                made = self.find(spec) if waited else None
                return made or self._make(spec, home)
        except filelock.Timeout:
            return _failed(spec, home / "weights", "another run is still fitting it on the same data")
        except OSError as error:
            self._fleet.drop(spec)  # it may be in the middle of the fit
            return _failed(spec, home / "weights", f"it cannot be kept in {str(home)!r}: {error.strerror or error}")
        except (InputError, ValueError) as error:  # the weights that it starts from
            return _failed(spec, "", str(error))

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

    def _make(self, spec: SolverSpec, home: Path) -> FitRecord:
        if str(spec) in self._choice.refit:
            _removed(home)
        work, partial, weights = home / "work", home / "weights.partial", home / "weights"
        _removed(partial)
        work.mkdir(parents=True, exist_ok=True)
        partial.mkdir()
        so_far = Progress(home / "progress.json")
        task, limits = self._plan.task, self._plan.task.limits
        training = task.training
        assert training is not None  # noqa: S101 - training_of refuses such a task; this tells the type checker

        def on_event(event: to.Event) -> None:
            match event:
                case to.Need():
                    if event.size not in training.sizes or not 0 <= event.start < event.stop <= training.trajectories:
                        raise WorkerFailure(
                            Status.INVALID, "it asks for data that its training does not have", alive=True
                        )
                    made = self._fleet.ask_scorer(to.MakeTrajectories(event), seconds=limits.seconds)
                    so_far.data += made.seconds
                    worker.tell(made)
                case to.Note():
                    so_far.note(event.text)
                    self._observer.noted(spec, event.text)
                case to.Progress():
                    so_far.report(event.fraction, event.values)
                    self._observer.fitting(spec, event.fraction, event.values)

        request = to.Fit(
            sizes=training.sizes,
            times=task.training_times(),
            count=training.trajectories,
            seed=task.seed,
            folder=str(work),
            save_to=str(partial),
        )
        try:
            worker = self._fleet.solver(spec)
            with ended_by_failure(worker):  # it may wait for an answer that never comes
                fitted = worker.ask(request, seconds=limits.fit_seconds, on_event=on_event)
            _check_saved(partial)
            environment = self._plan.environment
            manifest = manifest_of(
                str(spec),
                self._training,
                data_time=so_far.data,
                fit_time=so_far.before + fitted.seconds,
                curve=so_far.curve,
                foundation=self._plan.foundation(spec),
                notes=so_far.notes,
                where={"threads": environment.threads, "device": environment.device},
            )
            try:
                write_manifest(partial, manifest)
            except ValueError as error:
                raise WorkerFailure(Status.INVALID, f"what it has saved cannot be kept: {error}", alive=True) from error
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
        _removed(weights)
        partial.rename(weights)
        _removed(work)
        so_far.path.unlink(missing_ok=True)
        return _record(spec, "fitted", weights, manifest)

    def _home(self, spec: SolverSpec) -> Path:
        plan, foundation = self._plan, self._plan.foundation(spec)
        return home_of(spec, self._training, plan.registry, plan.environment.device, foundation, file_name(spec.name))


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
        with contextlib.suppress(OSError, ValueError):  # nothing was interrupted, or nobody can say what it had cost
            kept = ManifestRecord.model_validate_json(read(path.parent, path.name, LARGEST))
            self.before, self.data, self.curve, self.notes = kept.fit_time, kept.data_time, kept.curve, kept.notes
        self._started, self._written = time.monotonic(), -math.inf
        self._data_before = self.data
        self._resumed = bool(self.curve)

    def note(self, text: str) -> None:
        """Keep a note; a resumed fit may repeat earlier ones."""
        self.notes = kept_notes([*self.notes, text])

    def report(self, fraction: float, values: Mapping[str, float]) -> None:
        """Add a point to the learning curve and write the file."""
        if self._resumed:
            # The resumed fit repeats what the interrupted attempt did after its last checkpoint.
            self.curve = [point for point in self.curve if point.get("fraction", 1.0) < fraction]
            self._resumed = False
        self.curve += thinned([{"fraction": fraction, **values}])
        if len(self.curve) > MOST_POINTS:
            self.curve = thinned(self.curve)
        if time.monotonic() - self._written < OFTEN:
            return
        self._written = time.monotonic()
        fitting = time.monotonic() - self._started - (self.data - self._data_before)
        kept = {"fit_time": self.before + fitting, "data_time": self.data, "curve": self.curve, "notes": self.notes}
        with written_whole(self.path) as stream:
            stream.write(json.dumps(kept).encode())


def _check_saved(folder: Path) -> None:
    """Refuse a folder in which a manifest cannot be written beside the weights, whatever `save` has done to it."""
    if folder.is_symlink() or not folder.is_dir():
        raise WorkerFailure(Status.INVALID, "save has removed the folder that it has to write to", alive=True)
    if os.path.lexists(folder / MANIFEST):
        raise WorkerFailure(Status.INVALID, f"save has written {MANIFEST}, whose name is taken", alive=True)


def _whole(folder: Path) -> to.Json:
    """Return the manifest of kept weights, which are to be held to it; raises InputError or OSError."""
    manifest = read_manifest(folder)
    if manifest is None or not {HASH, "data_time", "fit_time"} <= manifest.keys():
        raise InputError(f"{str(folder / MANIFEST)!r} cannot be read")
    return manifest


def _removed(path: Path) -> None:
    """Remove what a fit has written, whatever has become of it; raises OSError."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _failed(spec: SolverSpec, folder: Path | str, reason: str) -> FitRecord:
    return FitRecord(
        solver=str(spec), source="fitted", folder=str(folder), status=Status.FAILED, reason=f"fit: {reason}"
    )


def _record(spec: SolverSpec, source: str, folder: Path, manifest: to.Json) -> FitRecord:
    fingerprint = check_weights(folder, manifest)
    if not {"data_time", "fit_time"} <= manifest.keys():
        raise InputError(f"the weights in {str(folder)!r} have no {MANIFEST} that says what they had cost")
    return FitRecord(
        solver=str(spec),
        source=source,
        folder=str(folder),
        data_time=manifest["data_time"],
        fit_time=manifest["fit_time"],
        fingerprint=fingerprint,
        made=manifest.get("made", {}),
        curve=manifest.get("curve", []),
        built_upon=manifest.get("built_upon"),
        notes=manifest.get("notes", []),
    )
