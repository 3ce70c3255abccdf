"""python3 bench/peers/pytorch.py <threads>: PyTorch takes part. What is asked and answered is in bench/protocol.ts."""
import gzip
import json
import os
import resource
import sys
import time

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

THREADS = int(sys.argv[1])
torch.set_num_threads(THREADS)
torch.set_num_interop_threads(1)


def check_blas():
    """Debian's PyTorch multiplies by whatever BLAS it finds; the reference one has a tenth of the speed."""
    torch.ones(64, 64) @ torch.ones(64, 64)
    with open('/proc/self/maps') as maps:
        if not any('openblas' in line for line in maps):
            raise RuntimeError('PyTorch multiplies without OpenBLAS here: apt-get install libopenblas0-pthread')


class StridedSame(nn.Conv2d):
    """A strided convolution with PyTorch's own even border; `exact` has TensorFlow's, as the other frameworks do."""
    exact = None

    def forward(self, x):
        if self.exact is None:
            return super().forward(x)
        return F.conv2d(F.pad(x, self.exact), self.weight, self.bias, self.stride, groups=self.groups)


class Sum(nn.Module):
    """As in torchvision's residual blocks: added in place."""
    def forward(self, a, b):
        return a.add_(b)


class Wired(nn.Module):
    """Modules called on earlier values; a value is let go after its last use."""
    def __init__(self, calls):
        super().__init__()
        self.parts = nn.ModuleList(module for module, _ in calls)
        self.inputs = [inputs for _, inputs in calls]
        last = {value: i for i, inputs in enumerate(self.inputs) for value in inputs}
        self.done = [[value for value, use in last.items() if use == i] for i in range(len(calls))]

    def forward(self, x):
        values = [x]
        for module, inputs, done in zip(self.parts, self.inputs, self.done):
            values.append(module(*[values[i] for i in inputs]))
            for i in done:
                values[i] = None
        return values[-1]


def image_before(layers, index):
    """The image that was flattened into a vector, if it is one."""
    layer = layers[index]
    if layer['type'] == 'flatten':
        return layers[layer['inputs'][0]]['shape']
    return image_before(layers, layer['inputs'][0]) if layer['type'] == 'dropout' else None


class Relu6(nn.ReLU6):
    """PyTorch 1.13 has no gradient of its own one in bfloat16."""
    def forward(self, x):
        return x.clamp(0, 6) if torch.is_autocast_cpu_enabled() else super().forward(x)


ACTIVATIONS = {'relu': nn.ReLU, 'relu6': Relu6}


def activated(module, options):
    name = options.get('activation', 'linear')
    return module if name == 'linear' else nn.Sequential(module, ACTIVATIONS[name](inplace=True))


def convolution(layer, weights):
    """Depthwise too: its kernel is [h, w, in, multiplier], and every channel is a group."""
    is_depthwise = layer['type'] == 'depthwiseConv2d'
    kernel = weights['kernel']
    groups = kernel.shape[2] if is_depthwise else layer['options'].get('groups', 1)
    if is_depthwise:
        kernel = kernel.reshape(*kernel.shape[:2], 1, -1)
    (size, strides, pads), options = (layer['window'][key] for key in ('size', 'strides', 'pads')), layer['options']
    even = [max(pad) for pad in pads]
    kind = nn.Conv2d if pads == [[n, n] for n in even] else StridedSame
    module = kind(groups * kernel.shape[2], kernel.shape[3], size, strides, even, groups=groups, bias='bias' in weights)
    module.borders = [pads[1][0], pads[1][1], pads[0][0], pads[0][1]]
    module.weight.data = torch.from_numpy(kernel.transpose(3, 2, 0, 1).copy())
    if 'bias' in weights:
        module.bias.data = torch.from_numpy(weights['bias'])
    return activated(module, options)


def dense(layer, weights, image):
    kernel = weights['kernel']
    module = nn.Linear(*kernel.shape)
    height, width, channels = image or (1, 1, kernel.shape[0])
    rows = kernel.reshape(height, width, channels, -1).transpose(3, 2, 0, 1).reshape(kernel.shape[1], -1)
    module.weight.data, module.bias.data = torch.from_numpy(rows.copy()), torch.from_numpy(weights['bias'])
    return activated(module, layer['options'])


def batch_norm(layer, weights):
    options = layer['options']
    module = nn.BatchNorm2d(len(weights['gamma']), options['epsilon'], 1 - options['momentum'])
    for name, key in (('weight', 'gamma'), ('bias', 'beta'), ('running_mean', 'movingMean'), ('running_var', 'movingVariance')):
        getattr(module, name).data = torch.from_numpy(weights[key])
    return module


