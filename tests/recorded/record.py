"""Records what other systems compute, as the files that `tests/tests/recorded.rs` reads.

    record.py [pytorch] [keras] [onnx] [FOLDER]

Each file is one case: the weights under the system's own names, what the layers are fed with, all
results, and the gradients of `sum(y * cotangent.y) + sum(h * cotangent.h) + sum(c * cotangent.c)`.

| tensor | shape |
|---|---|
| `x`, `grad.x` | [T, B, I] |
| `lengths` | [B], if not all are T |
| `h0`, `c0`, `grad.h0`, `grad.c0` | [layers * directions, B, ..] |
| `y`, `cotangent.y` | [T, B, directions * ..]: forward, then reverse |
| `h`, `c`, `cotangent.h`, `cotangent.c` | [layers * directions, B, ..]: after each example's last step |
| `weight.NAME`, `grad.weight.NAME` | of each array of weights |

The metadata say which system and version made the file, which cell of the catalogue it is, how many
layers and directions there are, and, of Keras, the prefix of each direction's names.
"""

import os
import sys
from pathlib import Path

os.environ["KERAS_BACKEND"] = "jax"
os.environ["CUDA_VISIBLE_DEVICES"] = ""
os.environ["JAX_PLATFORMS"] = "cpu"

import numpy as np
from safetensors.numpy import save_file

T, B, I, H, P = 6, 3, 3, 9, 2
LENGTHS = np.array([4, 6, 1], dtype=np.int64)
FOLDER = Path(__file__).parent


def draw(name, shapes, dtype):
    """Random arrays, the same on every run; those of a name alone are of about unit size."""
    rng = np.random.default_rng(sum(name.encode()))
    return {key: (rng.standard_normal(shape) * 0.5).astype(dtype) for key, shape in shapes.items()}


def fed(name, dtype, cell, parts, width, shown=H):
    """The input, the initial states, and the cotangents of all results."""
    states = {"h": (parts, B, shown)}
    if cell.startswith("lstm"):
        states["c"] = (parts, B, H)
    shapes = {"x": (T, B, I), "cotangent.y": (T, B, width)}
    for state, shape in states.items():
        shapes[f"{state}0"] = shape
        shapes[f"cotangent.{state}"] = shape
    return draw(name, shapes, dtype)


def keep(folder, name, tensors, **metadata):
    tensors = {key: np.ascontiguousarray(value) for key, value in tensors.items()}
    metadata = {key: str(value) for key, value in metadata.items()}
    save_file(tensors, folder / f"{name}.safetensors", metadata=metadata)
    print(f"{name}: {sum(value.nbytes for value in tensors.values())} bytes")


def pytorch(folder):
    import torch

    torch.set_num_threads(1)
    cases = [
        # name, cell, module, options, layers, directions, lengths, dtype
        ("lstm", "lstm", "LSTM", {}, 1, 1, False, "float64"),
        ("lstm_f32", "lstm", "LSTM", {}, 1, 1, True, "float32"),
        ("lstm_without_bias", "lstm", "LSTM", {"bias": False}, 1, 1, False, "float64"),
        ("lstm_bidirectional", "lstm", "LSTM", {}, 1, 2, True, "float64"),
        ("lstm_two_layers", "lstm", "LSTM", {}, 2, 1, False, "float64"),
        ("lstm_stacked", "lstm", "LSTM", {}, 2, 2, True, "float64"),
        ("lstm_projection", "lstm_projection", "LSTM", {"proj_size": P}, 1, 1, False, "float64"),
        ("lstm_projection_stacked", "lstm_projection", "LSTM", {"proj_size": P}, 2, 2, True, "float64"),
        ("gru", "gru", "GRU", {}, 1, 1, False, "float64"),
        ("gru_f32", "gru", "GRU", {}, 1, 2, True, "float32"),
        ("gru_stacked", "gru", "GRU", {}, 2, 2, True, "float64"),
        ("rnn", "rnn", "RNN", {}, 1, 2, True, "float64"),
        ("rnn_relu", "rnn_relu", "RNN", {"nonlinearity": "relu"}, 2, 1, True, "float64"),
    ]
    for name, cell, module, options, layers, directions, lengths, dtype in cases:
        name = f"pytorch_{name}"
        shown = options.get("proj_size", H)
        layer = getattr(torch.nn, module)(
            I, H, layers, bidirectional=directions == 2, dtype=getattr(torch, dtype), **options
        )
        shapes = {key: tuple(weight.shape) for key, weight in layer.named_parameters()}
        weights = draw(f"{name} weights", shapes, dtype)
        with torch.no_grad():
            for key, weight in layer.named_parameters():
                weight.copy_(torch.from_numpy(weights[key]))
        given = fed(name, dtype, cell, layers * directions, directions * shown, shown)
        leaf = {key: torch.from_numpy(value).requires_grad_() for key, value in given.items()}
        x = leaf["x"]
        if lengths:
            pack = torch.nn.utils.rnn.pack_padded_sequence
            x = pack(x, torch.from_numpy(LENGTHS), enforce_sorted=False)
        initial = (leaf["h0"], leaf["c0"]) if module == "LSTM" else leaf["h0"]
        y, states = layer(x, initial)
        if lengths:
            y, _ = torch.nn.utils.rnn.pad_packed_sequence(y, total_length=T)
        results = {"y": y}
        results.update(zip("hc", states if module == "LSTM" else [states]))
        loss = sum((result * leaf[f"cotangent.{key}"]).sum() for key, result in results.items())
        loss.backward()
        tensors = dict(given)
        tensors.update({key: result.detach().numpy() for key, result in results.items()})
        for key in ["x", "h0", "c0"]:
            if key in leaf:
                tensors[f"grad.{key}"] = leaf[key].grad.numpy()
        for key, weight in layer.named_parameters():
            tensors[f"weight.{key}"] = weights[key]
            tensors[f"grad.weight.{key}"] = weight.grad.numpy()
        if lengths:
            tensors["lengths"] = LENGTHS
        version = torch.__version__.split("+")[0]
        keep(folder, name, tensors, system="pytorch", cell=cell, layers=layers,
             directions=directions, prefixes="", made_by=f"PyTorch {version}")


