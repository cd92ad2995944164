from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len

from qdynbench import api
from qdynbench.record.results import Run
from qdynbench.record.schema import Status
from qdynbench.report.terminal.show import show, show_comparison
from tests.runs import Entry, ended, exact, make_run, printed

WIDTHS = [80, 100, 160, 200]
ED = exact(1e-4)


def shown(run: Run, width: int, *, details: bool = True, **console: Any) -> str:
    """The report of a run."""
    return printed(lambda found: show(run, found, details=details), width, **console)


def compared(run: Run, width: int, *solvers: str) -> str:
    """The comparison of solvers."""
    return printed(lambda found: show_comparison(api.compare(run, *solvers), found), width)


def words(text: str) -> str:
    """The text with single blanks, so that a test does not depend on where lines break."""
    return " ".join(text.split())


def section(text: str, start: str, end: str) -> list[str]:
    """The lines from one that starts so to one that starts with `end`, or to an empty one."""
    lines = text.split("\n")
    first = next(number for number, line in enumerate(lines) if line.startswith(start))
    after = enumerate(lines[first + 1 :], first + 1)
    return lines[first : next(number for number, line in after if (line.startswith(end) if end else not line))]


def block_of(lines: list[str], solver: str) -> list[str]:
    """The rows below a solver's name, up to the next one."""
    first = next(number for number, line in enumerate(lines) if line.split("  ")[0] == solver) + 1
    count = next((number for number, line in enumerate(lines[first:]) if not line.startswith(" ")), len(lines))
    return lines[first : first + count]


@pytest.mark.parametrize("width", WIDTHS)
def test_no_line_is_wider_than_the_console(usual: Run, troubled: Run, width: int) -> None:
    texts = [
        shown(usual, width, details=True),
        shown(troubled, width, details=True),
        compared(usual, width, "sru", "ed", "ed[mode=per_state]", "linear"),
        compared(troubled, width, "slow", "ed", "large"),
    ]
    for text in texts:
        assert max(map(cell_len, text.split("\n"))) <= width


@pytest.mark.parametrize("width", [80, 160])
@pytest.mark.parametrize("heading", ["Accuracy", "Cost"])
def test_every_cell_has_a_row_in_each_table(usual: Run, troubled: Run, width: int, heading: str) -> None:
    for run in (usual, troubled):
        start = "Accuracy" if width == 160 else heading  # side by side, both tables share their rows
        lines = section(shown(run, width), start, "")
        for solver in run.task.solvers:
            found: set[int] = set()
            for line in block_of(lines, solver):
                if match := re.match(r" *(\d+)\.\.(\d+)  [a-z]", line):
                    found |= set(range(int(match[1]), int(match[2]) + 1))
                elif match := re.match(r" *((?:\d+, )*\d+)  ", line):
                    found |= {int(number) for number in match[1].split(", ")}
            assert found == set(run.task.sizes), solver


def test_figures_stand_in_the_row_of_their_cell(usual: Run) -> None:
    cell = usual.cell("sru", 7, 0)
    assert cell is not None
    row = next(line for line in block_of(section(shown(usual, 80), "Accuracy", "Cost"), "sru") if line.startswith(" 7"))
    track, entropy, infidelity, skill = row.split()[1:5]
    assert track == "larger-chain"
    for shown_text, metric in ((entropy, "mean_relative_entropy"), (infidelity, "infidelity"), (skill, "skill")):
        score = next(score for score in cell.scores if score.metric == metric)
        value, _, half = shown_text.partition("±")
        assert float(value) == pytest.approx(score.value, abs=max(float(half or 0), 6e-4))


def test_values_below_the_bound_are_written_as_such(usual: Run) -> None:
    rows = block_of(section(shown(usual, 80), "Accuracy", "Cost"), "ed")
    assert all(row.count("<2e-29") == 2 for row in rows)
    rows = block_of(section(shown(usual, 80), "Accuracy", "Cost"), "local-generator")
    assert not any("<" in row for row in rows)


def test_tables_stand_side_by_side_where_there_is_room(usual: Run) -> None:
    wide, narrow = shown(usual, 160).split("\n"), shown(usual, 80).split("\n")
    assert sum("Accuracy" in line and "Cost" in line for line in wide) == 1
    assert not any("Accuracy" in line and "Cost" in line for line in narrow)
    headings = next(line for line in wide if "MRE" in line).split()
    assert {"infidelity", "skill", "prepare", "memory", "break-even"} <= set(headings)
    assert any("Infidelity against time" in line and "Mean relative entropy against time" in line for line in wide)


