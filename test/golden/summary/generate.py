"""
Writes the texts beside this script: what Keras 3 prints. A text's name is model-columns, or model-columns-trainable.

    pip install keras==3.15.1 jax
    python test/golden/summary/generate.py

keras2-sequential.txt is not from here: it is a print of Keras 2.11.
"""
import os
import pathlib

os.environ['KERAS_BACKEND'] = 'jax'

import keras
import numpy as np
from keras import Input, Model, Sequential, layers
from keras.layers import Add, BatchNormalization, Concatenate, Conv2D, Dense, Dropout, Flatten, MaxPooling2D

HERE = pathlib.Path(__file__).parent


def write(model, name, columns, **options):
    os.environ['COLUMNS'] = str(columns)
    lines = []
    model.summary(print_fn=lines.append, **options)
    (HERE / f'{name}-{columns}{"-trainable" if options else ""}.txt').write_text('\n'.join(lines))


def sequential():
    return Sequential([Input((28, 28, 1)), Conv2D(32, 3), Conv2D(64, 3), Conv2D(64, 3)])


def chollet():
    inner = [Conv2D(32, 3), MaxPooling2D(), Conv2D(64, 3), MaxPooling2D(), Conv2D(64, 3), Flatten(), Dense(64), Dense(10)]
    return Sequential([Input((28, 28, 1)), *inner])


def unbuilt():
    return [
        Conv2D(32, 3, name='conv2d_6'),
        BatchNormalization(),
        Dropout(0.5),
        Flatten(name='flatten_1'),
        Dense(10, name='dense_2'),
    ]


def waiting():
    return Sequential([Conv2D(3, 3), MaxPooling2D(), Dropout(0.3, name='pause'), Flatten(), Conv2D(3, 3), Dense(3)])


def branching():
    x = Input((28, 28, 3), name='input_layer_3')
    a, b = Conv2D(8, 1, name='conv2d_7')(x), Conv2D(8, 3, padding='same', name='conv2d_8')(x)
    y = Concatenate()([a, b])
    y = layers.GlobalAveragePooling2D()(Add()([y, y]))
    return Model(x, Dense(10, name='dense_3')(y), name='functional_3')


def chain():
    x = Input((28, 28, 1))
    return Model(x, Dense(10)(Flatten()(MaxPooling2D()(Conv2D(8, 3)(x)))))


def residual():
    x = Input((8, 8, 4), name='picture')
    y = Conv2D(4, 3, padding='same', name='a')(x)
    long = Conv2D(4, 3, padding='same', name='c')(Conv2D(4, 3, padding='same', name='b')(y))
    short = Conv2D(4, 1, name='shortcut')(y)
    y = Add(name='sum')([short, long])
    return Model(x, [Flatten(name='flat')(y), MaxPooling2D(name='small')(y)], name='residual')


def shared():
    left, right = Input((8, 8, 1), name='left'), Input((8, 8, 1), name='right')
    unused = Input((3,), name='unused')
    both = Conv2D(2, 3, name='both')
    a, b = both(left), both(right)
    y = Dense(2, name='score')(Flatten(name='flat')(Concatenate(name='pair')([a, b])))
    return Model([left, right, unused], y, name='siamese')


def wide():
    x = Input((64, 64, 3), name='input')
    y = Conv2D(64, 7, name='a_convolution_with_a_long_name_that_needs_more_than_one_line_of_any_table')(x)
    return Model(x, Dense(64, name='fc')(Flatten(name='flatten')(y)), name='wide ' * 12)


if __name__ == '__main__':
    for make, columns in [
        (sequential, (20, 30, 40, 80, 120)),
        (waiting, (80,)),
        (chain, (80,)),
        (wide, (40, 80)),
        (branching, (40, 80, 120)),
        (residual, (80, 200)),
        (shared, (80,)),
    ]:
        keras.utils.clear_session()
        model = make()
        for width in columns:
            write(model, make.__name__, width)
    keras.utils.clear_session()
    stack = unbuilt()
    model = Sequential(stack, name='sequential_2')
    write(model, 'unbuilt', 80)
    model.build((None, 28, 28, 1))
    stack[0].trainable = False
    write(model, 'frozen', 80, show_trainable=True)
    write(model, 'frozen', 40, show_trainable=True)
    model = branching()
    write(model, 'branching', 80, show_trainable=True)
    write(model, 'branching', 140, show_trainable=True)
    keras.utils.clear_session()
    model = chollet()
    model.compile('adam', 'mse')
    model.fit(np.zeros((1, 28, 28, 1)), np.zeros((1, 10)), verbose=0)
    write(model, 'trained', 80)
