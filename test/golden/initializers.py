"""
initializers.safetensors: what PyTorch's own layers begin with: of 300 layers each, the largest absolute value and the variance of
weight and bias. Draws differ between libraries; bounds and moments do not.
"""
import numpy as np
import torch

from tensors import double, write

# layer, options, shape of a sample, PyTorch's layer
CASES = [
    ('dense', {'units': 20}, [50], lambda: torch.nn.Linear(50, 20)),
    ('dense', {'units': 64}, [4, 3], lambda: torch.nn.Linear(3, 64)),
    ('conv1d', {'filters': 16, 'kernelSize': 5}, [9, 6], lambda: torch.nn.Conv1d(6, 16, 5)),
    ('conv2d', {'filters': 16, 'kernelSize': [3, 2]}, [6, 6, 4], lambda: torch.nn.Conv2d(4, 16, (3, 2))),
    ('conv2d', {'filters': 24, 'kernelSize': 3, 'groups': 3}, [6, 6, 12], lambda: torch.nn.Conv2d(12, 24, 3, groups=3)),
    ('conv3d', {'filters': 8, 'kernelSize': 2}, [4, 4, 4, 3], lambda: torch.nn.Conv3d(3, 8, 2)),
    ('depthwiseConv1d', {'kernelSize': 7}, [9, 24], lambda: torch.nn.Conv1d(24, 24, 7, groups=24)),
    ('depthwiseConv2d', {'kernelSize': 3, 'depthMultiplier': 2}, [6, 6, 10], lambda: torch.nn.Conv2d(10, 20, 3, groups=10)),
]


def initializers():
    torch.manual_seed(20240229)
    cases, tensors = [], {}
    for i, (layer, options, shape, make) in enumerate(CASES):
        name = f'{layer} {i}'
        made = [make() for _ in range(300)]
        for weight in ('weight', 'bias'):
            drawn = torch.stack([getattr(one, weight).detach().double() for one in made])
            tensors[f'{name}/{weight}'] = double(np.array([drawn.abs().max(), drawn.square().mean()]))
        cases.append({'name': name, 'layer': layer, 'options': options, 'inputShape': shape})
    write('initializers', "PyTorch's first values: largest absolute value and variance", cases, tensors)
