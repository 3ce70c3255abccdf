"""
Whole networks: what they answer, their loss, and the norms of the gradients of the first and the last kernel, in float64.

    /usr/bin/python3 test/golden/zoo.py [name ...]      only these networks or rows, such as resnet50-torchvision

Networks are torchvision's where it has them, else modules written here from the papers. Weights and pictures are a formula of the
index and the number of the tensor (`mixed`), so that the file holds answers only; test/zoo/golden.ts has the same formula.
A tensor is numbered by its place among the weights in the order in which they are used.
"""
import json
import math
import struct
import sys

sys.dont_write_bytecode = True

import numpy as np
import torch
import torch.nn.functional as F
import torchvision.models as tv
from torch import nn

from tensors import FOLDER, write


def mixed(count, number):
    """Uniform on [0, 1), a function of index and number: 32-bit mixing as in hashes."""
    x = (np.arange(count, dtype=np.uint64) * 2654435761 + number * 1013904223 + 1) & 0xFFFFFFFF
    x ^= x >> 15
    x = (x * 2246822519) & 0xFFFFFFFF
    x ^= x >> 13
    x = (x * 3266489917) & 0xFFFFFFFF
    x ^= x >> 16
    return x.astype(np.float64) / 2**32


def drawn(shape, number, low, high):
    values = low + (high - low) * mixed(math.prod(shape), number)
    return values.astype(np.float32).astype(np.float64).reshape(shape)


def kernel(shape, number, fan_in):
    limit = math.sqrt(6 / fan_in)
    return drawn(shape, number, -limit, limit)


class Pad(nn.Module):
    """Option A of He et al. 2016."""

    def __init__(self, channels):
        super().__init__()
        self.half = channels // 2

    def forward(self, x):
        return F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, self.half, self.half))


