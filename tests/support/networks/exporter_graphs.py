"""Small ONNX graphs with the nodes that each exporter writes, with random weights."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

Array = NDArray[Any]
ML = "ai.onnx.ml"


class Writer:
    """A graph as it grows, with the names that the exporter gives."""

    def __init__(self, shape: list[Any], opset: int = 13, kind: int = TensorProto.FLOAT, name: str = "x") -> None:
        self.rng = np.random.default_rng(4)
        self.opset, self.real = opset, kind
        self.input = helper.make_tensor_value_info(name, kind, shape)
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []

    def weight(self, name: str, *shape: int) -> str:
        """Random weights of about unit gain."""
        return self.constant(name, self.rng.normal(0, 1.4 / np.sqrt(max(np.prod(shape[1:]), 1)), shape))

    def constant(self, name: str, values: Any) -> str:
        """A weight; whole numbers stay whole."""
        array = np.asarray(values)
        real = helper.tensor_dtype_to_np_dtype(self.real) if self.real != TensorProto.UINT8 else np.float32
        self.weights.append(numpy_helper.from_array(array.astype(np.int64 if array.dtype.kind in "iu" else real), name))
        return name

    def add(self, kind: str, inputs: list[str], *outputs: str, **attributes: Any) -> str:
        """One node."""
        self.nodes.append(helper.make_node(kind, inputs, outputs, name=f"{kind}_{len(self.nodes)}", **attributes))
        return outputs[0]

    def model(self, *outputs: str, kinds: tuple[int, ...] = ()) -> onnx.ModelProto:
        """The model; kinds: element types of the outputs."""
        left = [
            helper.make_tensor_value_info(name, kinds[i] if i < len(kinds) else self.real, None)
            for i, name in enumerate(outputs)
        ]
        graph = helper.make_graph(self.nodes, "exported", [self.input], left, self.weights)
        opsets = [helper.make_opsetid("", self.opset), helper.make_opsetid(ML, 1)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=7)


def cntk() -> onnx.ModelProto:
    """The model zoo's MNIST: SAME_UPPER, biases (8, 1, 1), weights flattened by a Reshape, all of them also inputs."""
    w = Writer([1, 1, 8, 8], 8, name="Input3")
    w.add("Conv", ["Input3", w.weight("Parameter5", 4, 1, 5, 5)], "Convolution28", auto_pad="SAME_UPPER",
          strides=[1, 1], dilations=[1, 1], kernel_shape=[5, 5], group=1)  # fmt: skip
    w.add("Add", ["Convolution28", w.weight("Parameter6", 4, 1, 1)], "Plus30")
    w.add("Relu", ["Plus30"], "ReLU32")
    w.add("AveragePool", ["ReLU32"], "Pooling66", kernel_shape=[2, 2], strides=[2, 2], auto_pad="SAME_UPPER")
    w.add("Reshape", ["Pooling66", w.constant("shape0", [1, 64])], "Times212_reshape0")
    w.add("Reshape", [w.weight("Parameter193", 4, 4, 4, 10), w.constant("shape1", [64, 10])], "Times212_reshape1")
    w.add("MatMul", ["Times212_reshape0", "Times212_reshape1"], "Times212")
    w.add("Add", ["Times212", w.weight("Parameter194", 1, 10)], "Plus214_Output_0")
    model = w.model("Plus214_Output_0")
    # files of IR version 3 name every weight among the inputs
    model.graph.input.extend(
        helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims) for tensor in w.weights
    )
    model.ir_version = 3
    return model


