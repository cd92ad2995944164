"""The command itself: measure, show each section as it is done, and write a document if asked to."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from qdynbench_sru.kernels.report import Section


def kernels(
    device: Annotated[str, typer.Option("--device", help="cpu or cuda.")] = "cpu",
    threads: Annotated[int | None, typer.Option("--threads", help="CPU threads; default: all cores.")] = None,
    rounds: Annotated[int, typer.Option("--rounds", min=3, help="Readings of every contender.")] = 15,
    compiled: Annotated[
        bool, typer.Option("--compiled/--no-compiled", help="Also torch.compile of the loop; takes minutes.")
    ] = False,
    out: Annotated[Path | None, typer.Option("--out", help="Markdown file for the figures.")] = None,
) -> None:
    """Measure the kernels beside the plain loop, torch's LSTM and GRU, and the memory bandwidth."""
    import torch
    from rich.console import Console
    from rich.table import Table

    from qdynbench.errors import InputError
    from qdynbench_sru.kernels import report

    if device not in {"cpu", "cuda"}:
        raise InputError(f"--device {device}: must be cpu or cuda")
    if device == "cuda" and not torch.cuda.is_available():
        raise InputError("--device cuda: torch sees no CUDA device on this machine")
    if out is not None and not out.parent.is_dir():
        raise InputError(f"--out {out}: there is no folder {str(out.parent)!r}")
    if threads is not None:
        torch.set_num_threads(threads)
    console = Console()
    sections = []
    for section in report.measure(device, rounds, compiled=compiled):
        sections.append(section)
        table = Table(title=section.title, title_justify="left", box=None, pad_edge=False)
        for heading in report.HEADINGS:
            table.add_column(heading, overflow="fold")
        for row in section.rows:
            table.add_row(*row.cells)
        console.print(table, "")
    if out is not None:
        options = f"--device {device}" + (f" --threads {threads}" if threads else "") + (" --compiled" * compiled)
        out.write_text(document(sections, report.about(device), options))
        console.print(f"written to {out}", soft_wrap=True)


def document(sections: list[Section], about: dict[str, str], options: str) -> str:
    """Return the figures as Markdown, with the command and what they depend on."""
    from qdynbench_sru.kernels.report import HEADINGS

    lines = [
        f"# Kernels of the simple recurrent unit on {about['processor']}"
        + ("" if about["gpu"] == "none" else f" with {about['gpu']}"),
        "",
        f"Made by `qdynbench sru kernels {options} --out FILE`. Times are medians over rounds in which all contenders",
        "of a table alternate, with 95 % intervals; ratios are taken within each round. Bytes are counted, not",
        "measured: six scalars for each element and step forward, ten backward. Memory, counted on a GPU alone, is",
        "what a call needs beyond its inputs.",
        "",
        *(f"- {name}: {value}" for name, value in about.items()),
    ]
    for section in sections:
        lines += ["", f"## {section.title}", "", f"| {' | '.join(HEADINGS)} |", "|" + "---|" * len(HEADINGS)]
        lines += [f"| {' | '.join(row.cells)} |" for row in section.rows]
    return "\n".join(lines) + "\n"
