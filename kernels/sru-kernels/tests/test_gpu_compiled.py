"""The GPU kernels compiled ahead of time for an H200 (sm_90), without one: nothing spills, loads are wide."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import pytest

triton = pytest.importorskip("triton", reason="not applicable: triton exists for Linux alone")
pytestmark = pytest.mark.skipif(
    os.environ.get("TRITON_INTERPRET") == "1", reason="not applicable: this process interprets"
)

WIDTH_OF_LOAD = {"fp32": "v4.b32", "bf16": "v4.b32", "fp64": "v2.b64"}
ITEMSIZE = {"fp32": 4, "bf16": 2, "fp64": 8}


def compiled(
    kernel: Any,
    kinds: Mapping[str, str],
    constants: Mapping[str, Any],
    ones: Collection[str] = (),
    aligned: Collection[str] = (),
    **options: int,
) -> tuple[str, dict[str, int]]:
    """Compile for sm_90 and return the PTX and what the machine code needs.

    Args:
        kernel: a Triton function; pointers are its arguments in `kinds`, all others are integers.
        kinds: type of what each pointer points to, taken to be 16-byte aligned as torch's allocations are.
        constants: compile-time constants.
        ones: integers that are 1 and so become constants, as Triton makes them.
        aligned: integers that 16 divides.
        options: warps and stages.
    """
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    known = {name: value for name, value in constants.items() if name in kernel.arg_names}
    known |= {name: 1 for name in ones if name in kernel.arg_names}
    signature, attributes = {}, {}
    for number, name in enumerate(kernel.arg_names):
        is_constant = name in known
        signature[name] = "constexpr" if is_constant else f"*{kinds[name]}" if name in kinds else "i32"
        if not is_constant and (name in kinds or name in aligned):
            attributes[(number,)] = [["tt.divisibility", 16]]
    source = ASTSource(kernel, signature, known, attributes)
    binary = triton.compile(source, GPUTarget("cuda", 90, 32), {"enable_fp_fusion": True, **options})
    return binary.asm["ptx"], needs(binary.asm["cubin"])


def needs(cubin: bytes) -> dict[str, int]:
    """Registers, stack and shared memory, as NVIDIA's own tool reads them from the machine code."""
    path = Path(os.environ["TRITON_CACHE_DIR"]) / "kernel.cubin"
    path.write_bytes(cubin)
    tool = triton.knobs.nvidia.cuobjdump.path
    text = subprocess.run([tool, "-res-usage", path], capture_output=True, text=True, check=True).stdout
    found = {name: int(value) for name, value in re.findall(r"(REG|STACK|LOCAL|SHARED):(\d+)", text)}
    assert {"REG", "STACK", "LOCAL"} <= set(found), text
    return found


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Compile in each test anew, whatever was compiled on this machine before."""
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))


def scan(name: str, kind: str, columns: int, align: int, ones: Collection[str] = ()) -> tuple[str, dict[str, int]]:
    from sru_kernels._scan import gpu

    kernel = getattr(gpu, name)
    first_integer = kernel.arg_names.index("steps")
    kinds = dict.fromkeys(kernel.arg_names[:first_integer], kind)
    wide = "fp64" if kind == "fp64" else "fp32"
    if "over_time" in kinds:
        kinds["over_time"] = wide
    count, ahead, warps = gpu.shape_of_programs(columns, 100, align, ITEMSIZE[kind])
    constants = {"ALIGN": align, "COLUMNS": count, "AHEAD": ahead, "WIDE": getattr(gpu.tl, f"float{wide[2:]}")}
    return compiled(kernel, kinds, constants, ones, num_warps=warps)


@pytest.mark.parametrize("kind", WIDTH_OF_LOAD)
@pytest.mark.parametrize("name", ["_forward_kernel", "_backward_kernel"])
def test_wide_scan_does_not_spill_and_moves_16_bytes_at_a_time(name: str, kind: str) -> None:
    ptx, found = scan(name, kind, columns=1 << 21, align=16 // ITEMSIZE[kind])
    assert found["STACK"] == found["LOCAL"] == 0
    loads = re.findall(r"ld\.global\S*", ptx)
    stores = re.findall(r"st\.global\S*", ptx)
    assert len(loads) > 8
    assert all(load.endswith(WIDTH_OF_LOAD[kind]) for load in loads), loads
    # The sums over time are wider than half precision and are written once.
    assert all(store.endswith((WIDTH_OF_LOAD[kind], "v4.b32")) for store in stores), stores


@pytest.mark.parametrize("name", ["_forward_kernel", "_backward_kernel"])
def test_scan_of_few_columns_does_not_spill(name: str) -> None:
    _, found = scan(name, "fp32", columns=64 * 128, align=4)
    assert found["STACK"] == found["LOCAL"] == 0


@pytest.mark.parametrize("name", ["_forward_kernel", "_backward_kernel"])
def test_scan_compiles_where_all_numbers_are_one(name: str) -> None:
    from sru_kernels._scan import gpu

    kernel = getattr(gpu, name)
    numbers = [argument for argument in kernel.arg_names[kernel.arg_names.index("steps") :] if argument.islower()]
    _, found = scan(name, "fp32", columns=1, align=1, ones=numbers)
    assert found["STACK"] == 0


def rollout(
    name: str, tile: Mapping[str, int], precision: str = "tf32x3", ones: Collection[str] = ()
) -> tuple[str, dict[str, int]]:
    from sru_kernels._padded import tiles

    kernel, shape = getattr(tiles, name), dict(tile)
    integers = {"batch", "reals", "width", "layers", "columns", "every", "out_row", "fresh"}
    pointers = [argument for argument in kernel.arg_names if argument.islower() and argument not in integers]
    kinds = {argument: "fp64" if argument in {"state", "raw", "out"} else "fp32" for argument in pointers}
    options = {option: shape.pop(option) for option in ("num_warps", "num_stages")}
    constants = {"PRECISION": precision, **shape}
    aligned = () if ones else ("reals", "width", "out_row")
    return compiled(kernel, kinds, constants, ones, aligned, **options)


@pytest.mark.parametrize("tile", ["SINGLE", "SPREAD"])
@pytest.mark.parametrize("name", ["encode_kernel", "layer_kernel", "decode_kernel"])
def test_kernels_of_a_step_do_not_spill_and_read_weights_16_bytes_at_a_time(name: str, tile: str) -> None:
    from sru_kernels._padded import gpu

    ptx, found = rollout(name, getattr(gpu, tile))
    assert found["STACK"] == found["LOCAL"] == 0
    # Loads on their way to shared memory are 16 bytes wide by definition of `.cg`.
    assert re.search(r"cp\.async\.cg\.shared\.global|ld\.global\.v4\.b32", ptx)


@pytest.mark.parametrize("precision", ["tf32x3", "ieee"])
def test_fused_rollout_does_not_spill_and_multiplies_as_precisely_as_told(precision: str) -> None:
    from sru_kernels._padded import gpu

    ptx, found = rollout("rollout_kernel", gpu.FUSED, precision)
    assert found["STACK"] == found["LOCAL"] == 0
    assert ("mma.sync" in ptx) == (precision == "tf32x3")
    assert "cp.async.cg.shared.global" in ptx
    assert "ld.global.nc" not in ptx  # would read scratch through a cache that does not see the program's own writes


def test_fused_rollout_compiles_where_all_numbers_are_one() -> None:
    from sru_kernels._padded import gpu

    _, found = rollout("rollout_kernel", gpu.FUSED, ones=("batch", "layers", "width"))
    assert found["STACK"] == 0