def test_many_batch_sizes_take_another_table_below(tmp_path: Path) -> None:
    batches = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512]
    run = make_run(tmp_path / "run", {"ed": {4: exact(1e-4, batches=batches, timed_states=512)}})
    lines = section(shown(run, 80), "Cost", "Infidelity")
    headings = [line for line in lines if line.startswith(" N ")]
    assert len(headings) > 1
    assert [int(n) for n in re.findall(r"(\d+) states?", "  ".join(headings))] == batches
    assert max(map(len, lines)) <= 80


def test_every_status_is_shown_with_its_reason(troubled: Run) -> None:
    text = words(shown(troubled, 80))
    for cell in troubled.cells:
        if cell.status is not Status.OK:
            assert f"{cell.status.value}: {cell.reason}" in text


def test_cells_that_end_alike_share_a_row(usual: Run) -> None:
    rows = block_of(section(shown(usual, 80), "Accuracy", "Cost"), "linear")
    assert [row for row in rows if "unsupported" in row] == [
        " 5..8  unsupported: no trajectories of N spins in the training data"
    ]


def test_a_cell_that_failed_in_its_timing_keeps_its_accuracy(troubled: Run) -> None:
    rows = block_of(section(shown(troubled, 80), "Accuracy", "Cost"), "slow")
    assert rows[2].startswith(" 4  in-distribution")
    assert "1.00e-9" in rows[2]
    assert rows[3] == " 4  timeout: solve: over 120 s"


def test_extrapolated_times_have_a_mark_and_a_footnote(usual: Run) -> None:
    text = shown(usual, 80)
    rows = block_of(section(text, "Cost", "*"), "ed[mode=per_state]")
    assert [row.count("*") for row in rows] == [2] * 7
    assert "* ed[mode=per_state]: timed on 8 states, extrapolated in proportion" in words(text)
    assert not any("*" in row for row in block_of(section(text, "Cost", "*"), "ed"))


def test_learned_solvers_say_what_their_weights_had_cost(usual: Run, troubled: Run) -> None:
    text = words(shown(usual, 80))
    cost = "data 3.20 s, fit 229 s on AMD EPYC 7763, 2 threads, cpu, 2026-11-20"
    shipped = f"sru: shipped weights, whose cost is as the plugin says: {cost}"
    assert shipped in text
    assert "linear: fitted in this run: data 400 ms, fit 200 ms on" in text
    assert "unfit: timeout: fit: over 900 s" in words(shown(troubled, 80))


def test_a_break_even_that_is_not_at_equal_error_is_in_brackets(usual: Run) -> None:
    lines = section(shown(usual, 80), "Cost", "*")
    assert all(row.endswith("(always)") for row in block_of(lines, "persistence"))
    assert all(row.endswith("never") for row in block_of(lines, "local-generator"))
    assert "(in brackets): not at equal error" in words(shown(usual, 80))


def test_labels_stand_wherever_a_solver_is_compared(usual: Run) -> None:
    labels = ["assumes that amplitudes couple by single spin flips", "paper's protocol: state by state"]
    for label in labels:
        assert words(shown(usual, 80)).count(label) == 2  # with its rows, and below the verdict
        assert label in words(compared(usual, 80, "sru", "ed[mode=per_state]"))
    assert not any(label in words(compared(usual, 80, "ed", "linear")) for label in labels)


def test_the_header_says_what_was_run_and_where(usual: Run) -> None:
    text = words(shown(usual, 80)[:600])
    for part in (
        "Mixed-field Ising chain",
        "ising: J 1, g -1.05, h 0.5, boundary open",
        "100 steps of 0.002",
        "200 states a size, random_product",
        "reference ed",
        "AMD EPYC 7763, 2 cores · 2 threads · cpu · 2026-11-22 16:21 UTC",
        "commit 0123456789ab",
    ):
        assert part in text
    assert str(usual.folder) in shown(usual, 400)


def test_long_model_parameters_are_cut_short(tmp_path: Path) -> None:
    fields = {"family": "ising", "J": 1.0, "g": [0.1, 0.2, 0.3, 0.4, 0.5], "h": 0.0}
    assert "g [0.1, 0.2, 0.3, …] (5)" in shown(make_run(tmp_path / "fields", {"ed": {5: ED}}, model=fields), 160)
    strings = {"family": "pauli", "terms": [[1.0, "ZZ", [0, 1]], [0.5, "X", [0]]]}
    assert "terms […] (2)" in shown(make_run(tmp_path / "strings", {"ed": {2: ED}}, model=strings), 160)