def ferplus() -> onnx.ModelProto:
    """Emotion FERPlus: the input is centred and scaled in the graph, and Dropout stays in it."""
    w = Writer([1, 1, 8, 8], 8, name="Input3")
    w.add("Sub", ["Input3", w.constant("Constant339", 0.5)], "Minus340")
    w.add("Div", ["Minus340", w.constant("Constant343", 0.25)], "Block352")
    w.add("Conv", ["Block352", w.weight("Parameter3", 4, 1, 3, 3)], "Convolution362", auto_pad="SAME_UPPER",
          kernel_shape=[3, 3], strides=[2, 2])  # fmt: skip
    w.add("Add", ["Convolution362", w.weight("Parameter4", 4, 1, 1)], "Plus364")
    w.add("Relu", ["Plus364"], "ReLU366")
    w.add("Dropout", ["ReLU366"], "Dropout408")
    w.add("Reshape", ["Dropout408", w.constant("shape", [1, 64])], "flat")
    w.add("MatMul", ["flat", w.weight("Parameter1693", 64, 8)], "Times1695")
    w.add("Add", ["Times1695", w.weight("Parameter1694", 8)], "Plus692")
    return w.model("Plus692")


def torch_view() -> onnx.ModelProto:
    """x.view(x.size(0), -1) with a free batch."""
    w = Writer(["batch", 1, 4, 4])
    w.add("Constant", [], "zero", value=numpy_helper.from_array(np.array(0)))
    w.add("Shape", ["x"], "shape")
    w.add("Gather", ["shape", "zero"], "size", axis=0)
    w.add("Constant", [], "axes", value=numpy_helper.from_array(np.array([0])))
    w.add("Unsqueeze", ["size", "axes"], "first")
    w.add("Constant", [], "rest", value=numpy_helper.from_array(np.array([-1])))
    w.add("Concat", ["first", "rest"], "target", axis=0)
    w.add("Reshape", ["x", "target"], "flat")
    return _classified(w, "flat", 16)


def torch_two_outputs() -> onnx.ModelProto:
    """Scores, and the features before them."""
    w = Writer(["batch", 16])
    _classified(w, "x", 16)
    return w.model("scores", "hidden")


def tf_channels_last(channels: int = 2) -> onnx.ModelProto:
    """tf2onnx: Transpose in front, a scale as Mul and Add, then Transpose and a computed shape for Flatten."""
    w = Writer(["unk__1", 6, 6, channels])
    w.add("Transpose", ["x"], "nchw", perm=[0, 3, 1, 2])
    w.add("Conv", ["nchw", w.weight("kernel", 4, channels, 3, 3)], "conv", strides=[2, 2], pads=[0, 0, 1, 1])
    w.add("Mul", ["conv", w.constant("gain", np.linspace(0.5, 1.5, 4).reshape(1, 4, 1, 1))], "mul")
    w.add("Add", ["mul", w.weight("shift", 1, 4, 1, 1)], "add")
    w.add("Relu", ["add"], "relu")
    w.add("Transpose", ["relu"], "nhwc", perm=[0, 2, 3, 1])
    w.add("Shape", ["relu"], "nchw_shape")
    w.add("Gather", ["nchw_shape", w.constant("perm", [0, 2, 3, 1])], "shape")
    w.add("Cast", ["shape"], "shape32", to=TensorProto.INT32)
    starts = [w.constant(name, [n]) for name, n in (("starts", 0), ("ends", 1), ("axes", 0))]
    w.add("Slice", ["shape32", *starts], "first")
    w.weights.append(numpy_helper.from_array(np.array([-1], np.int32), "rest"))
    w.add("Concat", ["first", "rest"], "target32", axis=0)
    w.add("Cast", ["target32"], "target", to=TensorProto.INT64)
    w.add("Reshape", ["nhwc", "target"], "flat")
    return _classified(w, "flat", 36, by_gemm=False)


