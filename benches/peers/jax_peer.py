"""JAX: cells by hand under `lax.scan` and `jit`."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from common import ALL, pack

LEARNING_RATE = 1e-6


class Peer:
    """How many threads there are is said by the flags of the environment, when JAX starts."""

    def __init__(self, _way, _threads):
        pass

    def cells(self):
        return ALL

    def prepare(self, cell, shape, params):
        packed = pack(cell, {k: jnp.asarray(v) for k, v in params.items()}, jnp.concatenate)
        size = (shape["T"], shape["B"], shape["I"])
        x = jax.random.uniform(jax.random.key(0), size, minval=-1.0)
        function = BY_HAND[cell]
        forward = jax.jit(lambda packed, x: function(x, *packed))

        def loss(packed, x):
            y = function(x, *packed)
            return (y * y).mean()

        @partial(jax.jit, donate_argnums=0)
        def step(packed, x):
            value, (gradients, of_x) = jax.value_and_grad(loss, argnums=(0, 1))(packed, x)
            updated = [p - LEARNING_RATE * g for p, g in zip(packed, gradients)]
            return updated, of_x, value

        current = [array.copy() for array in packed]

        def train():
            nonlocal current
            current, _, _ = jax.block_until_ready(step(current, x))

        return {"forward": lambda: jax.block_until_ready(forward(packed, x)), "train": train}

    def prepare_step(self, cell, shape, _params):
        return None

    def reference(self, cell, shape, params, x, cotangent):
        """The outputs, and the gradients of `sum(y * cotangent)` by name, for the check."""

        def apply(params, x):
            return BY_HAND[cell](x, *pack(cell, params, jnp.concatenate))

        def loss(params, x):
            return (apply(params, x) * cotangent).sum()

        params = {k: jnp.asarray(v) for k, v in params.items()}
        gradients, of_x = jax.grad(loss, argnums=(0, 1))(params, x)
        gradients = {k: np.asarray(v) for k, v in gradients.items()}
        return np.asarray(apply(params, x)), gradients | {"x": np.asarray(of_x)}


# Cells by hand, over x [T, B, I]: the products with the input are taken out of the loop.


def zeros(x, hidden):
    return jnp.zeros((x.shape[1], hidden), x.dtype)


def lstm(x, w, u, b):
    def step(carry, xw):
        h, c = carry
        i, f, g, o = jnp.split(xw + h @ u.T, 4, axis=1)
        c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
        h = jax.nn.sigmoid(o) * jnp.tanh(c)
        return (h, c), h

    start = zeros(x, u.shape[1])
    return jax.lax.scan(step, (start, start), x @ w.T + b)[1]


def gru(x, w, u, b, c_n):
    def step(h, xw):
        x_r, x_z, x_n = jnp.split(xw, 3, axis=1)
        h_r, h_z, h_n = jnp.split(h @ u.T, 3, axis=1)
        r = jax.nn.sigmoid(x_r + h_r)
        z = jax.nn.sigmoid(x_z + h_z)
        n = jnp.tanh(x_n + r * (h_n + c_n))
        h = n + z * (h - n)
        return h, h

    return jax.lax.scan(step, zeros(x, u.shape[1]), x @ w.T + b)[1]


def rnn(x, w, u, b):
    def step(h, xw):
        h = jnp.tanh(xw + h @ u.T)
        return h, h

    return jax.lax.scan(step, zeros(x, u.shape[1]), x @ w.T + b)[1]


def peephole_lstm(x, w, u, b, p_i, p_f, p_o):
    def step(carry, xw):
        h, c = carry
        i, f, g, o = jnp.split(xw + h @ u.T, 4, axis=1)
        i = jax.nn.sigmoid(i + p_i * c)
        f = jax.nn.sigmoid(f + p_f * c)
        c = f * c + i * jnp.tanh(g)
        h = jax.nn.sigmoid(o + p_o * c) * jnp.tanh(c)
        return (h, c), h

    start = zeros(x, u.shape[1])
    return jax.lax.scan(step, (start, start), x @ w.T + b)[1]


def normal(a):
    centred = a - a.mean(-1, keepdims=True)
    return centred * jax.lax.rsqrt((centred * centred).mean(-1, keepdims=True) + 1e-5)


def layernorm_lstm(x, w, u, b, scale_x, scale_h, scale_c, shift_c):
    def step(carry, xw):
        h, c = carry
        i, f, g, o = jnp.split(xw + scale_h * normal(h @ u.T), 4, axis=1)
        c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
        h = jax.nn.sigmoid(o) * jnp.tanh(scale_c * normal(c) + shift_c)
        return (h, c), h

    start = zeros(x, u.shape[1])
    return jax.lax.scan(step, (start, start), scale_x * normal(x @ w.T) + b)[1]


def mgu(x, w, u_f, u_n, b):
    def step(h, xw):
        x_f, x_n = jnp.split(xw, 2, axis=1)
        f = jax.nn.sigmoid(x_f + h @ u_f.T)
        n = jnp.tanh(x_n + (f * h) @ u_n.T)
        h = h + f * (n - h)
        return h, h

    return jax.lax.scan(step, zeros(x, u_f.shape[1]), x @ w.T + b)[1]


def mingru(x, w, b):
    def step(h, zn):
        z, n = zn
        h = h + z * (n - h)
        return h, h

    z, n = jnp.split(x @ w.T + b, 2, axis=2)
    return jax.lax.scan(step, zeros(x, n.shape[2]), (jax.nn.sigmoid(z), n))[1]


BY_HAND = dict(
    lstm=lstm,
    gru=gru,
    rnn=rnn,
    peephole_lstm=peephole_lstm,
    layernorm_lstm=layernorm_lstm,
    mgu=mgu,
    mingru=mingru,
)
