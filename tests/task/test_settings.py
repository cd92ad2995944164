"""Named sets of values inside a task file."""

from __future__ import annotations

from pathlib import Path

import pytest

from qdynbench.errors import InputError
from qdynbench.task.load import load_task

TASK = """\
model: {family: ising, J: 1.0, g: -1.05, h: 0.5}
sizes: [2]
times: {dt: 0.01, steps: 5}
solvers: [ed]
timing: {subset: {ed: 2}}
settings:
  full:
    times.steps: 50
    sizes: 2..4
    timing.subset: {}
  other: {states: 7}
"""


def written(folder: Path, text: str = TASK) -> Path:
    path = folder / "task.yaml"
    path.write_text(text)
    return path


def test_a_setting_changes_what_it_names_and_a_command_line_value_goes_over_it(tmp_path: Path) -> None:
    path = written(tmp_path)
    plain = load_task(path)
    assert (plain.times.steps, plain.sizes, plain.states) == (5, [2], 200)
    full = load_task(path, setting="full")
    assert (full.times.steps, full.times.dt, full.sizes, full.timing.subset) == (50, 0.01, [2, 3, 4], {})
    assert load_task(path, setting="full", overrides={"times.steps": 9}).times.steps == 9
    assert load_task(path, setting="other").states == 7


def test_a_command_line_value_need_not_agree_with_settings_that_were_not_chosen(tmp_path: Path) -> None:
    path = written(tmp_path, TASK.replace("other: {states: 7}", "other: {times.steps: 50, report.steps: [40]}"))
    assert load_task(path, overrides={"times.steps": 3}).times.steps == 3


@pytest.mark.parametrize(
    ("old", "new", "setting", "expected"),
    [
        ("", "", "ful", ("task.yaml", "unknown setting 'ful'", "did you mean 'full'")),
        ("times.steps: 50", "times.stps: 50", "full", ("task.yaml:8", "'times.stps'", "did you mean 'steps'")),
        ("times.steps: 50", "times.stps: 50", None, ("task.yaml:8", "did you mean 'steps'")),
        ("{states: 7}", "{states: few}", None, ("task.yaml:11", "states", "integer", "'few'")),
        ("{states: 7}", "{states.few: 1}", "other", ("task.yaml:11", "states", "integer")),
        ("{states: 7}", "{times.dt.x: 1}", "other", ("task.yaml:11", "settings.other: times.dt.x", "single value")),
        ("{states: 7}", "[states]", "other", ("task.yaml:11", "mapping of keys")),
        ("sizes: [2]", "sizes: [2]\nstates: 3", "other", ()),
    ],
)
def test_what_is_wrong_with_a_setting_is_said_with_its_line(
    tmp_path: Path, old: str, new: str, setting: str | None, expected: tuple[str, ...]
) -> None:
    path = written(tmp_path, TASK.replace(old, new, 1))
    if not expected:
        assert load_task(path, setting=setting).states == 7
        return
    with pytest.raises(InputError) as caught:
        load_task(path, setting=setting)
    for part in expected:
        assert part in str(caught.value)


def test_a_task_without_settings_says_so(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="has no settings"):
        load_task(written(tmp_path, TASK[: TASK.index("settings:")]), setting="full")
