"""ONNX Runtime: its LSTM, GRU and RNN operators, forward."""

import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from common import CATALOGUE, pack

# The gates of ONNX by their place in PyTorch's order.
ORDER = dict(lstm=[0, 3, 1, 2], gru=[1, 0, 2], rnn=[0])


def model(cell, shape, params):
    """One operator over x [T, B, I], with all states as results; its output is [T, 1, B, H]."""
    hidden = shape["H"]
    w, u, b, *rest = pack(cell, params, np.concatenate)
    second = np.zeros_like(b)
    if rest:
        second[-hidden:] = rest[0]

    def ordered(array):
        gates = array.reshape(len(ORDER[cell]), hidden, *array.shape[1:])[ORDER[cell]]
        return gates.reshape(array.shape)

    arrays = {
        "W": ordered(w)[None],
        "R": ordered(u)[None],
        "B": np.concatenate([ordered(b), ordered(second)])[None],
    }
    states = ["h", "c"] if cell == "lstm" else ["h"]
    finals = [f"last_{state}" for state in states]
    attributes = {"linear_before_reset": 1} if cell == "gru" else {}
    inputs = ["x", *arrays, "", *states]
    node = helper.make_node(cell.upper(), inputs, ["y", *finals], hidden_size=hidden, **attributes)

    def value(name, size):
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, size)

    steps, batch = shape["T"], shape["B"]
    state = [1, batch, hidden]
    graph = helper.make_graph(
        [node],
        cell,
        [value("x", [steps, batch, shape["I"]])] + [value(name, state) for name in states],
        [value("y", [steps, 1, batch, hidden])] + [value(name, state) for name in finals],
        [numpy_helper.from_array(array.astype(np.float32), k) for k, array in arrays.items()],
    )
    opset = helper.make_opsetid("", 21)
    return helper.make_model(graph, opset_imports=[opset], ir_version=10), states


class Peer:
    def __init__(self, _way, threads):
        self.options = onnxruntime.SessionOptions()
        self.options.intra_op_num_threads = threads
        self.options.inter_op_num_threads = 1

    def cells(self):
        return CATALOGUE

    def bound(self, cell, shape, params, x):
        """A session with its arrays in place, and a function that runs it."""
        made, states = model(cell, shape, params)
        session = onnxruntime.InferenceSession(
            made.SerializeToString(), self.options, providers=["CPUExecutionProvider"]
        )
        arrays = {"x": x} | {
            state: np.zeros((1, shape["B"], shape["H"]), np.float32) for state in states
        }
        results = {"y": np.zeros((shape["T"], 1, shape["B"], shape["H"]), np.float32)} | {
            f"last_{state}": np.zeros_like(arrays[state]) for state in states
        }
        binding = session.io_binding()
        values = {}
        for name, array in (arrays | results).items():
            values[name] = onnxruntime.OrtValue.ortvalue_from_numpy(np.ascontiguousarray(array))
            bind = binding.bind_ortvalue_input if name in arrays else binding.bind_ortvalue_output
            bind(name, values[name])

        def run():
            session.run_with_iobinding(binding)
            return values["y"]

        return run

    def prepare(self, cell, shape, params):
        size = (shape["T"], shape["B"], shape["I"])
        x = np.random.default_rng(0).uniform(-1, 1, size).astype(np.float32)
        return {"forward": self.bound(cell, shape, params, x)}

    def prepare_step(self, cell, shape, params):
        x = np.random.default_rng(0).uniform(-1, 1, (1, 1, shape["I"])).astype(np.float32)
        return self.bound(cell, shape | {"T": 1, "B": 1}, params, x)

    def reference(self, cell, shape, params, x, cotangent):
        """The outputs; no gradients."""
        value = self.bound(cell, shape, params, x)()
        # The array is the value's own memory.
        return value.numpy()[:, 0].copy(), {}
