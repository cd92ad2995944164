"""The paper's tasks and figures, on a real run that is as small as it can be."""

from __future__ import annotations

import copy
import itertools
import json
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest
import torch
from qdynbench_sru.paper import common
from rich.console import Console

from qdynbench import CannotDraw, CellRecord, Figure, Run, Status, api, band, load_task
from qdynbench.plugins.registry import Registry
from qdynbench.report.parts import Drawing
from qdynbench.report.terminal.layout import lines_of
from qdynbench.testing.exercise import product_initial, uniform_chain

from .helpers import relative_entropy

SHARED = ("fig2", "fig3", "fig4", "table1", "magnetization", "zero_shot")
FIGURES = [f"paper-{name.replace('_', '-')}" for name in (*SHARED, "fig5")]
SRUS = ("sru[effort=0.02,encoder=padded,largest=3]", "sru[effort=0.02]")
NETWORKS = [common.label(solver) for solver in SRUS]
TASK = """
name: little
model: {family: ising, J: 1.0, g: -1.05, h: 0.5}
sizes: [2, 3]
times: {dt: 0.002, steps: 120}
states: 5
seed: 2020
training: {sizes: [2, 3], trajectories: 4, steps: 12}
solvers: [ed, "ed[mode=per_state]", SRUS]
timing: {batch_sizes: [1, 64], rounds: 3, launches: 1, seconds: 0.2, subset: {"ed[mode=per_state]": 2}}
keep: {trajectories: 1}
figures: [FIGURES]
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("paper")
    task = folder / "little.yaml"
    task.write_text(TASK.replace("FIGURES", ", ".join(FIGURES)).replace("SRUS", json.dumps(SRUS)[1:-1]))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
        done = api.run(task, out=folder / "run")
    assert done is not None
    return done


@pytest.fixture(scope="module")
def drawn(run: Run) -> dict[str, Drawing]:
    """Return what came of the figures, by name."""
    return {one.name: one for one in api.draw(run)}


def lacking(run: Run, condition: Callable[[CellRecord], bool]) -> Run:
    """Return the run without the cells that fulfil a condition."""
    poorer = copy.copy(run)
    poorer.cells = [cell for cell in run.cells if not condition(cell)]
    return poorer


def picture(run: Run, name: str) -> tuple[set[str], Counter[str]]:
    """Return the texts and the numbers of marks of a figure's SVG, by kind of mark."""
    root = ET.fromstring((run.folder / "figures" / f"{name}.svg").read_text())  # noqa: S314 - written by this run
    texts = {element.text for element in root.iter() if element.text and element.text.strip()}
    roles = Counter(role for element in root.iter() if (role := element.get("aria-roledescription")))
    return texts, roles


def figure(name: str) -> Figure:
    return Registry.discover().load("figures", name)()


def test_every_paper_task_is_whole_at_both_settings_and_most_share_their_training() -> None:
    trainings = {load_task(f"paper/{name}").training.model_dump_json() for name in SHARED}
    assert len(trainings) == 1
    for name in (*SHARED, "fig5"):
        small, full = load_task(f"paper/{name}"), load_task(f"paper/{name}", setting="full")
        assert (small.seed, small.times.dt, full.states) == (2020, 0.002, 1000)
        assert small.states < full.states
        assert small.figures == [f"paper-{name.replace('_', '-')}"]
        assert small.name == small.figures[0]


def test_every_paper_task_has_the_papers_encoder_and_its_name_says_so() -> None:
    for name, setting in itertools.product((*SHARED, "fig5"), ("", "full")):
        solvers = load_task(f"paper/{name}", setting=setting or None).solvers
        units = [common.label(text) for text in solvers if text.startswith("sru")]
        ours = [text for text in units if text.startswith("SRU, the paper's encoder")]
        assert ours
        assert all(text.startswith("SRU, local encoder (not the paper's)") for text in units if text not in ours)


def test_the_papers_numbers_give_its_claim() -> None:
    numbers = common.paper()
    at_256 = numbers["table1"]["batch_sizes"].index(256)
    ratio = numbers["table1"]["ed"][7][at_256] / numbers["table1"]["sru"][7][at_256]
    assert ratio == pytest.approx(numbers["claimed_ratio"], rel=0.05)
    assert all(len(row) == 4 for key in ("ed", "sru") for row in numbers["table1"][key].values())


@pytest.mark.parametrize(
    ("size", "lost", "share", "error"),
    [
        (7, 25, 0.0043, 7e-3),  # as the first weights of the paper's encoder had: 51 of 256 real directions
        (8, 128, 0.076, 0.06),  # the least that 256 channels can lose of 512 real directions
    ],
)
def test_what_a_network_misses_that_has_lost_the_weakest_directions(
    size: int, lost: int, share: float, error: float
) -> None:
    """The figures of docs/paper.md: the share of the squared change per step, and the MRE at step 100."""
    energies, vectors = np.linalg.eigh(uniform_chain(size).to_dense())
    weakest = np.argsort(np.abs(energies))[:lost]
    assert np.sum(energies[weakest] ** 2) / np.sum(energies**2) == pytest.approx(share, rel=0.05)
    states = product_initial(size, 200, seed=5).states.numpy()
    ends = [
        torch.from_numpy((states @ vectors.conj()) * np.exp(-0.2j * moved) @ vectors.T)
        for moved in (energies, np.where(np.isin(np.arange(1 << size), weakest), 0, energies))
    ]
    assert relative_entropy(*ends) == pytest.approx(error, rel=0.1)