def keras(folder):
    import jax

    jax.config.update("jax_enable_x64", True)
    import keras as k

    @k.saving.register_keras_serializable()
    def exact_tanh(x):
        # On JAX, this version's own tanh rounds f64 to f32.
        return jax.numpy.tanh(x)

    cases = [
        # name, cell, layer, options, bidirectional, lengths, dtype
        ("lstm", "lstm", "LSTM", {}, False, False, "float64"),
        ("lstm_f32", "lstm", "LSTM", {}, False, False, "float32"),
        ("lstm_bidirectional", "lstm", "LSTM", {}, True, False, "float64"),
        ("lstm_lengths", "lstm", "LSTM", {}, False, True, "float64"),
        ("gru", "gru", "GRU", {"reset_after": True}, False, False, "float64"),
        ("gru_reset_before", "gru_cho", "GRU", {"reset_after": False}, False, False, "float64"),
        ("gru_without_bias", "gru", "GRU", {"use_bias": False}, False, False, "float64"),
        ("rnn", "rnn", "SimpleRNN", {}, False, False, "float64"),
        ("rnn_relu", "rnn_relu", "SimpleRNN", {"activation": "relu"}, False, True, "float64"),
    ]
    for name, cell, kind, options, bidirectional, lengths, dtype in cases:
        name = f"keras_{name}"
        # The cells within layers do not all take the layer's own.
        k.config.set_floatx(dtype)
        k.config.set_dtype_policy(dtype)
        options = {"activation": exact_tanh, **options}
        parts = 1 + bidirectional
        if lengths:
            # Only the general layer makes outputs beyond an example's end zero.
            inner = getattr(k.layers, f"{kind}Cell")(H, dtype=dtype, **options)
            layer = k.layers.RNN(
                inner, return_sequences=True, return_state=True, zero_output_for_mask=True, dtype=dtype
            )
        else:
            layer = getattr(k.layers, kind)(
                H, return_sequences=True, return_state=True, dtype=dtype, **options
            )
        if bidirectional:
            layer = k.layers.Bidirectional(layer, merge_mode="concat", dtype=dtype)
        layer.build((B, T, I))
        prefixes = [""]
        if bidirectional:
            prefixes = ["forward/", "backward/"]

        def called(i, weight):
            count = len(layer.trainable_variables) // parts
            return prefixes[i // count] + weight.name

        names = [called(i, weight) for i, weight in enumerate(layer.trainable_variables)]
        shapes = {key: tuple(w.shape) for key, w in zip(names, layer.trainable_variables)}
        weights = draw(f"{name} weights", shapes, dtype)
        given = fed(name, dtype, cell, parts, parts * H)
        mask = None
        if lengths:
            mask = np.arange(T)[None, :] < LENGTHS[:, None]

        def run(weights, x, h0, c0):
            states = [list(pair) for pair in zip(h0, c0)] if c0 is not None else [[h] for h in h0]
            states = sum(states, [])
            (y, *found), _ = layer.stateless_call(
                [weights[key] for key in names],
                [v.value for v in layer.non_trainable_variables],
                x.transpose(1, 0, 2),
                initial_state=states,
                mask=mask,
            )
            each = len(found) // parts
            results = {"y": y.transpose(1, 0, 2)}
            for i, state in enumerate("hc"[:each]):
                results[state] = jax.numpy.stack(found[i::each])
            return results

        arguments = (weights, given["x"], given["h0"], given.get("c0"))
        results, vjp = jax.vjp(run, *arguments)
        gradients = vjp({key: jax.numpy.asarray(given[f"cotangent.{key}"]) for key in results})
        tensors = dict(given)
        tensors.update({key: np.asarray(result) for key, result in results.items()})
        for key, gradient in zip(["x", "h0", "c0"], gradients[1:]):
            if gradient is not None:
                tensors[f"grad.{key}"] = np.asarray(gradient)
        for key in names:
            tensors[f"weight.{key}"] = weights[key]
            tensors[f"grad.weight.{key}"] = np.asarray(gradients[0][key])
        if lengths:
            tensors["lengths"] = LENGTHS
        assert all(value.dtype in (dtype, "int64") for value in tensors.values()), name
        keep(folder, name, tensors, system="keras", cell=cell, layers=1, directions=parts,
             prefixes=",".join(prefixes),
             made_by=f"Keras {k.__version__} on JAX {jax.__version__}")


def onnx(folder):
    """Outputs of ONNX's reference evaluator; gradients of the same equations, written by hand under
    `lax.scan`, and outputs too where there are lengths or Relu, which the evaluator does not know."""
    import jax
    import onnx as o
    from jax import lax
    from jax import numpy as jnp
    from onnx.reference import ReferenceEvaluator

    jax.config.update("jax_enable_x64", True)

    def step(cell, w, r, b, p, x, state):
        h = state[0]
        gates = {"rnn": 1, "rnn_relu": 1, "gru": 3, "gru_cho": 3}.get(cell, 4)
        wx = jnp.split(x @ w.T + b[: gates * H], gates, axis=-1)
        rh = jnp.split(h @ r.T, gates, axis=-1)
        rb = jnp.split(b[gates * H :], gates)
        if gates == 1:
            activation = jnp.tanh if cell == "rnn" else jax.nn.relu
            return (activation(wx[0] + rh[0] + rb[0]),)
        if gates == 3:
            z = jax.nn.sigmoid(wx[0] + rh[0] + rb[0])
            s = jax.nn.sigmoid(wx[1] + rh[1] + rb[1])
            if cell == "gru":
                n = jnp.tanh(wx[2] + s * (rh[2] + rb[2]))
            else:
                n = jnp.tanh(wx[2] + (s * h) @ r[2 * H :].T + rb[2])
            return ((1 - z) * n + z * h,)
        c = state[1]
        p_i, p_o, p_f = jnp.split(p, 3)
        i, out, f, g = [wx[k] + rh[k] + rb[k] for k in range(4)]
        c = jax.nn.sigmoid(f + p_f * c) * c + jax.nn.sigmoid(i + p_i * c) * jnp.tanh(g)
        return jax.nn.sigmoid(out + p_o * c) * jnp.tanh(c), c

    def direction(cell, lengths, reverse, w, r, b, p, x, state):
        t = jnp.arange(T)[:, None]
        at = jnp.where(t < lengths, lengths - 1 - t, t) if reverse else t + 0 * lengths
        x = jnp.take_along_axis(x, at[..., None], axis=0)

        def body(state, at_t):
            t, x = at_t
            on = (t < lengths)[:, None]
            new = step(cell, w, r, b, p, x, state)
            new = tuple(jnp.where(on, n, s) for n, s in zip(new, state))
            return new, jnp.where(on, new[0], 0.0)

        state, y = lax.scan(body, state, (jnp.arange(T), x))
        return jnp.take_along_axis(y, at[..., None], axis=0), state

    cases = [
        # name, cell, operator, attributes, direction, lengths, dtype
        ("lstm", "lstm", "LSTM", {}, "forward", False, "float64"),
        ("lstm_peephole", "lstm_peephole", "LSTM", {}, "forward", False, "float64"),
        ("lstm_peephole_f32", "lstm_peephole", "LSTM", {}, "reverse", False, "float32"),
        ("lstm_peephole_bidirectional", "lstm_peephole", "LSTM", {}, "bidirectional", False, "float64"),
        ("lstm_peephole_lengths", "lstm_peephole", "LSTM", {}, "bidirectional", True, "float64"),
        ("gru", "gru", "GRU", {"linear_before_reset": 1}, "forward", False, "float64"),
        ("gru_bidirectional", "gru", "GRU", {"linear_before_reset": 1}, "bidirectional", False, "float64"),
        ("gru_cho", "gru_cho", "GRU", {}, "forward", False, "float64"),
        ("gru_cho_reverse", "gru_cho", "GRU", {}, "reverse", False, "float64"),
        ("gru_cho_lengths", "gru_cho", "GRU", {}, "bidirectional", True, "float64"),
        ("rnn", "rnn", "RNN", {}, "bidirectional", False, "float64"),
        ("rnn_relu", "rnn_relu", "RNN", {}, "reverse", False, "float64"),
    ]
    for name, cell, operator, attributes, way, lengths, dtype in cases:
        name = f"onnx_{name}"
        directions = 2 if way == "bidirectional" else 1
        gates = {"LSTM": 4, "GRU": 3, "RNN": 1}[operator]
        shapes = {"W": (directions, gates * H, I), "R": (directions, gates * H, H),
                  "B": (directions, 2 * gates * H)}
        if cell == "lstm_peephole":
            shapes["P"] = (directions, 3 * H)
        weights = draw(f"{name} weights", shapes, dtype)
        given = fed(name, dtype, cell, directions, directions * H)

        def run(weights, x, h0, c0):
            p = weights.get("P", jnp.zeros((directions, 3 * H), dtype))
            ys, states = [], []
            for d in range(directions):
                of = [weights[key][d] for key in "WRB"]
                state = (h0[d],) if c0 is None else (h0[d], c0[d])
                reverse = way == "reverse" or d == 1
                limits = jnp.asarray(LENGTHS if lengths else [T] * B)
                y, state = direction(cell, limits, reverse, *of, p[d], x, state)
                ys.append(y)
                states.append(state)
            results = {"y": jnp.concatenate(ys, axis=-1)}
            for key, parts in zip("hc", zip(*states)):
                results[key] = jnp.stack(parts)
            return results

        to_jax = lambda value: jax.tree.map(jnp.asarray, value)
        arguments = to_jax((weights, given["x"], given["h0"], given.get("c0")))
        results, vjp = jax.vjp(run, *arguments)
        gradients = vjp({key: jnp.asarray(given[f"cotangent.{key}"]) for key in results})
        results = {key: np.asarray(result) for key, result in results.items()}
        made_by = f"JAX {jax.__version__}"
        # Nor does it know Relu.
        if not lengths and cell != "rnn_relu":
            inputs = ["X", "W", "R", "B", "", "initial_h"]
            if operator == "LSTM":
                inputs += ["initial_c", "P" if "P" in weights else ""]
            outputs = ["Y", "Y_h", "Y_c"][: 3 if operator == "LSTM" else 2]
            node = o.helper.make_node(operator, inputs, outputs, hidden_size=H, direction=way, **attributes)
            feed = {"X": given["x"], "initial_h": given["h0"], **weights}
            if operator == "LSTM":
                feed["initial_c"] = given["c0"]
            found = dict(zip(outputs, ReferenceEvaluator(node).run(None, feed)))
            # [T, D, B, H] as [T, B, D H].
            y = found["Y"].transpose(0, 2, 1, 3).reshape(T, B, directions * H)
            found = {"y": y, "h": found["Y_h"], "c": found.get("Y_c")}
            for key, result in results.items():
                np.testing.assert_allclose(result, found[key], rtol=0, atol=1e-12 if dtype == "float64" else 1e-6)
                results[key] = found[key]
            made_by = f"ONNX {o.__version__}'s reference evaluator; gradients: {made_by}"
        tensors = {**given, **results}
        for key, gradient in zip(["x", "h0", "c0"], gradients[1:]):
            if gradient is not None:
                tensors[f"grad.{key}"] = np.asarray(gradient)
        for key in weights:
            tensors[f"weight.{key}"] = weights[key]
            tensors[f"grad.weight.{key}"] = np.asarray(gradients[0][key])
        if lengths:
            tensors["lengths"] = LENGTHS
        assert all(value.dtype in (dtype, "int64") for value in tensors.values()), name
        keep(folder, name, tensors, system="onnx", cell=cell, layers=1, directions=directions,
             reverse=str(way == "reverse").lower(), prefixes="", made_by=made_by)


def main():
    systems = {"pytorch": pytorch, "keras": keras, "onnx": onnx}
    words = sys.argv[1:]
    folder = FOLDER
    if words and words[-1] not in systems:
        folder = Path(words.pop())
        folder.mkdir(parents=True, exist_ok=True)
    for name in words or systems:
        systems[name](folder)


if __name__ == "__main__":
    main()