def conv_bn(i, o, k, s=1, f=None, groups=1, eps=1e-5):
    layers = [nn.Conv2d(i, o, k, s, k // 2, groups=groups, bias=False), nn.BatchNorm2d(o, eps=eps)]
    return nn.Sequential(*layers, *([f] if f else []))


class Residual(nn.Module):
    def __init__(self, i, o, s, shortcut):
        super().__init__()
        self.branch = nn.Sequential(conv_bn(i, o, 3, s, nn.ReLU()), conv_bn(o, o, 3))
        other = Pad(i) if shortcut == 'pad' else conv_bn(i, o, 1, s)
        self.short = nn.Identity() if s == 1 else other

    def forward(self, x):
        y = self.branch(x)
        return F.relu(y + self.short(x))


class Mean(nn.Module):
    def forward(self, x):
        return x.mean((2, 3))


def cifar_resnet(n, shortcut='pad'):
    parts, i = [conv_bn(3, 16, 3, 1, nn.ReLU())], 16
    for o in (16, 32, 64):
        for block in range(n):
            parts.append(Residual(i, o, 2 if o > 16 and block == 0 else 1, shortcut))
            i = o
    return nn.Sequential(*parts, Mean(), nn.Linear(64, 10))


class Wide(nn.Module):
    def __init__(self, i, o, s):
        super().__init__()
        self.bn1, self.conv1 = nn.BatchNorm2d(i), nn.Conv2d(i, o, 3, s, 1, bias=False)
        self.bn2, self.conv2 = nn.BatchNorm2d(o), nn.Conv2d(o, o, 3, 1, 1, bias=False)
        self.short = nn.Conv2d(i, o, 1, s, bias=False) if i != o or s != 1 else None

    def forward(self, x):
        first = F.relu(self.bn1(x))
        y = self.conv2(F.relu(self.bn2(self.conv1(first))))
        return y + (self.short(first) if self.short else x)


def wide_resnet(depth, width):
    parts, i = [nn.Conv2d(3, 16, 3, 1, 1, bias=False)], 16
    for stage, o in enumerate((16, 32, 64)):
        for block in range((depth - 4) // 6):
            parts.append(Wide(i, o * width, 2 if stage > 0 and block == 0 else 1))
            i = o * width
    return nn.Sequential(*parts, nn.BatchNorm2d(i), nn.ReLU(), Mean(), nn.Linear(i, 10))


def mobilenet_v1():
    parts, i = [conv_bn(3, 32, 3, 2, nn.ReLU())], 32
    plan = [(64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2)] + [(512, 1)] * 5 + [(1024, 2), (1024, 1)]
    for o, s in plan:
        parts += [conv_bn(i, i, 3, s, nn.ReLU(), groups=i), conv_bn(i, o, 1, 1, nn.ReLU())]
        i = o
    return nn.Sequential(*parts, Mean(), nn.Linear(1024, 10))


def stack(*parts, size):
    """Convolutions as (filters, kernel, padding, activation), 'flatten' and units; `size` is what goes in, channels first."""
    layers = []
    x = torch.zeros(1, *size)
    for part in parts:
        if isinstance(part, nn.Module):
            added = [part]
        elif isinstance(part, tuple) and len(part) == 4:
            o, k, p, f = part
            added = [nn.Conv2d(x.shape[1], o, k, padding=p), f]
        else:
            units, f = part
            added = [nn.Linear(x.shape[1], units), *([f] if f else [])]
        for layer in added:
            x = layer.eval()(x)
            layers.append(layer)
    return nn.Sequential(*layers)


relu, selu, tanh = nn.ReLU(), nn.SELU(), nn.Tanh()
pool, flat = nn.MaxPool2d(2), nn.Flatten()


def alexnet_paper():
    def lrn():
        return nn.LocalResponseNorm(5, alpha=5e-4, beta=0.75, k=2.0)  # torch divides alpha by the size

    def conv(i, o, k, s=1, p=0, groups=1):
        return [nn.Conv2d(i, o, k, s, p, groups=groups), nn.ReLU()]

    return nn.Sequential(
        *conv(3, 96, 11, 4, 2), lrn(), nn.MaxPool2d(3, 2),
        *conv(96, 256, 5, 1, 2, 2), lrn(), nn.MaxPool2d(3, 2),
        *conv(256, 384, 3, 1, 1), *conv(384, 384, 3, 1, 1, 2), *conv(384, 256, 3, 1, 1, 2), nn.MaxPool2d(3, 2),
        nn.Flatten(), nn.Linear(256, 4096), nn.ReLU(), nn.Linear(4096, 4096), nn.ReLU(), nn.Linear(4096, 10))


class Module1(nn.Module):
    """A module of GoogLeNet with branches of 5 x 5."""

    def __init__(self, i, one, reduce3, three, reduce5, five, pooled):
        super().__init__()

        def conv(i, o, k):
            return [nn.Conv2d(i, o, k, padding=k // 2), nn.ReLU()]

        self.branches = nn.ModuleList([
            nn.Sequential(*conv(i, one, 1)),
            nn.Sequential(*conv(i, reduce3, 1), *conv(reduce3, three, 3)),
            nn.Sequential(*conv(i, reduce5, 1), *conv(reduce5, five, 5)),
            nn.Sequential(nn.MaxPool2d(3, 1, 1), *conv(i, pooled, 1))])

    def forward(self, x):
        return torch.cat([branch(x) for branch in self.branches], 1)


class GoogLeNetPaper(nn.Module):
    def __init__(self):
        super().__init__()

        def ceil():
            return nn.MaxPool2d(3, 2, ceil_mode=True)

        def lrn():
            return nn.LocalResponseNorm(5, alpha=1e-4, beta=0.75, k=1.0)

        def head(i):
            return nn.Sequential(nn.AvgPool2d(5, 3), nn.Conv2d(i, 128, 1), nn.ReLU(), nn.Flatten(),
                                 nn.Linear(128, 1024), nn.ReLU(), nn.Linear(1024, 10))

        self.stem = nn.Sequential(
            nn.Conv2d(3, 64, 7, 2, 3), nn.ReLU(), ceil(), lrn(), nn.Conv2d(64, 64, 1), nn.ReLU(),
            nn.Conv2d(64, 192, 3, 1, 1), nn.ReLU(), lrn(), ceil(),
            Module1(192, 64, 96, 128, 16, 32, 32), Module1(256, 128, 128, 192, 32, 96, 64), ceil(),
            Module1(480, 192, 96, 208, 16, 48, 64))
        self.middle = nn.Sequential(
            Module1(512, 160, 112, 224, 24, 64, 64), Module1(512, 128, 128, 256, 24, 64, 64),
            Module1(512, 112, 144, 288, 32, 64, 64))
        self.end = nn.Sequential(
            Module1(528, 256, 160, 320, 32, 128, 128), ceil(), Module1(832, 256, 160, 320, 32, 128, 128),
            Module1(832, 384, 192, 384, 48, 128, 128), Mean(), nn.Linear(1024, 10))
        self.aux1, self.aux2 = head(512), head(528)

    def forward(self, x):
        a = self.stem(x)
        b = self.middle(a)
        return self.end(b), self.aux1(a), self.aux2(b)


def vgg(make):
    net = make(num_classes=10, init_weights=False)
    net.avgpool = nn.Identity()
    net.classifier[0] = nn.Linear(512, 4096)
    return net


def alexnet_torchvision():
    net = tv.alexnet(num_classes=10)
    net.avgpool = nn.Identity()
    net.classifier[1] = nn.Linear(256, 4096)
    return net


def resnet50_paper():
    net = tv.resnet50(num_classes=10)
    for name, module in net.named_modules():
        if hasattr(module, 'conv3') and module.conv2.stride != (1, 1):
            module.conv1.stride, module.conv2.stride = module.conv2.stride, (1, 1)
    return net


class InceptionWithHead(nn.Module):
    """Both outputs in any mode."""

    def __init__(self):
        super().__init__()
        self.net = tv.inception_v3(num_classes=10, init_weights=False, transform_input=False, aux_logits=True)

    def forward(self, x):
        kept = []
        handle = self.net.Mixed_6e.register_forward_hook(lambda m, i, o: kept.append(o))
        training, aux = self.net.training, self.net.AuxLogits
        self.net.AuxLogits = None
        y, _ = self.net._forward(x)
        self.net.AuxLogits = aux
        handle.remove()
        return y, aux(kept[0])


class GoogLeNetWithHeads(nn.Module):
    """All three outputs in any mode; torchvision computes the heads in training only."""

    def __init__(self):
        super().__init__()
        self.net = tv.googlenet(num_classes=10, aux_logits=True, transform_input=False, init_weights=False)

    def forward(self, x):
        kept = []
        seen = [self.net.inception4a, self.net.inception4d]
        handles = [module.register_forward_hook(lambda m, i, o: kept.append(o)) for module in seen]
        heads = self.net.aux1, self.net.aux2
        self.net.aux1 = self.net.aux2 = None
        y = self.net._forward(x)[0]
        self.net.aux1, self.net.aux2 = heads
        for handle in handles:
            handle.remove()
        return y, heads[0](kept[0]), heads[1](kept[1])


S28, S32 = (1, 28, 28), (3, 32, 32)
# ours, its options, the module, [height, width], samples
NETWORKS = [
    ('lenet', {}, lambda: stack((20, 5, 2, relu), pool, (50, 5, 2, relu), pool, flat, (500, relu), (10, None), size=S28), 28, 2),
    ('mnistCnn', {}, lambda: stack((32, 5, 2, relu), pool, (64, 5, 2, relu), pool, flat, (1024, relu), (10, None), size=S28), 28, 2),
    ('firstConvnet', {}, lambda: stack((32, 3, 0, relu), (64, 3, 0, relu), (64, 3, 0, relu), size=(1, 8, 8)), 8, 2),
    ('convnet', {}, lambda: stack((32, 3, 0, relu), pool, (64, 3, 0, relu), pool, (64, 3, 0, relu), flat, (64, relu), (10, None), size=S28), 28, 2),
    ('catsVsDogs', {}, lambda: stack((32, 3, 0, relu), pool, (64, 3, 0, relu), pool, (128, 3, 0, relu), pool, (128, 3, 0, relu), pool, flat, (512, relu), (1, None), size=(3, 78, 78)), 78, 2),
    ('cifarSimple', {}, lambda: stack((32, 3, 1, relu), pool, flat, (512, relu), (10, None), size=S32), 32, 2),
    ('cifarDeep', {}, lambda: stack((32, 3, 1, relu), (32, 3, 1, relu), pool, (64, 3, 1, relu), (64, 3, 0, relu), pool, flat, (512, relu), (10, None), size=S32), 32, 2),
    ('articleNet', {}, lambda: stack((12, 3, 1, selu), nn.MaxPool2d(3, 2), (16, 3, 1, selu), nn.MaxPool2d(3, 2), flat, (256, selu), (100, selu), (10, None), size=S28), 28, 2),
    ('articleNet', {'batchNorm': True}, lambda: stack((12, 3, 1, selu), nn.MaxPool2d(3, 2), nn.BatchNorm2d(12, 1e-3), (16, 3, 1, selu), nn.MaxPool2d(3, 2), nn.BatchNorm2d(16, 1e-3), flat, (256, selu), (100, selu), (10, None), size=S28), 28, 2),
    ('lenet5', {}, lambda: stack((6, 5, 2, tanh), nn.AvgPool2d(2), (16, 5, 0, tanh), nn.AvgPool2d(2), flat, (120, tanh), (84, tanh), (10, None), size=S28), 28, 2),
    ('alexnet', {}, alexnet_paper, 64, 2),
    ('alexnet', {'variant': 'torchvision'}, alexnet_torchvision, 64, 2),
    ('vgg11', {}, lambda: vgg(tv.vgg11), 32, 2),
    ('vgg11', {'batchNorm': True}, lambda: vgg(tv.vgg11_bn), 32, 4),
    ('vgg16', {}, lambda: vgg(tv.vgg16), 32, 2),
    ('vgg16', {'batchNorm': True}, lambda: vgg(tv.vgg16_bn), 32, 4),
    ('vgg19', {}, lambda: vgg(tv.vgg19), 32, 2),
    ('vgg19', {'batchNorm': True}, lambda: vgg(tv.vgg19_bn), 32, 4),
    ('googlenet', {'auxiliary': True}, GoogLeNetPaper, 80, 2),
    ('googlenet', {'variant': 'torchvision'}, lambda: tv.googlenet(num_classes=10, aux_logits=False, transform_input=False, init_weights=False), 64, 2),
    ('googlenet', {'variant': 'torchvision', 'auxiliary': True}, GoogLeNetWithHeads, 80, 2),
    ('inceptionV3', {'auxiliary': True}, InceptionWithHead, 299, 2),
    ('resnet18', {}, lambda: tv.resnet18(num_classes=10), 64, 2),
    ('resnet34', {}, lambda: tv.resnet34(num_classes=10), 64, 2),
    ('resnet50', {}, resnet50_paper, 64, 6),
    ('resnet50', {'variant': 'torchvision'}, lambda: tv.resnet50(num_classes=10), 64, 6),
    ('resnet20', {}, lambda: cifar_resnet(3), 32, 2),
    ('resnet20', {'shortcut': 'projection'}, lambda: cifar_resnet(3, 'projection'), 32, 2),
    ('resnet56', {}, lambda: cifar_resnet(9), 32, 2),
    ('wideResnet', {'depth': 16, 'width': 2}, lambda: wide_resnet(16, 2), 32, 2),
    ('mobilenetV1', {}, mobilenet_v1, 64, 12),
    ('mobilenetV2', {}, lambda: tv.mobilenet_v2(num_classes=10), 64, 12),
    ('mobilenetV2', {'width': 0.5}, lambda: tv.mobilenet_v2(num_classes=10, width_mult=0.5), 64, 4),
    ('mobilenetV3Small', {}, lambda: tv.mobilenet_v3_small(num_classes=10), 64, 2),
    ('mobilenetV3Large', {}, lambda: tv.mobilenet_v3_large(num_classes=10), 64, 2),
    ('squeezenet', {}, lambda: tv.squeezenet1_0(num_classes=10), 64, 2),
    ('squeezenet', {'version': '1.1'}, lambda: tv.squeezenet1_1(num_classes=10), 64, 2),
    ('densenet121', {}, lambda: tv.densenet121(num_classes=10), 64, 2),
    ('efficientnetB0', {}, lambda: tv.efficientnet_b0(num_classes=10, stochastic_depth_prob=0.0), 64, 2),
]


def in_order(net, x):
    """The layers with weights in the order in which they are used, heads at the side last; a map that is flattened before a Linear."""
    used, last, handles = [], [None], []

    def note(module, inputs, output):
        if isinstance(module, nn.Linear):
            used.append((module, last[0]))
            last[0] = None
        elif output.dim() == 4:
            last[0] = output.shape[1:]
            if isinstance(module, (nn.Conv2d, nn.BatchNorm2d)):
                used.append((module, None))

    names = {module: name for name, module in net.named_modules()}
    for module in net.modules():
        if not list(module.children()):
            handles.append(module.register_forward_hook(note))
    net(x)
    for handle in handles:
        handle.remove()
    return sorted(used, key=lambda pair: 'aux' in names[pair[0]].lower())


def fill(net, x):
    """Gives all weights their numbers; returns their shapes in our layout and the first and last kernel."""
    shapes, kernels = [], []

    def add(values, target, to_torch=lambda t: t):
        with torch.no_grad():
            target.copy_(to_torch(torch.tensor(values)))
        shapes.append(list(values.shape))

    for module, mapped in in_order(net, x):
        number = lambda: len(shapes)
        if isinstance(module, nn.Conv2d):
            o, i, h, w = module.weight.shape
            if module.groups == module.in_channels and module.groups > 1:
                add(kernel((h, w, o, 1), number(), h * w), module.weight, lambda t: t.permute(2, 3, 0, 1))
            else:
                add(kernel((h, w, i, o), number(), h * w * i), module.weight, lambda t: t.permute(3, 2, 0, 1))
            kernels.append(module.weight)
        elif isinstance(module, nn.Linear):
            o, i = module.weight.shape
            channels, height, width = mapped if mapped and math.prod(mapped) == i else (i, 1, 1)
            add(kernel((i, o), number(), i), module.weight,
                lambda t: t.reshape(height, width, channels, o).permute(3, 2, 0, 1).reshape(o, i))
            kernels.append(module.weight)
        else:
            n = module.num_features
            add(drawn((n,), number(), 0.5, 1.5), module.weight)
            add(drawn((n,), number(), -0.1, 0.1), module.bias)
            add(drawn((n,), number(), -0.1, 0.1), module.running_mean)
            add(drawn((n,), number(), 0.5, 1.5), module.running_var)
            continue
        if module.bias is not None:
            add(drawn(tuple(module.bias.shape), number(), -0.1, 0.1), module.bias)
    assert sum(math.prod(s) for s in shapes) == sum(
        t.numel() for name, t in net.state_dict().items() if 'num_batches' not in name), 'a weight is not used'
    return shapes, kernels


def loss_of(outputs):
    """Cross-entropy of class i % classes; heads at the side count 0.3; without classes the mean of squares."""
    total = 0
    for i, y in enumerate(outputs):
        labels = torch.arange(len(y)) % y.shape[1]
        one = F.cross_entropy(y, labels) if y.dim() == 2 and y.shape[1] > 1 else (y**2).mean()
        total = total + (1 if i == 0 else 0.3) * one
    return total


def listed(y):
    return list(y) if isinstance(y, tuple) else [y]


def row_name(name, options):
    return '-'.join([name, *[str(v) for v in options.values()]])


def is_asked(network, row):
    return len(sys.argv) == 1 or network in sys.argv[1:] or row in sys.argv[1:]


if __name__ == '__main__':
    torch.manual_seed(0)
    cases, tensors = [], {}
    if len(sys.argv) > 1:  # the rows of the others stay
        kept = (FOLDER / 'zoo.safetensors').read_bytes()
        end = 8 + struct.unpack('<Q', kept[:8])[0]
        header = json.loads(kept[8:end])
        cases = [row for row in json.loads(header.pop('__metadata__')['cases']) if not is_asked(row['network'], row['name'])]
        names = {row['name'] for row in cases}
        for tensor, entry in header.items():
            if tensor.split('/')[0] in names:
                begin, stop = entry['data_offsets']
                tensors[tensor] = np.frombuffer(kept[end + begin:end + stop]).reshape(entry['shape'])
    for name, options, make, size, batch in NETWORKS:
        case = row_name(name, options)
        if not is_asked(name, case):
            continue
        net = make().double().eval()
        for module in net.modules():
            if isinstance(module, nn.Dropout):
                module.p = 0.0
            if isinstance(module, nn.ReLU):
                module.inplace = False
        convs = [m for m in net.modules() if isinstance(m, nn.Conv2d)]
        channels = convs[0].in_channels
        x = torch.tensor(drawn((batch, size, size, channels), 1_000_000, 0, 1)).permute(0, 3, 1, 2).contiguous()
        shapes, kernels = fill(net, x)
        with torch.no_grad():
            answers = [double.numpy() for double in listed(net(x))]
        for mode in ('infer', 'train'):
            net.train(mode == 'train')
            net.zero_grad()
            loss = loss_of(listed(net(x)))
            loss.backward()
            norms = [float(kernels[0].grad.norm()), float(kernels[-1].grad.norm())]
            tensors[f'{case}/{mode}'] = np.array([float(loss), *norms])
        for i, y in enumerate(answers):
            tensors[f'{case}/output{i}'] = np.ascontiguousarray(np.moveaxis(y, 1, -1)) if y.ndim == 4 else y
        cases.append({'name': case, 'network': name, 'options': options, 'size': [size, size, channels], 'batch': batch,
                      'count': sum(math.prod(s) for s in shapes), 'tensors': len(shapes)})
        print(case, cases[-1]['count'], tensors[f'{case}/train'])
    order = [row_name(name, options) for name, options, *_ in NETWORKS]
    if set(order) == {row['name'] for row in cases}:
        cases.sort(key=lambda row: order.index(row['name']))
        write('zoo', 'Whole networks: PyTorch and torchvision in float64', cases, tensors)
