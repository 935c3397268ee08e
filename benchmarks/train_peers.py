"""The same network, dense 784-512-512-10 of LIF neurons, in other frameworks, each in the way its own tutorials show.

    pip install snntorch spikingjelly norse lava-dl

Each function takes three weight matrices and gives a forward pass, from float spikes (T, B, 784) to output counts
(B, 10), and the leaves whose gradients are wanted. Membrane: keeps KEEP a step, threshold 1, reset to 0, surrogate atan
where known.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

KEEP = 0.9
WIDTH = 0.5

Forward = Callable[[Tensor], Tensor]
Made = tuple[Forward, list[Tensor]]


def linears(weights: list[Tensor]) -> list[nn.Linear]:
    """Layers with these weights and no bias."""
    layers = []
    for weight in weights:
        layer = nn.Linear(weight.shape[1], weight.shape[0], bias=False)
        layer.weight.data.copy_(weight)
        layers.append(layer)
    return layers


def snntorch(weights: list[Tensor]) -> Made:
    """snnTorch: Leaky in a loop over time; its reset takes the next step's input away, too."""
    import snntorch
    from snntorch import surrogate

    layers = linears(weights)
    neurons = [
        snntorch.Leaky(beta=KEEP, reset_mechanism="zero", spike_grad=surrogate.atan(alpha=1 / WIDTH)) for _ in layers
    ]

    def forward(x: Tensor) -> Tensor:
        states = [neuron.init_leaky() for neuron in neurons]
        counts: Tensor | float = 0.0
        for spikes in x:
            for n, (layer, neuron) in enumerate(zip(layers, neurons, strict=True)):
                spikes, states[n] = neuron(layer(spikes), states[n])
            counts = counts + spikes
        return torch.as_tensor(counts)

    return forward, [layer.weight for layer in layers]


def spikingjelly(weights: list[Tensor]) -> Made:
    """SpikingJelly, multi-step mode: our equations but for spikes at v = vth exactly."""
    from spikingjelly.activation_based import functional, neuron, surrogate

    layers = linears(weights)
    parts: list[nn.Module] = []
    for layer in layers:
        lif = neuron.LIFNode(
            tau=1 / (1 - KEEP),
            decay_input=False,
            v_threshold=1.0,
            v_reset=0.0,
            surrogate_function=surrogate.ATan(alpha=1 / WIDTH),
            detach_reset=True,
            step_mode="m",
        )
        parts += [layer, lif]
    network = nn.Sequential(*parts)

    def forward(x: Tensor) -> Tensor:
        functional.reset_net(network)
        counts: Tensor = network(x).sum(0)
        return counts

    return forward, [layer.weight for layer in layers]


def norse(weights: list[Tensor]) -> Made:
    """norse: LIFBoxCell in a loop over time, whose input is scaled by the step; surrogate of its own."""
    import norse.torch as norse

    layers = linears(weights)
    parameters = norse.LIFBoxParameters(tau_mem_inv=torch.as_tensor(100.0), v_th=torch.as_tensor(1.0))
    network = norse.SequentialState(
        *(part for layer in layers for part in (layer, norse.LIFBoxCell(p=parameters, dt=0.001)))
    )

    def forward(x: Tensor) -> Tensor:
        state, counts = None, torch.zeros(())
        for spikes in 10 * x:
            fired, state = network(spikes, state)
            counts = counts + fired
        return counts

    return forward, [layer.weight for layer in layers]


def slayer(weights: list[Tensor]) -> Made:
    """lava-dl slayer: CUBA blocks, in which the current does not outlast its step; quantised states as on the chip."""
    from lava.lib.dl.slayer import block

    settings = {"threshold": 1.0, "current_decay": 1.0, "voltage_decay": 1 - KEEP}
    blocks = nn.Sequential(
        *(block.cuba.Dense(settings, w.shape[1], w.shape[0], weight_norm=False, delay_shift=False) for w in weights)
    )
    for part, weight in zip(blocks, weights, strict=True):
        part.synapse.weight.data.copy_(weight.view_as(part.synapse.weight))

    def forward(x: Tensor) -> Tensor:
        counts: Tensor = blocks(x.permute(1, 2, 0).contiguous()).sum(-1)
        return counts

    return forward, [part.synapse.weight for part in blocks]


PEERS: dict[str, Callable[[list[Tensor]], Made]] = {
    "snnTorch": snntorch,
    "SpikingJelly multi-step": spikingjelly,
    "norse": norse,
    "lava-dl slayer": slayer,
}
# whose gradients must be ours
SAME_EQUATIONS = ("SpikingJelly multi-step",)
