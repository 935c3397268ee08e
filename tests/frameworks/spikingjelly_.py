"""SpikingJelly: IFNode, LIFNode and an average pooling, exported by spikingjelly's nir_exchange."""

import torch
from spikingjelly.activation_based import functional, layer, neuron
from spikingjelly.activation_based.nir_exchange import export_to_nir

from common import CLASSES, save, spikes, weights

network = torch.nn.Sequential(
    layer.Conv2d(2, 4, 3, padding=1, bias=False),
    neuron.LIFNode(tau=3.0, v_threshold=0.4, v_reset=0.0),
    layer.AvgPool2d(2),
    layer.Flatten(),
    layer.Linear(64, CLASSES),
    neuron.IFNode(v_threshold=1.0, v_reset=0.0),
)
with torch.no_grad():
    network[0].weight.copy_(torch.from_numpy(weights(4, 18, 1.5, 1)).reshape(4, 2, 3, 3))
    network[4].weight.copy_(torch.from_numpy(weights(CLASSES, 64, 2.5, 2)))
    network[4].bias.copy_(torch.from_numpy(weights(CLASSES, 1, 0.05, 3)[:, 0]))
x = spikes(2, 8, 8)
with torch.no_grad():
    out = torch.stack([network(step) for step in torch.from_numpy(x)])
functional.reset_net(network)
save(export_to_nir(network, torch.from_numpy(x[0, :1])), x, out)
