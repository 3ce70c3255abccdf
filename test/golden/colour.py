"""Pictures of bytes recoloured: torchvision 0.14 in float64, where nothing is cut to bytes; Keras's channel shift; blurred."""
import numpy as np
import torch
from keras_preprocessing.image import affine_transformations as keras
from torchvision.transforms import functional

from tensors import channels_first, channels_last, uniforms, write

# a transform: its function, and the amounts it is tried with
ROWS = {
    'randomBrightness': (functional.adjust_brightness, (0, 0.37, 1, 1.8)),
    'randomContrast': (functional.adjust_contrast, (0, 0.37, 1, 1.8)),
    'randomSaturation': (functional.adjust_saturation, (0.37, 1, 1.8)),
    'randomHue': (functional.adjust_hue, (-0.5, -0.21, 0, 0.1, 0.4)),
    'randomGrayscale': (lambda tensor, _: functional.rgb_to_grayscale(tensor, 3), (0,)),
    'randomBlur': (lambda tensor, sigma: functional.gaussian_blur(tensor, [5, 5], [sigma, sigma]), (0.3, 1, 4)),
    'randomChannelShift': (
        lambda tensor, amount: torch.from_numpy(
            keras.apply_channel_shift(tensor[0].numpy() * 255, amount, channel_axis=0) / 255
        )[None],
        (-70.4, 0, 31),
    ),
}


def colours():
    draw = uniforms(20261202)
    # not the whole range, so that a channel shift is clipped by the picture's own
    picture = np.array([10 + int(230 * next(draw)) for _ in range(6 * 7 * 3)], np.int32).reshape(6, 7, 3)
    picture[0, :3] = [[90, 90, 90], [239, 10, 10], [50, 200, 200]]
    tensor = channels_first(torch.from_numpy(picture)[None]).double() / 255
    cases, tensors = [], {'picture': picture}
    for transform, (function, amounts) in ROWS.items():
        for amount in amounts:
            name = f'{transform} {amount}'
            cases.append({'name': name, 'transform': transform, 'amount': amount})
            tensors[f'{name}/changed'] = channels_last(function(tensor, amount) * 255)[0].numpy()
    write('colour', 'pictures recoloured: torchvision 0.14, keras-preprocessing', cases, tensors)
