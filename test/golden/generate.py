"""
Writes the golden files beside this script: the truth from outside, by PyTorch 1.13 in float64 and by Keras's rules.

    apt-get install python3-torch python3-torchvision
    /usr/bin/python3 test/golden/generate.py
"""
import os
import sys

sys.dont_write_bytecode = True
# One code path and one order of sums on every x86-64 machine, said before torch loads; libm's last bit may still differ.
os.environ.update(ATEN_CPU_CAPABILITY='default', OPENBLAS_CORETYPE='Nehalem', OPENBLAS_NUM_THREADS='1')

import torch

from activations import activations
from batch_normalization import batch_normalizations
from bfloat16 import bfloat16
from colour import colours
from convolution import convolutions
from geometry import geometry
from initializers import initializers
from layers import layers
from lenet import train
from losses import losses, sample_losses
from metrics import metrics
from normalization import normalizations
from ops import ops
from optimizers import optimizers, steps
from pooling import pools
from schedules import schedules
from sequences import sequences
from transforms import transforms
from updates import activities, constraints, updates
from windows import windows

if __name__ == '__main__':
    torch.set_num_threads(1)
    convolutions()
    pools()
    losses()
    sample_losses()
    normalizations()
    batch_normalizations()
    ops()
    layers()
    metrics()
    train()
    optimizers()
    steps()
    schedules()
    bfloat16()
    transforms()
    geometry()
    colours()
    activations()
    sequences()
    initializers()
    constraints()
    updates()
    activities()
    windows()
