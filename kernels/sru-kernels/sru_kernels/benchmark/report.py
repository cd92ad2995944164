"""The measurements, case by case, as rows for the terminal and for a document."""

from __future__ import annotations

import datetime
import importlib.metadata
import platform
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch

from sru_kernels._scan import implementation, sru_scan
from sru_kernels.benchmark import contenders
from sru_kernels.benchmark.contenders import SCALARS_BACKWARD, SCALARS_FORWARD, ScanCase, Shape
from sru_kernels.benchmark.measure import COPIED, Reading, copy_bandwidth, side_by_side

PAPER_SHAPE = Shape(100, 64, 128)
LARGE = {"cpu": Shape(100, 512, 256), "cuda": Shape(256, 2048, 512)}
SMALL = Shape(100, 1, 128)
VERSIONS = ("sru-kernels", "torch", "numba", "triton", "numpy", "scipy")
HEADINGS = ("what", "time", "ratio", "of the copy bandwidth", "memory")


@dataclass(frozen=True)
class Row:
    """One line: texts for `HEADINGS`."""

    what: str
    time: str
    ratio: str = ""
    bandwidth: str = ""
    memory: str = ""

    @property
    def cells(self) -> tuple[str, ...]:
        """The texts in order."""
        return (self.what, self.time, self.ratio, self.bandwidth, self.memory)


@dataclass(frozen=True)
class Section:
    """A heading and its rows."""

    title: str
    rows: list[Row]


def measure(device: str, rounds: int, *, compiled: bool) -> Iterator[Section]:
    """Measure all cases one after the other.

    Args:
        device: "cpu" or "cuda".
        rounds: of every case.
        compiled: also measure torch.compile of the plain loop, which takes minutes to compile.
    """
    copied = copy_bandwidth(device, rounds)
    rate = 2 * COPIED / copied.median[0]
    yield Section("copy", [Row(f"copy of {COPIED >> 20} MiB", _time(copied), "", f"{rate / 1e9:.1f} GB/s", "")])
    for shape in (PAPER_SHAPE, LARGE[device], SMALL):
        yield Section(f"scan, {shape}, float32", list(_scan(shape, device, rounds, rate, compiled=compiled)))
    yield Section(f"whole layer, forward and backward, {PAPER_SHAPE}", list(_layer(PAPER_SHAPE, device, rounds)))
    yield Section("prediction by untrained networks, 7 spins, 500 steps", list(_rollouts(device, rounds)))


def about(device: str) -> dict[str, str]:
    """Return what the numbers depend on: machine, versions, implementation."""
    return {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "processor": platform.processor() or platform.machine(),
        "gpu": torch.cuda.get_device_name() if device.startswith("cuda") else "none",
        "threads": str(torch.get_num_threads()),
        "scan": implementation(device),
        "versions": ", ".join(
            f"{one.name} {one.version}" for one in importlib.metadata.distributions() if one.name in VERSIONS
        ),
    }


def document(sections: Sequence[Section], about: dict[str, str], command: str) -> str:
    """Return the numbers as Markdown, with the command that made them and what they depend on."""
    lines = [
        f"# Kernels of the simple recurrent unit on {about['processor']}"
        + ("" if about["gpu"] == "none" else f" with {about['gpu']}"),
        "",
        f"Made by `{command}`. Times are medians over rounds in which all contenders",
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


def _scan(shape: Shape, device: str, rounds: int, rate: float, *, compiled: bool) -> Iterator[Row]:
    inputs = contenders.tensors(shape, device)
    ours = ScanCase(sru_scan, inputs)
    works: dict[str, Callable[[], object]] = {
        "sru_scan": ours.both,
        "forward alone": ours.forward,
        "backward alone": ours.backward,
    }
    if shape != LARGE[device]:  # where one call of the plain loop takes seconds and gigabytes
        works["plain loop of torch"] = ScanCase(contenders.plain_loop, inputs).both
    if compiled and shape == PAPER_SHAPE:
        works["torch.compile of the loop"] = ScanCase(torch.compile(contenders.plain_loop), inputs).both
    found = side_by_side(works, device, rounds)
    counted = {"forward alone": SCALARS_FORWARD, "backward alone": SCALARS_BACKWARD}
    counted["sru_scan"] = SCALARS_FORWARD + SCALARS_BACKWARD
    for name, reading in found.items():
        share = ""
        if name in counted:
            share = f"{counted[name] * 4 * shape.elements / reading.median[0] / rate:.0%}"
        yield Row(
            name, _time(reading), "" if name in counted else _ratio(reading, found["sru_scan"]), share, _memory(reading)
        )


def _layer(shape: Shape, device: str, rounds: int) -> Iterator[Row]:
    layers = contenders.layers(shape.channels, device)
    authors = contenders.authors_layer(shape.channels, device)
    if authors is not None:
        layers["the SRU authors' kernel"] = authors
    flushed = torch.set_flush_denormal(True)
    try:
        works = {name: contenders.layer_step(layer, shape, device) for name, layer in layers.items()}
        found = side_by_side(works, device, rounds)
    finally:
        torch.set_flush_denormal(False)
    for name, reading in found.items():
        ratio = "" if name == "SRU layer" else _ratio(reading, found["SRU layer"])
        note = "" if flushed else " (denormals not flushed)"
        yield Row(name + note, _time(reading), ratio, "", _memory(reading))


def _rollouts(device: str, rounds: int) -> Iterator[Row]:
    for network, layers in (("padded", "2 layers of 256 channels"), ("local", "1 layer of 8 channels")):
        for batch in (1, 256):
            name = f"{network}, {layers}, batch {batch}"
            reading = side_by_side({name: contenders.rollout(network, batch, device)}, device, max(3, rounds // 3))
            yield Row(name, _time(reading[name]), "", "", _memory(reading[name]))


def _time(reading: Reading) -> str:
    return "{:.3g} ms ({:.3g} to {:.3g})".format(*(1e3 * seconds for seconds in reading.median))


def _ratio(reading: Reading, ours: Reading) -> str:
    return "{:.3g} times ours ({:.3g} to {:.3g})".format(*ours.times_faster_than(reading))


def _memory(reading: Reading) -> str:
    return "" if reading.peak is None else f"{reading.peak / 1e6:.0f} MB"