def module_of(layers, index, weights):
    layer = layers[index]
    kind, options = layer['type'], layer['options']
    if kind in ('conv2d', 'depthwiseConv2d'):
        return convolution(layer, weights)
    if kind == 'dense':
        return dense(layer, weights, image_before(layers, layer['inputs'][0]))
    if kind == 'batchNormalization':
        return batch_norm(layer, weights)
    if kind == 'maxPooling2d':
        size, strides, pads = (layer['window'][key] for key in ('size', 'strides', 'pads'))
        if any(before != after for before, after in pads):
            raise ValueError(f'pooling with the borders {pads}: PyTorch has the same on both sides')
        return nn.MaxPool2d(size, strides, [before for before, _ in pads])
    if kind == 'globalAveragePooling2d':
        return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
    return {
        'flatten': nn.Flatten,
        'dropout': lambda: nn.Dropout(options['rate']),
        'activation': lambda: ACTIVATIONS[options['activation']](inplace=True),
        'add': Sum,
    }[kind]()


def network_of(task):
    layers, every = task['layers'], np.fromfile(task['weightsFile'], np.float32)
    calls = []
    for index, layer in enumerate(layers[1:], 1):
        weights = {}
        for key, weight in layer['weights'].items():
            weights[key] = every[weight['at']:weight['at'] + int(np.prod(weight['shape']))].reshape(weight['shape']).copy()
        calls.append((module_of(layers, index, weights), layer['inputs']))
    is_chain = all(inputs == [i] for i, (_, inputs) in enumerate(calls))
    return nn.Sequential(*(module for module, _ in calls)) if is_chain else Wired(calls)


def parameters_of(network):
    counts = [sum(p.numel() for p in module.parameters(recurse=False)) for module in network.modules()]
    return [count for count in counts if count > 0]


def images_of(task, layout):
    count = task['batchSize']
    height, width, channels = task['layers'][0]['shape']
    pixels = (np.arange(count * height * width * channels) * 7919) % 256
    images = torch.from_numpy((pixels / 255).astype(np.float32).reshape(count, height, width, channels))
    return images.permute(0, 3, 1, 2).contiguous(memory_format=layout)


LAYOUTS = {'channels_last': torch.channels_last, 'channels_first': torch.contiguous_format}


def autocast(task):
    return torch.autocast('cpu', torch.bfloat16, enabled=task['precision'] == 'mixed_bfloat16')


def training_step(task, network, foreach, rate):
    optimizer = torch.optim.Adam(network.parameters(), lr=rate, foreach=foreach)

    def step(x, y):
        optimizer.zero_grad(set_to_none=True)
        with autocast(task):
            loss = F.cross_entropy(network(x), y)
        loss.backward()
        optimizer.step()
        return loss
    return step


def training_ways(task):
    labels = torch.arange(task['batchSize']) % 10

    def way(layout, foreach):
        network = network_of(task).train().to(memory_format=LAYOUTS[layout])
        images = images_of(task, LAYOUTS[layout])
        step = training_step(task, network, foreach, 1e-6)
        return lambda: step(images, labels)
    return {f'{layout}, Adam {name}': lambda layout=layout, foreach=foreach: way(layout, foreach)
            for layout in LAYOUTS for name, foreach in (('for-loop', False), ('foreach', True))}


def prediction_ways(task):
    is_half = task['precision'] == 'mixed_bfloat16'

    def way(layout, form, cast):
        network = network_of(task).eval().to(memory_format=LAYOUTS[layout])
        images = images_of(task, LAYOUTS[layout])
        if cast == 'bfloat16':
            network = network.bfloat16()
        if form == 'exact':
            for module in network.modules():
                if isinstance(module, StridedSame):
                    module.exact = module.borders
        network = nn.Sequential(network, nn.Softmax(1)).eval()

        def run(x):
            with torch.inference_mode(), torch.autocast('cpu', torch.bfloat16, cast == 'autocast', cache_enabled=False):
                return network(x.bfloat16() if cast == 'bfloat16' else x)
        if form == 'fx':
            from torch.fx.experimental.optimization import optimize_for_inference  # here: it would delay every start
            network = optimize_for_inference(network)
        if form in ('frozen', 'optimized'):
            eager = network
            with torch.no_grad(), torch.autocast('cpu', torch.bfloat16, cast == 'autocast', cache_enabled=False):
                x = images.bfloat16() if cast == 'bfloat16' else images
                network = torch.jit.freeze(torch.jit.trace(eager, x, check_trace=False))
                if form == 'optimized':
                    network = torch.jit.optimize_for_inference(network)
        return lambda: run(images)
    forms = ('eager', 'frozen', 'optimized') if is_half else ('eager', 'frozen', 'optimized', 'fx')
    casts = ('autocast', 'bfloat16') if is_half else ('',)
    return {', '.join(filter(None, (layout, form, cast))):
            lambda layout=layout, form=form, cast=cast: way(layout, form, cast)
            for cast in casts for layout in LAYOUTS for form in forms}, \
        lambda: way('channels_first', 'exact', casts[-1])


