"""Both encoders against their equations, written naively."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import pytest
import torch
from qdynbench_sru.networks import Architecture, Encoder, Network
from qdynbench_sru.networks.sites import BOND_CONTEXTS, CONTEXTS, bond_contexts_of, contexts_of, flips_of
from sru_kernels import SRULayer, use

SIZES = (2, 3, 4)


def network(encoder: Encoder, width: int = 6, layers: int = 2, neighbourhood: int = 1, dropout: float = 0.0) -> Network:
    shape = Architecture(encoder, width, layers, SIZES, 0.002, neighbourhood=neighbourhood)
    built = shape.build(dropout, seed=4).double()
    built.scale.fill_(0.01)
    # Peepholes and the weights of the forget and skip gates start near zero; here they have to matter.
    for layer in built.sru.stack:
        torch.nn.init.normal_(layer.peephole, generator=torch.Generator().manual_seed(5))
        torch.nn.init.normal_(layer.weight, std=0.4, generator=torch.Generator().manual_seed(6))
    return built


def states(size: int, batch: int = 3, steps: int = 5) -> torch.Tensor:
    generator = torch.Generator().manual_seed(size)
    psi = torch.randn(steps, batch, 2**size, 2, dtype=torch.float64, generator=generator)
    return psi / psi.square().sum((-1, -2), keepdim=True).sqrt()


def cell(layer: SRULayer, inputs: torch.Tensor) -> torch.Tensor:
    """The paper's cell for one sequence `(T, D)`, with `c_0 = W x_1`."""
    (w, w_f, w_r), (b_f, b_r), (v_f, v_r) = layer.weight, layer.bias, layer.peephole
    c, outputs = w @ inputs[0], []
    for x in inputs:
        f = torch.sigmoid(w_f @ x + v_f * c + b_f)
        r = torch.sigmoid(w_r @ x + v_r * c + b_r)
        c = f * c + (1 - f) * (w @ x)
        outputs.append(r * c + (1 - r) * x)
    return torch.stack(outputs)


def stacked(net: Network, inputs: torch.Tensor) -> torch.Tensor:
    for layer in net.sru.stack:
        inputs = cell(layer, inputs)
    return inputs


def contexts(bits: Sequence[int]) -> torch.Tensor:
    """The five numbers of each site: left, own and right spin, and which neighbour is missing."""
    spins = [1 - 2 * bit for bit in bits]
    sites = zip([0, *spins[:-1]], spins, [*spins[1:], 0], strict=True)
    return torch.tensor([[l, s, r, float(l == 0), float(r == 0)] for l, s, r in sites], dtype=torch.float64)  # noqa: E741


def bond_contexts(bits: Sequence[int]) -> torch.Tensor:
    """The six numbers of each pair of neighbours: left, own two and right spins, and which neighbour is missing."""
    spins = [0, *(1 - 2 * bit for bit in bits), 0]
    bonds = [spins[site : site + 4] for site in range(len(bits) - 1)]
    return torch.tensor([[*b, float(b[0] == 0), float(b[3] == 0)] for b in bonds], dtype=torch.float64)


def flipped(bits: Sequence[int], *sites: int) -> tuple[int, ...]:
    return tuple(bit ^ (number in sites) for number, bit in enumerate(bits))


@pytest.mark.parametrize("size", [1, 2, 4])
def test_contexts_and_flips_are_those_of_the_bits(size: int) -> None:
    all_bits = list(itertools.product((0, 1), repeat=size))
    flips = [(site,) for site in range(size)] + [(site, site + 1) for site in range(size - 1)]
    assert flips_of(size).tolist() == flips_of(size, 2).tolist()[:size]
    for index, bits in enumerate(all_bits):
        assert torch.equal(CONTEXTS[contexts_of(size)[index]].double(), contexts(bits))
        if size > 1:
            assert torch.equal(BOND_CONTEXTS[bond_contexts_of(size)[index]].double(), bond_contexts(bits))
        others = [all_bits[index ^ int(mask)] for mask in flips_of(size, 2)]
        assert others == [flipped(bits, *sites) for sites in flips]


@pytest.mark.parametrize("neighbourhood", [1, 2])
@torch.no_grad()
def test_local_follows_its_equations_amplitude_by_amplitude(neighbourhood: int) -> None:
    net, size = network("local", neighbourhood=neighbourhood), 3
    psi = states(size, batch=1)
    all_bits = list(itertools.product((0, 1), repeat=size))
    expected = torch.empty_like(psi)
    for b, bits in enumerate(all_bits):
        code = net.chain(net.spin(contexts(bits)).sum(0))
        coupled = list(zip([flipped(bits, site) for site in range(size)], net.flip(contexts(bits))[:, 0], strict=True))
        if neighbourhood == 2:
            pairs = [flipped(bits, site, site + 1) for site in range(size - 1)]
            coupled += zip(pairs, net.bond_flip(bond_contexts(bits))[:, 0], strict=True)
        tokens = []
        for now in psi[:, 0]:
            phi = sum(weight * now[all_bits.index(other)] for other, weight in coupled)
            tokens.append(net.token(torch.cat([now[b], phi, torch.outer(code, now[b]).flatten()])))
        expected[:, 0, b] = net.scale * net.decoder(stacked(net, torch.stack(tokens)))
    torch.testing.assert_close(net.changes([psi])[0], expected, rtol=0, atol=1e-15)