def tf_normalised() -> onnx.ModelProto:
    """Channels-last input from which each channel's mean is taken before the Transpose; a Pad; a mean over (1, 2)."""
    w = Writer(["unk__1", 5, 5, 3], 12)
    w.add("Sub", ["x", w.constant("mean", np.array([0.1, 0.4, 0.7]))], "centred")
    w.add("Pad", ["centred", w.constant("pads", [0, 0, 0, 0, 0, 1, 1, 0])], "padded")
    w.add("Transpose", ["padded"], "nchw", perm=[0, 3, 1, 2])
    w.add("Conv", ["nchw", w.weight("kernel", 8, 3, 3, 3)], "conv", strides=[2, 2])
    w.add("Relu", ["conv"], "relu")
    w.add("Transpose", ["relu"], "nhwc", perm=[0, 2, 3, 1])
    w.add("ReduceMean", ["nhwc"], "pooled", axes=[1, 2], keepdims=0)
    return _classified(w, "pooled", 8)


def keras_conv1d() -> onnx.ModelProto:
    """Channels-last Conv1D: Transpose, Conv of three axes, Transpose, Reshape by constants."""
    w = Writer(["N", 6, 2], 9)
    w.add("Transpose", ["x"], "ncl", perm=[0, 2, 1])
    w.add("Conv", ["ncl", w.weight("kernel", 4, 2, 3), w.weight("bias", 4)], "conv", auto_pad="SAME_LOWER", strides=[2])
    w.add("Relu", ["conv"], "relu")
    w.add("Transpose", ["relu"], "nlc", perm=[0, 2, 1])
    w.add("Reshape", ["nlc", w.constant("shape", [-1, 12])], "flat")
    return _classified(w, "flat", 12)


def rows() -> onnx.ModelProto:
    """Images without a channel, (N, 6, 6), that become (N, 1, 6, 6)."""
    w = Writer(["N", 6, 6], 11)
    w.add("Unsqueeze", ["x"], "image", axes=[1])
    w.add("Conv", ["image", w.weight("kernel", 3, 1, 3, 3)], "conv")
    w.add("Relu", ["conv"], "relu")
    w.add("Flatten", ["relu"], "flat")
    return _classified(w, "flat", 48)


def without_batch() -> onnx.ModelProto:
    """One vector in, one out."""
    w = Writer([16])
    return _classified(w, "x", 16, by_gemm=False)


def whole_image() -> onnx.ModelProto:
    """An image (6, 6) that is one sample, flattened with its first axis."""
    w = Writer([6, 6])
    w.add("Flatten", ["x"], "flat", axis=0)
    return _classified(w, "flat", 36)


def halves() -> onnx.ModelProto:
    """float16."""
    return _classified(Writer(["N", 16], kind=TensorProto.FLOAT16), "x", 16)


def doubles() -> onnx.ModelProto:
    """float64."""
    return _classified(Writer(["N", 16], kind=TensorProto.DOUBLE), "x", 16)


def whole_numbers() -> onnx.ModelProto:
    """Pixels of uint8, made real and scaled in the graph."""
    w = Writer(["N", 16], kind=TensorProto.UINT8)
    w.add("Cast", ["x"], "real", to=TensorProto.FLOAT)
    w.add("Div", ["real", w.constant("most", 4.0)], "scaled")
    model = _classified(w, "scaled", 16)
    model.graph.output[0].type.tensor_type.elem_type = TensorProto.FLOAT
    return model


def sklearn_classifier(labels: tuple[int, ...] = (0, 1, 2, 3, 4)) -> onnx.ModelProto:
    """StandardScaler and MLPClassifier: label and ZipMap of probabilities."""
    w = Writer([None, 16], 21)
    scaler = {"offset": np.linspace(0, 1, 16).tolist(), "scale": np.linspace(0.5, 2, 16).tolist()}
    w.add("Scaler", ["x"], "scaled", domain=ML, **scaler)
    w.add("Cast", ["scaled"], "cast_input", to=TensorProto.FLOAT)
    _classified(w, "cast_input", 16, by_gemm=False)
    w.add("Softmax", ["scores"], "probabilities")
    return _labelled(w, labels, "probabilities")