class Taking:
    """The task at hand: ways to do it, each made when it is first used."""
    def __init__(self):
        self.makers, self.made, self.answer, self.task = {}, {}, None, None

    def prepare(self, asked):
        check_blas()
        self.release(asked)
        self.task = asked['task']
        if self.task['mode'] == 'train':
            self.makers = training_ways(self.task)
        else:
            self.makers, self.answer = prediction_ways(self.task)
        return {'settings': list(self.makers), 'parameters': parameters_of(network_of(self.task))}

    def way(self, setting):
        if setting not in self.made:
            self.made[setting] = self.makers[setting]()
        return self.made[setting]

    def turn(self, asked):
        run, done, start = self.way(asked['setting']), 0, time.perf_counter()
        while done == 0 or time.perf_counter() - start < asked['seconds']:
            run()
            done += 1
        return {'images': done * self.task['batchSize'], 'seconds': time.perf_counter() - start}

    def first(self, asked):
        """One training step, and nothing else."""
        self.task = asked['task']
        self.makers = training_ways(self.task)
        setting = next(iter(self.makers))
        self.way(setting)()
        return {'setting': setting}

    def exact(self, asked):
        """The probabilities of the exact network, which no turn is measured on."""
        return {'values': self.answer()().float().flatten().tolist()}

    def release(self, _):
        self.makers, self.made, self.answer, self.task = {}, {}, None, None
        return {}


def unpacked(folder, name, header):
    path = next(p for end in ('', '.gz') if os.path.exists(p := os.path.join(folder, name + end)))
    with (gzip.open if path.endswith('.gz') else open)(path, 'rb') as file:
        return np.frombuffer(file.read(), np.uint8)[header:]


def epochs(asked):
    """MNIST from its files: float32 tensors in memory, a new order every epoch, the loss and accuracy read as they come."""
    check_blas()
    task, layout = asked['task'], torch.channels_last
    start = time.perf_counter()
    labels = torch.from_numpy(unpacked(asked['folder'], 'train-labels-idx1-ubyte', 8).astype(np.int64))
    pixels = unpacked(asked['folder'], 'train-images-idx3-ubyte', 16).astype(np.float32) / 255
    images = torch.from_numpy(pixels).reshape(len(labels), 1, 28, 28)
    read = time.perf_counter() - start
    network = network_of(task).train().to(memory_format=layout)
    optimizer, size = torch.optim.Adam(network.parameters()), task['batchSize']
    if asked['setting'] == 'DataLoader':
        data = torch.utils.data.TensorDataset(images, labels)
        batches = torch.utils.data.DataLoader(data, size, shuffle=True)
    seconds = []
    for _ in range(asked['epochs']):
        start, loss_sum, right = time.perf_counter(), 0.0, 0
        if asked['setting'] == 'tensors':
            batches = ((images[i], labels[i]) for i in torch.randperm(len(images)).split(size))
        for x, y in batches:
            optimizer.zero_grad(set_to_none=True)
            with autocast(task):
                logits = network(x.to(memory_format=layout))
                loss = F.cross_entropy(logits, y)
            loss.backward()
            optimizer.step()
            loss_sum += loss.item() * len(y)
            right += (logits.argmax(1) == y).sum().item()
        seconds.append(time.perf_counter() - start)
    return {'readSeconds': read, 'seconds': seconds, 'accuracy': right / len(images)}


def main():
    taking = Taking()
    answers = {
        'prepare': taking.prepare, 'turn': taking.turn, 'first': taking.first, 'answer': taking.exact, 'release': taking.release,
        'profile': lambda _: {}, 'epochs': epochs,
        'memory': lambda _: {'peakBytes': resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024},
    }
    capability = torch.__config__.show().split('CPU capability usage: ')[1].split()[0]
    say({'name': 'PyTorch', 'version': torch.__version__, 'threads': torch.get_num_threads(),
         'details': {'python': sys.version.split()[0], 'capability': capability}})
    for line in sys.stdin:
        asked = json.loads(line)
        try:
            say(answers[asked['ask']](asked))
        except Exception as error:  # whatever it is, the bench lists it
            say({'error': f'{type(error).__name__}: {str(error).strip().splitlines()[-1] if str(error).strip() else error}'})


def say(line):
    print(json.dumps(line), flush=True)


main()
