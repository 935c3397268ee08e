"""Each ONNX operator of a ReLU network, in eval mode: how it is converted, and which attributes it may have.

Source: the ONNX operator schemas, opset 7 to 28, default domain; tests/exporter/onnx/test_attributes.py compares them.
"""

from __future__ import annotations

from . import axes, elementwise, ending, joining, linear, padding, upsampling
from .attributes import FLAG, FLOAT, FLOATS, INT, INTS, SPARSE_TENSOR, STRING, STRINGS, TENSOR, Attribute, flag
from .node import Operator

OPSETS = range(7, 29)
_MANY = 1 << 16

_EVAL = "export the network in eval mode"
_AUTO_PAD = Attribute(STRING, "NOTSET", ("NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER"))
_NO_PAD = Attribute(STRING, "NOTSET", ("NOTSET", "VALID"), "export the network with its padding in numbers")
_WINDOWS = "use plain windows that fit"
_AXES = Attribute(INTS)
_SOFTMAX = Operator(ending.softmax, 1, 1, {"axis": Attribute(INT)})
_NUMBERS = "give a tensor of numbers"
_NEAREST = Attribute(STRING, "nearest", ("nearest",), "resize to the nearest neighbour, or use ConvTranspose")
_COORDINATES = ("half_pixel", "half_pixel_symmetric", "pytorch_half_pixel", "align_corners", "asymmetric")
_ROUNDINGS = ("round_prefer_floor", "round_prefer_ceil", "floor", "ceil")

