"""Milliseconds of PyTorch's normalisations, as JSON: norms.py <shape> <threads> <rounds>. Channels last in memory where there is such a form."""
import json
import sys
import time

import torch
import torch.nn.functional as F

shape, threads, rounds = json.loads(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
torch.set_num_threads(threads)
n, h, w, c = shape
flat = torch.rand(shape) * 2 - 1
first = flat.permute(0, 3, 1, 2)  # channels last in memory
gamma, beta = torch.rand(c, requires_grad=True), torch.rand(c, requires_grad=True)
NORMS = {
    'plain pass': (flat, lambda x: x * 2, False),
    'batch norm': (first, lambda x: F.batch_norm(x, None, None, gamma, beta, True), True),
    'layer norm': (flat, lambda x: F.layer_norm(x, [c], gamma, beta), True),
    'group norm, 8 groups': (first, lambda x: F.group_norm(x, 8, gamma, beta), True),
    'instance norm': (first, lambda x: F.group_norm(x, c, gamma, beta), True),
    'unit norm': (flat, lambda x: F.normalize(x, dim=-1), False),
    'local response': (first, lambda x: F.local_response_norm(x, 5, 1e-4, 0.75, 2), False),
}


def fastest(run):
    times = []
    for i in range(rounds + 2):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return min(times[2:]) * 1000


found = {}
for name, (x, norm, affine) in NORMS.items():
    with torch.no_grad():
        found[f'{name}, forwards'] = fastest(lambda: norm(x))
    own = x.detach().requires_grad_()
    dy = torch.rand_like(own)
    wanted = [own, gamma, beta] if affine else [own]
    found[f'{name}, forwards and back'] = fastest(lambda: torch.autograd.grad(norm(own), wanted, dy))
print(json.dumps(found))