def test_every_figure_is_drawn(run: Run, drawn: dict[str, Drawing]) -> None:
    assert {name: one.reason for name, one in drawn.items()} == dict.fromkeys(FIGURES, "")
    for name in FIGURES:
        assert (run.folder / "figures" / f"{name}.png").stat().st_size > 10_000


def test_fig2_has_a_line_and_dots_for_every_amplitude(run: Run) -> None:
    texts, roles = picture(run, "paper-fig2")
    assert {"2 spins", "3 spins", "time step", "magnitude", "exact (ED)", "predicted (SRU)"} <= texts
    assert {*NETWORKS} <= texts
    assert roles["line mark"] == 2 * (4 + 8)  # networks, amplitudes
    assert roles["circle"] == 2 * (4 + 8) * 11


def test_fig3_has_every_amplitude_at_every_instant(run: Run) -> None:
    texts, roles = picture(run, "paper-fig3")
    assert {"exact magnitude", "predicted magnitude", "time step"} <= texts
    assert {f"{network}, {size} spins" for network in NETWORKS for size in (2, 3)} <= texts
    assert roles["circle"] == 2 * (4 + 8) * 10


def test_fig4_has_a_row_for_each_time_span_and_a_band_for_each_curve(run: Run) -> None:
    texts, roles = picture(run, "paper-fig4")
    assert {*NETWORKS, "persistence: nothing moves", "mean relative entropy", "spins", "2", "3"} <= texts
    spans, solvers, sizes = 2, 3, 2
    assert roles["area mark"] == spans * solvers * sizes
    assert roles["line mark"] == spans * solvers * (sizes + 1)  # the paper's bound in each panel


def test_table1_marks_what_is_extrapolated_and_quotes_the_paper(run: Run, drawn: dict[str, Drawing]) -> None:
    table = drawn["paper-table1"].table
    assert table is not None
    lines = [line.plain for line in lines_of(table, Console(width=80), 80)]
    assert max(map(len, lines)) <= 80
    row = next(line.split() for line in lines if line.split()[:2] == ["3", "64"])
    assert row[2:5] == ["2.2", "0.74", "3.0"]
    assert row[5].startswith("*")
    assert not row[6].startswith("*")
    assert row[7] == "padded"
    beside = lines[next(number for number, line in enumerate(lines) if line.split() == row) + 1].split()
    assert beside[0] == "local"  # each network in a row of its own, by its name
    assert len(beside) == 4
    last = next(line.split() for line in lines if line.split()[:2] == ["3", "256"])
    assert last[5:7] + last[8:] == ["–"] * 5  # not a batch size of this run
    assert "…" not in "".join(lines)
    headings = ["paper", "paper", "paper", "single", "batch", "our", "its", "single", "batch"]
    assert any(line.split() == headings for line in lines)
    texts, _ = picture(run, "paper-table1")
    assert {"ED, paper", "ED state by state, here", "ED in one batch, here", "seconds"} <= texts
    assert {f"{network}, here" for network in NETWORKS} <= texts


def test_fig5_draws_the_learning_curve_of_the_fit(run: Run) -> None:
    texts, roles = picture(run, "paper-fig5")
    assert {*NETWORKS, "mean relative entropy", "time step", "(b) mean relative entropy"} <= texts
    points = sum(len(run.record.fits[solver].curve) for solver in common.recurrent(run))
    assert roles["point"] == points


def test_zero_shot_and_magnetization_name_their_axes(run: Run) -> None:
    texts, _ = picture(run, "paper-zero-shot")
    assert {*NETWORKS, "spins", "mean relative entropy", "longer than in training →"} <= texts
    texts, roles = picture(run, "paper-magnetization")
    assert {*NETWORKS, "time (1/J)", "magnetization", "2 spins, x", "3 spins, z"} <= texts
    assert roles["line mark"] == 2 * 2 * 3 * 3  # networks, sizes, axes, states


def test_bands_hold_the_mean_and_have_no_edges_with_few_states(run: Run) -> None:
    cell = common.scored(run, "persistence")[0]
    curve = run.curves_of(cell)["mean_relative_entropy"]
    (row,) = band(curve, [120], spins=2)
    score = next(s for s in cell.scores if s.metric == "mean_relative_entropy" and s.step == 120)
    assert row["value"] == pytest.approx(score.value, rel=1e-5)
    assert np.isfinite(row["value"])
    ends = [row["low"], row["high"], score.low, score.high]
    assert np.isnan(ends).all()  # five states are too few for an interval of their mean


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_without_its_solver_says_so_in_one_line(run: Run, name: str) -> None:
    poorer = lacking(run, lambda cell: cell.solver.startswith("sru"))
    with pytest.raises(CannotDraw) as caught:
        figure(name).draw(poorer)
    assert "sru" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_size_that_failed_stands_below_the_title(run: Run) -> None:
    poorer = lacking(run, lambda cell: cell.solver.startswith("sru") and cell.size == 3)
    assert any("3 spins" in line for line in figure("paper-fig4").draw(poorer).title.subtitle)


def test_the_reason_of_a_failed_solver_is_repeated(run: Run) -> None:
    failed = copy.copy(run)
    failed.cells = [
        cell.model_copy(update={"status": Status.TIMEOUT, "reason": "fit: over 900 s", "scores": []})
        if cell.solver.startswith("sru")
        else cell
        for cell in run.cells
    ]
    with pytest.raises(CannotDraw, match="timeout, fit: over 900 s"):
        figure("paper-fig4").draw(failed)


def test_without_kept_trajectories_the_task_key_is_named(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(run), "trajectories", lambda self, cell: None)
    with pytest.raises(CannotDraw, match=r"keep: \{trajectories: 1\}"):
        figure("paper-fig2").draw(run)
