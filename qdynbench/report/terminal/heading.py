"""What heads a report: the setting of the task, and the machine that it ran on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qdynbench import text as write
from qdynbench.analysis.selection import states_of
from qdynbench.record.results import Run


def setting_of(run: Run) -> list[str]:
    """Return what was solved, in a few words each."""
    task, training = run.task, run.task.training
    found = [
        _model(task.model),
        f"{task.times.steps} steps of {task.times.dt:g}",
        f"N = {write.spans(task.sizes)}",
        f"{write.count(states_of(run), 'state')} a size, {task.ensemble}",
        f"reference {task.reference}",
    ]
    if training:
        found.append(f"trained on N = {write.spans(training.sizes)}, {training.trajectories} trajectories each")
        found.append(f"training noise {training.noise:g}")
        if training.model and training.model != task.model:
            found.append(f"trained on {_model(training.model)}")
    return [write.plain(item) for item in found]


def machine_of(run: Run) -> list[str]:
    """Return where and when it was solved, in a few words each."""
    made = run.record.provenance
    hardware = made.get("hardware", {})
    found = [
        f"{hardware.get('processor', 'unknown machine')}, {write.count(int(hardware.get('cores') or 0), 'core')}",
        write.count(int(made.get("threads") or 0), "thread"),
        str(made.get("device", "")),
        str(made.get("started", ""))[:16].replace("T", " ") + " UTC",
        f"commit {made['commit']}" if made.get("commit") else "",
    ]
    return [write.plain(item) for item in found if item]


def _model(parameters: Mapping[str, Any]) -> str:
    shown = ", ".join(f"{key} {_brief(value)}" for key, value in parameters.items() if key != "family")
    return f"{parameters.get('family', 'model')}: {shown}"


def _brief(value: Any) -> str:
    if isinstance(value, list):
        shown = [] if any(isinstance(item, list) for item in value) else [_brief(item) for item in value[:3]]
        return f"[{', '.join([*shown, '…'])}] ({len(value)})" if len(value) > len(shown) else f"[{', '.join(shown)}]"
    return f"{value:g}" if isinstance(value, float) else str(value)