def sklearn_binary() -> onnx.ModelProto:
    """MLPClassifier of two classes: 1 - p and p."""
    w = Writer([None, 16], 14)
    _classified(w, "x", 16, by_gemm=False, classes=1)
    w.add("Sigmoid", ["scores"], "positive")
    w.add("Sub", [w.constant("unity", 1.0), "positive"], "negative")
    w.add("Concat", ["negative", "positive"], "probabilities", axis=1)
    return _labelled(w, (0, 1), "probabilities")


def sklearn_logistic(transform: str = "SOFTMAX") -> onnx.ModelProto:
    """LogisticRegression: no ReLU at all."""
    w = Writer([None, 16], 9)
    coefficients, intercepts = w.rng.normal(0, 1, 48).tolist(), w.rng.normal(0, 1, 3).tolist()
    w.add("LinearClassifier", ["x"], "label", "raw", domain=ML, coefficients=coefficients, intercepts=intercepts,
          classlabels_ints=[0, 1, 2], multi_class=1, post_transform=transform)  # fmt: skip
    w.add("Cast", ["label"], "output_label", to=TensorProto.INT64)
    w.add("Normalizer", ["raw"], "probabilities", domain=ML, norm="L1")
    return w.model("output_label", "probabilities", kinds=(TensorProto.INT64,))


def sklearn_regressor() -> onnx.ModelProto:
    """LinearRegression with one target."""
    w = Writer([None, 16], 9)
    w.add("LinearRegressor", ["x"], "variable", domain=ML, coefficients=w.rng.normal(0, 1, 16).tolist(),
          intercepts=[0.5], targets=1)  # fmt: skip
    return w.model("variable")


def binary_sigmoid() -> onnx.ModelProto:
    """Keras with one output."""
    w = Writer(["N", 16])
    _classified(w, "x", 16, classes=1)
    w.add("Sigmoid", ["scores"], "p")
    return w.model("p")


def argmax(select_last: int = 0) -> onnx.ModelProto:
    """tf.argmax at the end."""
    w = Writer(["N", 16])
    _classified(w, "x", 16)
    w.add("Softmax", ["scores"], "p", axis=-1)
    w.add("ArgMax", ["p"], "winner", axis=1, keepdims=0, select_last_index=select_last)
    return w.model("winner", kinds=(TensorProto.INT64,))


def _classified(w: Writer, flat: str, size: int, *, by_gemm: bool = True, classes: int = 5) -> onnx.ModelProto:
    """Two dense layers with a ReLU between them; the outputs are "scores"."""
    if by_gemm:
        w.add("Gemm", [flat, w.weight("fc1", 8, size), w.weight("fc1_bias", 8)], "sum", transB=1)
    else:
        w.add("MatMul", [flat, w.weight("fc1", size, 8)], "product")
        w.add("Add", ["product", w.weight("fc1_bias", 8)], "sum")
    w.add("Relu", ["sum"], "hidden")
    w.add("MatMul", ["hidden", w.weight("fc2", 8, classes)], "hidden_product")
    w.add("Add", ["hidden_product", w.weight("fc2_bias", classes)], "scores")
    return w.model("scores")


def _labelled(w: Writer, labels: tuple[int, ...], probabilities: str) -> onnx.ModelProto:
    w.add("ArgMax", [probabilities], "argmax_output", axis=1)
    w.add("ZipMap", [probabilities], "output_probability", domain=ML, classlabels_int64s=list(labels))
    w.weights.append(numpy_helper.from_array(np.array(labels, np.int32), "classes"))
    w.add("ArrayFeatureExtractor", ["classes", "argmax_output"], "picked", domain=ML)
    w.add("Reshape", ["picked", w.constant("shape_tensor", [-1])], "reshaped")
    w.add("Cast", ["reshaped"], "output_label", to=TensorProto.INT64)
    return w.model("output_label", kinds=(TensorProto.INT64,))
