"""The same network of LIF neurons in other frameworks, each written as in its own tutorials.

    pip install snntorch spikingjelly norse lava-dl

Each function takes the network's parts and gives a forward pass, from float spikes (T, B, *input) to output counts (B,
10), and the leaves whose gradients are wanted. Membrane: keeps KEEP per step, threshold 1, reset to 0, surrogate atan
where known.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

KEEP = 0.9
WIDTH = 0.5

Forward = Callable[[Tensor], Tensor]
Made = tuple[Forward, list[Tensor]]


@dataclass(frozen=True)
class Part:
    """A layer's weights, (out, in) or (out, in, kernel, kernel); before it comes average pooling of pool x pool."""

    weight: Tensor
    stride: int = 1
    padding: int = 0
    pool: int = 1

    @property
    def convolution(self) -> bool:
        """True for a convolution; otherwise the layer is dense with flattened input."""
        return self.weight.dim() == 4

    def module(self) -> nn.Sequential:
        """Its synapses without bias, on (N, *input)."""
        synapse = synapse_of(self.weight, self.stride, self.padding)
        pool = [nn.AvgPool2d(self.pool)] if self.pool > 1 else []
        return nn.Sequential(*pool, *([] if self.convolution else [nn.Flatten()]), synapse)


def synapse_of(weight: Tensor, stride: int, padding: int) -> nn.Linear | nn.Conv2d:
    """A fresh layer without bias with these weights, (out, in) or (out, in, kernel, kernel)."""
    outputs, inputs = weight.shape[:2]
    synapse: nn.Linear | nn.Conv2d = nn.Linear(inputs, outputs, bias=False)
    if weight.dim() == 4:
        synapse = nn.Conv2d(inputs, outputs, weight.shape[2], stride, padding, bias=False)
    synapse.weight.data.copy_(weight)
    return synapse


def snntorch_neuron() -> Any:
    """snnTorch's Leaky."""
    import snntorch
    from snntorch import surrogate

    return snntorch.Leaky(beta=KEEP, reset_mechanism="zero", spike_grad=surrogate.atan(alpha=1 / WIDTH))


def spikingjelly_neuron(backend: str = "torch") -> Any:
    """SpikingJelly's LIF, multi-step; backend: whose kernels, "torch", "cupy" or "triton"."""
    from spikingjelly.activation_based import neuron, surrogate

    return neuron.LIFNode(
        tau=1 / (1 - KEEP),
        decay_input=False,
        v_threshold=1.0,
        v_reset=0.0,
        surrogate_function=surrogate.ATan(alpha=1 / WIDTH),
        detach_reset=True,
        step_mode="m",
        backend=backend,
    )


def norse_neuron() -> Any:
    """norse's LIF of one step, whose input is scaled by a tenth."""
    import norse.torch as norse

    parameters = norse.LIFBoxParameters(tau_mem_inv=torch.as_tensor(100.0), v_th=torch.as_tensor(1.0))
    return norse.LIFBoxCell(p=parameters, dt=0.001)


def leaves(modules: Iterable[nn.Sequential]) -> list[Tensor]:
    """The weights."""
    return [module[-1].weight for module in modules]


def snntorch(parts: list[Part]) -> Made:
    """snnTorch: Leaky in a loop over time; its reset also removes the next step's input."""
    layers = [part.module() for part in parts]
    neurons = [snntorch_neuron() for _ in layers]

    def forward(x: Tensor) -> Tensor:
        states = [neuron.init_leaky() for neuron in neurons]
        counts: Tensor | float = 0.0
        for spikes in x:
            for n, (layer, neuron) in enumerate(zip(layers, neurons, strict=True)):
                spikes, states[n] = neuron(layer(spikes), states[n])
            counts = counts + spikes
        return torch.as_tensor(counts)

    return forward, leaves(layers)


def spikingjelly(parts: list[Part], backend: str = "torch") -> Made:
    """SpikingJelly, multi-step mode: our equations except for spikes at exactly v = vth."""
    from spikingjelly.activation_based import functional, layer

    layers = [part.module() for part in parts]
    modules: list[nn.Module] = []
    for synapse in layers:
        modules += [layer.SeqToANNContainer(synapse), spikingjelly_neuron(backend)]
    network = nn.Sequential(*modules)

    def forward(x: Tensor) -> Tensor:
        functional.reset_net(network)
        counts: Tensor = network(x).sum(0)
        return counts

    return forward, leaves(layers)


def norse(parts: list[Part]) -> Made:
    """norse: LIFBoxCell in a loop over time, whose input is scaled by the step; surrogate of its own."""
    import norse.torch as norse

    layers = [part.module() for part in parts]
    network = norse.SequentialState(*(part for layer in layers for part in (layer, norse_neuron())))

    def forward(x: Tensor) -> Tensor:
        state, counts = None, torch.zeros(())
        for spikes in 10 * x:
            fired, state = network(spikes, state)
            counts = counts + fired
        return counts

    return forward, leaves(layers)


def slayer(parts: list[Part]) -> Made:
    """lava-dl slayer: CUBA blocks, in which the current does not outlast its step; quantised states as on the chip."""
    from lava.lib.dl.slayer import block

    settings = {"threshold": 1.0, "current_decay": 1.0, "voltage_decay": 1 - KEEP}
    modules: list[nn.Module] = []
    blocks = []
    for part in parts:
        outputs, inputs = part.weight.shape[:2]
        shared = {"weight_norm": False, "delay_shift": False}
        if part.convolution:
            kernel = part.weight.shape[2]
            made = block.cuba.Conv(settings, inputs, outputs, kernel, part.stride, part.padding, **shared)
        else:
            made = block.cuba.Dense(settings, inputs, outputs, **shared)
        made.synapse.weight.data.copy_(part.weight.view_as(made.synapse.weight))
        pool = [nn.AvgPool3d((part.pool, part.pool, 1))] if part.pool > 1 else []
        modules += [*pool, *([] if part.convolution else [nn.Flatten(1, -2)]), made]
        blocks.append(made)
    network = nn.Sequential(*modules)

    def forward(x: Tensor) -> Tensor:
        # time last
        counts: Tensor = network(x.movedim(0, -1).contiguous()).sum(-1)
        return counts

    return forward, [made.synapse.weight for made in blocks]


PEERS: dict[str, Callable[[list[Part]], Made]] = {
    "snnTorch": snntorch,
    "SpikingJelly multi-step": spikingjelly,
    "norse": norse,
    "lava-dl slayer": slayer,
}
# whose gradients must be ours
SAME_EQUATIONS = ("SpikingJelly multi-step",)
# SpikingJelly's kernels for GPUs
BACKENDS = ("cupy", "triton")


def peers_on(device: str) -> dict[str, Callable[[list[Part]], Made]]:
    """The frameworks of a device, "cpu" or "cuda"; lava-dl is left out on a GPU, where it has kernels to build."""
    if device == "cpu":
        return PEERS
    own = {f"SpikingJelly, {backend}": partial(spikingjelly, backend=backend) for backend in BACKENDS}
    return {name: make for name, make in PEERS.items() if make is not slayer} | own