OPERATORS: dict[str, Operator] = {
    "Gemm": Operator(
        linear.gemm, 2, 3,
        {
            "alpha": Attribute(FLOAT, 1.0), "beta": Attribute(FLOAT, 1.0), "transB": FLAG,
            "transA": Attribute(INT, 0, (0,), "its input would be transposed; export a plain Linear layer"),
        },
    ),
    "MatMul": Operator(linear.matmul, 2, 2),
    "Conv": Operator(
        linear.conv, 2, 3,
        {
            "auto_pad": _AUTO_PAD, "dilations": Attribute(INTS), "group": Attribute(INT, 1),
            "kernel_shape": Attribute(INTS), "pads": Attribute(INTS), "strides": Attribute(INTS),
        },
    ),
    "BatchNormalization": Operator(
        linear.batch_norm, 5, 5,
        {
            # momentum has no effect outside training
            "epsilon": Attribute(FLOAT, 1e-5), "momentum": Attribute(FLOAT, 0.9),
            "spatial": Attribute(INT, 1, (1,), "use one mean and variance per channel"),
            "training_mode": Attribute(INT, 0, (0,), _EVAL),
        },
    ),
    "Relu": Operator(elementwise.relu, 1, 1),
    "Clip": Operator(elementwise.clip, 1, 3, {"min": Attribute(FLOAT), "max": Attribute(FLOAT)}),
    "AveragePool": Operator(
        linear.average_pool, 1, 1,
        {
            "auto_pad": _AUTO_PAD, "ceil_mode": Attribute(INT, 0, (0,), _WINDOWS), "count_include_pad": FLAG,
            "dilations": Attribute(INTS, None, (1,), _WINDOWS), "kernel_shape": Attribute(INTS, ()),
            "pads": Attribute(INTS), "strides": Attribute(INTS),
        },
    ),
    "GlobalAveragePool": Operator(linear.global_average, 1, 1),
    "ReduceMean": Operator(
        linear.reduce_mean, 1, 2, {"axes": _AXES, "keepdims": flag(1), "noop_with_empty_axes": FLAG}
    ),
    "Pad": Operator(
        padding.pad, 1, 4,
        {
            "mode": Attribute(STRING, "constant", ("constant",), "only zeros can be the padding of a convolution"),
            "pads": _AXES, "value": Attribute(FLOAT, 0.0),
        },
    ),
    "Flatten": Operator(axes.flatten, 1, 1, {"axis": Attribute(INT, 1)}),
    "Reshape": Operator(axes.reshape, 2, 2, {"allowzero": FLAG}),
    "Transpose": Operator(axes.transpose, 1, 1, {"perm": _AXES}),
    "Squeeze": Operator(axes.squeeze, 1, 2, {"axes": _AXES}),
    "Unsqueeze": Operator(axes.unsqueeze, 1, 2, {"axes": _AXES}),
    "ConvTranspose": Operator(
        upsampling.conv_transpose, 2, 3,
        {
            "auto_pad": _NO_PAD, "dilations": Attribute(INTS, (1, 1)), "group": Attribute(INT, 1),
            "kernel_shape": Attribute(INTS), "output_padding": Attribute(INTS, (0, 0)), "output_shape": Attribute(INTS),
            "pads": Attribute(INTS, (0,) * 4), "strides": Attribute(INTS, (1, 1)),
        },
    ),
    "Concat": Operator(joining.concat, 1, _MANY, {"axis": Attribute(INT)}),
    "Resize": Operator(
        upsampling.resize, 1, 4,
        {
            "mode": _NEAREST, "antialias": Attribute(INT, 0, (0,), "resize without it"), "axes": _AXES,
            "coordinate_transformation_mode": Attribute(STRING, "half_pixel", _COORDINATES, "use one of these modes: "
                                                        + ", ".join(_COORDINATES)),
            # of cubic interpolation, and of crops
            "cubic_coeff_a": Attribute(FLOAT), "exclude_outside": FLAG, "extrapolation_value": Attribute(FLOAT),
            "keep_aspect_ratio_policy": Attribute(STRING, "stretch"),
            "nearest_mode": Attribute(STRING, "round_prefer_floor", _ROUNDINGS),
        },
    ),
    "Upsample": Operator(upsampling.resize, 1, 2, {"mode": _NEAREST, "scales": Attribute(FLOATS)}),
    "Add": Operator(elementwise.add, 2, 2),
    "Sum": Operator(elementwise.add, 1, _MANY),
    "Sub": Operator(elementwise.arithmetic, 2, 2),
    "Mul": Operator(elementwise.arithmetic, 2, 2),
    "Div": Operator(elementwise.arithmetic, 2, 2),
    "Identity": Operator(elementwise.identity, 1, 1),
    "Dropout": Operator(elementwise.dropout, 1, 3, {"ratio": Attribute(FLOAT), "seed": Attribute(INT)}, idle=1),
    "Cast": Operator(
        elementwise.cast, 1, 1,
        {"to": Attribute(INT), "saturate": flag(1), "round_mode": Attribute(STRING, "up", ("up", "down", "nearest"))},
    ),
    "Softmax": _SOFTMAX,
    "LogSoftmax": _SOFTMAX,
    "Sigmoid": Operator(ending.sigmoid, 1, 1), "Tanh": Operator(ending.tanh, 1, 1),
    "ArgMax": ending.ARGMAX,
}  # fmt: skip

# of Constant, which outputs no signal
CONSTANT: dict[str, Attribute] = {
    "value": Attribute(TENSOR), "value_float": Attribute(FLOAT), "value_floats": Attribute(FLOATS),
    "value_int": Attribute(INT), "value_ints": Attribute(INTS),
    "sparse_value": Attribute(SPARSE_TENSOR, None, (), _NUMBERS), "value_string": Attribute(STRING, None, (), _NUMBERS),
    "value_strings": Attribute(STRINGS, None, (), _NUMBERS),
}  # fmt: skip

_ONLY_RELU = "spikes represent only a ReLU; train with ReLU instead"
REMEDIES = dict.fromkeys(
    ("LeakyRelu", "PRelu", "ThresholdedRelu", "Gelu", "Mish", "HardSigmoid", "Softsign"), _ONLY_RELU
)