@torch.no_grad()
def test_padded_follows_the_pipeline_of_the_paper() -> None:
    net, size = network("padded"), 3
    psi = states(size, batch=1)
    padded = torch.zeros(len(psi), 2 * 2 ** max(SIZES), dtype=torch.float64)
    padded[:, : 2 * 2**size] = psi[:, 0].flatten(1)
    x = net.before(net.chain(net.spin(padded) * net.gains[size]))
    expected = net.scale * net.decoder(net.after(stacked(net, x)) * net.gains[size])
    torch.testing.assert_close(net.changes([psi])[0][:, 0].flatten(1), expected[:, : 2 * 2**size], rtol=0, atol=1e-15)


@torch.no_grad()
@pytest.mark.parametrize(("width", "largest"), [(64, 6), (64, 5), (40, 4)])
def test_padded_begins_as_a_multiple_of_the_identity_whatever_the_size(width: int, largest: int) -> None:
    """No direction of a state is passed weakly at first: those that were would stay lost."""
    net = Architecture("padded", width, 2, (2, 3), 0.002, largest).build(seed=4).double()
    net.gains.fill_(1)
    for size in (2, 4, 5):
        if 2 << size <= min(width, 2 << largest):
            psi = states(size)[:1].repeat(4, 1, 1, 1)  # a constant input, for which the memory is the input
            torch.testing.assert_close(net.changes([psi])[0], psi, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("encoder", ["local", "padded"])
@torch.no_grad()
def test_several_sizes_in_one_pass_are_each_by_itself(encoder: Encoder) -> None:
    net = network(encoder)
    excerpts = [states(size) for size in SIZES]
    for together, excerpt in zip(net.changes(excerpts), excerpts, strict=True):
        torch.testing.assert_close(together, net.changes([excerpt])[0], rtol=0, atol=1e-15)


def rolled_out(net: Network, initial: torch.Tensor, lengths: Sequence[int]) -> torch.Tensor:
    """Blocks of these lengths one after the other, as one trajectory."""
    size = int(initial.shape[1]).bit_length() - 1
    rollout = net.propagator(size, "cpu").start(initial)
    blocks = [torch.full((len(initial), length, 2**size), torch.nan, dtype=torch.complex128) for length in lengths]
    for block in blocks:
        rollout.advance(block)
    return torch.cat(blocks, 1)


@pytest.mark.parametrize("scan", ["cpu", "reference"])
@pytest.mark.parametrize("encoder", ["local", "padded"])
@pytest.mark.parametrize("size", SIZES)
@torch.no_grad()
def test_the_propagator_repeats_the_network_on_its_own_output(scan: str, encoder: Encoder, size: int) -> None:
    net = network(encoder)
    history = [states(size)[0]]
    with use(scan):
        found = rolled_out(net, torch.view_as_complex(history[0].clone()), [1, 6, 14])
    for step in range(1, 21):
        change = net.changes([torch.stack(history)])[0][-1]
        expected = history[-1] + change
        expected /= expected.square().sum((-1, -2), keepdim=True).sqrt()
        # float32 acts on the change alone, which is a hundredth of the state.
        torch.testing.assert_close(torch.view_as_real(found[:, step]), expected, rtol=0, atol=1e-7)
        history.append(expected)
    assert torch.equal(torch.view_as_real(found[:, 0]), history[0])


def test_local_has_the_same_parameters_for_all_sizes() -> None:
    counts = {
        sizes: sum(p.numel() for p in Architecture("local", 8, 1, sizes, 0.002).build().parameters())
        for sizes in [(2,), (2, 3, 4), (7,)]
    }
    assert set(counts.values()) == {629}


@torch.no_grad()
def test_dropout_drops_in_training_alone() -> None:
    net = network("local", layers=1, dropout=0.5)
    excerpts = [states(2, steps=8)]
    assert torch.equal(net.changes(excerpts)[0], net.changes(excerpts)[0])
    assert not torch.equal(net.changes(excerpts, torch.Generator().manual_seed(1))[0], net.changes(excerpts)[0])


def test_building_leaves_the_random_numbers_of_torch_alone() -> None:
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    first, second, other = (Architecture("local", 4, 1, (2,), 0.1).build(seed=seed).state_dict() for seed in (8, 8, 9))
    assert torch.equal(torch.rand(3), expected)
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not np.array_equal(first["token.weight"], other["token.weight"])