def test_texts_from_outside_are_not_markup(tmp_path: Path) -> None:
    reason = "[bold red]not[/] [link=http://example.org]markup[/link] :boom: [/]"
    bad = ended(Status.FAILED, reason, f"{reason}\x1b]0;x\x07")
    fit = {"status": Status.FAILED, "reason": f"{reason}\x1b[31m", "details": "\x1b[2J"}
    title = "[bold]title[/bold] \x1b[31mred"
    run = make_run(tmp_path / "run", {"ed": {4: ED}, "mine[mode=red]": {4: bad}}, {"mine[mode=red]": fit}, title=title)
    text = shown(run, 160, details=True)
    assert text.startswith("[bold]title[/bold] red\n")
    assert text.count(f"failed: {reason}") == 2
    assert "mine[mode=red]" in text
    assert "\x1b" not in text
    assert "\x07" not in text


def test_styles_are_left_out_where_the_console_has_none(usual: Run) -> None:
    assert "\x1b" not in shown(usual, 80)
    assert not re.search(r"\x1b\[[0-9;]*3\d", shown(usual, 80, force_terminal=True, no_color=True))
    assert re.search(r"\x1b\[[0-9;]*3\d", shown(usual, 80, force_terminal=True, color_system="256", no_color=False))


def test_the_last_lines_count_all_cells_and_say_what_to_type(usual: Run, troubled: Run) -> None:
    tail = words(shown(usual, 80)[-400:])
    assert "42 cells: 38 ok, 4 unsupported" in tail
    assert f"qdynbench compare sru ed --run {usual.folder}" in tail
    tail = words(shown(troubled, 80)[-600:])
    assert (
        "1 infeasible, 1 invalid, 2 failed, 4 timeout, 1 out_of_memory, 1 crashed, 1 not timed yet, 2 missing" in tail
    )
    assert "interrupted: the same `qdynbench run` goes on from here" in tail
    assert f"qdynbench report {troubled.folder} --details" in tail


def test_names_in_commands_are_quoted_for_the_shell(tmp_path: Path) -> None:
    run = make_run(tmp_path / "my run", {"ed": {4: ED}, "ed[precision=single]": {4: Entry(error=1e-13)}})
    assert f"qdynbench compare 'ed[precision=single]' ed --run '{run.folder}'" in shown(run, 80)


def test_details_show_each_traceback_once(troubled: Run) -> None:
    brief, full = shown(troubled, 80, details=False), shown(troubled, 80)
    assert "Traceback" not in brief
    assert full.count("Traceback (most recent call last):") == 1
    assert "as for mine[width=32] at 3 spins" in full
    assert "last lines of the log" in full


def test_a_run_that_has_nothing_yet_is_shown(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", {"ed": {4: Entry(error=None, seconds=None, complete=False)}}, missing=3)
    text = words(shown(run, 80))
    assert "1 cell: 1 ok, 1 not timed yet, 3 missing" in text


def test_several_seeds_are_averaged_in_one_row_and_compared_one_by_one(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", {"ed": {4: ED}, "new": {4: Entry(error=1e-5, seconds=1e-3)}}, seeds=[0, 7])
    for heading, end in (("Accuracy", "Cost"), ("Cost", "break-even")):
        rows = block_of(section(shown(run, 100), heading, end), "new")
        assert [row.split()[:2] for row in rows] == [["4", "2"]]
    assert "mean ± 95 % over 2 seeds, each the mean over 200 states" in words(shown(run, 100))
    assert re.findall(r"4 spins, seed \d", compared(run, 80, "new", "ed")) == ["4 spins, seed 0", "4 spins, seed 7"]


def test_a_run_without_its_reference_is_shown(tmp_path: Path) -> None:
    text = words(shown(make_run(tmp_path / "run", {"other": {4: Entry(error=1e-5, seconds=1e-4)}}), 80))
    assert "other" in text
    assert "break-even" not in text
    assert "qdynbench compare" not in text


def test_a_comparison_has_a_row_for_each_batch_size(usual: Run) -> None:
    text = compared(usual, 80, "sru", "ed")
    lines = text.split("\n")
    start = next(number for number, line in enumerate(lines) if line.startswith("7 spins"))
    assert re.match(r"7 spins  infidelity \S+ against <2e-29: less accurate", lines[start])
    assert [line.split()[0] for line in lines[start + 1 : start + 4]] == ["1", "64", "256"]
    for line in lines[start + 1 : start + 4]:
        assert re.search(r"  2\.00  slower +never$", line)
    assert "sru against ed: ed is 2.0 times faster" in words(text)


def test_a_comparison_names_what_is_not_paired_and_what_is_missing(tmp_path: Path) -> None:
    new = {4: exact(1e-3, rounds_id="later"), 5: ended(Status.UNSUPPORTED, "no data")}
    run = make_run(tmp_path / "run", {"ed": {4: ED, 5: ED}, "new": new})
    text = compared(run, 80, "new", "ed")
    assert len(re.findall(r"±\S+‡  slower", text)) == 3
    assert "‡ timed in different races" in text
    assert "new is unsupported (no data)" in text
