"""PyTorch: its own layers, and cells by hand, eager, scripted or compiled."""

import warnings

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from common import CATALOGUE, OWN, pack

LEARNING_RATE = 1e-6


# Cells by hand, over x [T, B, I]: the products with the input are taken out of the loop, and steps are
# taken by `unbind`, whose backward is one `stack` (indexing `xw[t]` is quadratic in T).


def lstm(x: Tensor, w: Tensor, u: Tensor, b: Tensor) -> Tensor:
    h = x.new_zeros([x.size(1), u.size(1)])
    c = h
    ys: list[Tensor] = []
    ut = u.t()
    for xw in F.linear(x, w, b).unbind(0):
        i, f, g, o = torch.addmm(xw, h, ut).chunk(4, 1)
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        h = o.sigmoid() * c.tanh()
        ys.append(h)
    return torch.stack(ys)


def gru(x: Tensor, w: Tensor, u: Tensor, b: Tensor, c_n: Tensor) -> Tensor:
    hidden = u.size(1)
    h = x.new_zeros([x.size(1), hidden])
    ys: list[Tensor] = []
    ut = u.t()
    for xw in F.linear(x, w, b).unbind(0):
        x_r, x_z, x_n = xw.chunk(3, 1)
        h_r, h_z, h_n = torch.mm(h, ut).chunk(3, 1)
        r = (x_r + h_r).sigmoid()
        z = (x_z + h_z).sigmoid()
        n = (x_n + r * (h_n + c_n)).tanh()
        h = n + z * (h - n)
        ys.append(h)
    return torch.stack(ys)


def rnn(x: Tensor, w: Tensor, u: Tensor, b: Tensor) -> Tensor:
    h = x.new_zeros([x.size(1), u.size(1)])
    ys: list[Tensor] = []
    ut = u.t()
    for xw in F.linear(x, w, b).unbind(0):
        h = torch.addmm(xw, h, ut).tanh()
        ys.append(h)
    return torch.stack(ys)


def peephole_lstm(
    x: Tensor, w: Tensor, u: Tensor, b: Tensor, p_i: Tensor, p_f: Tensor, p_o: Tensor
) -> Tensor:
    h = x.new_zeros([x.size(1), u.size(1)])
    c = h
    ys: list[Tensor] = []
    ut = u.t()
    for xw in F.linear(x, w, b).unbind(0):
        i, f, g, o = torch.addmm(xw, h, ut).chunk(4, 1)
        i = (i + p_i * c).sigmoid()
        f = (f + p_f * c).sigmoid()
        c = f * c + i * g.tanh()
        h = (o + p_o * c).sigmoid() * c.tanh()
        ys.append(h)
    return torch.stack(ys)


def layernorm_lstm(
    x: Tensor,
    w: Tensor,
    u: Tensor,
    b: Tensor,
    scale_x: Tensor,
    scale_h: Tensor,
    scale_c: Tensor,
    shift_c: Tensor,
) -> Tensor:
    hidden = u.size(1)
    h = x.new_zeros([x.size(1), hidden])
    c = h
    ys: list[Tensor] = []
    ut = u.t()
    normal = F.layer_norm(F.linear(x, w), [4 * hidden], scale_x, b, 1e-5)
    for xw in normal.unbind(0):
        uh = F.layer_norm(torch.mm(h, ut), [4 * hidden], scale_h, None, 1e-5)
        i, f, g, o = (xw + uh).chunk(4, 1)
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        h = o.sigmoid() * F.layer_norm(c, [hidden], scale_c, shift_c, 1e-5).tanh()
        ys.append(h)
    return torch.stack(ys)


def mgu(x: Tensor, w: Tensor, u_f: Tensor, u_n: Tensor, b: Tensor) -> Tensor:
    h = x.new_zeros([x.size(1), u_f.size(1)])
    ys: list[Tensor] = []
    ut_f = u_f.t()
    ut_n = u_n.t()
    for xw in F.linear(x, w, b).unbind(0):
        x_f, x_n = xw.chunk(2, 1)
        f = torch.addmm(x_f, h, ut_f).sigmoid()
        n = torch.addmm(x_n, f * h, ut_n).tanh()
        h = h + f * (n - h)
        ys.append(h)
    return torch.stack(ys)


def mingru(x: Tensor, w: Tensor, b: Tensor) -> Tensor:
    z, n = F.linear(x, w, b).chunk(2, 2)
    z = z.sigmoid()
    h = x.new_zeros([x.size(1), n.size(2)])
    ys: list[Tensor] = []
    for z_t, n_t in zip(z.unbind(0), n.unbind(0)):
        h = h + z_t * (n_t - h)
        ys.append(h)
    return torch.stack(ys)


BY_HAND = dict(
    lstm=lstm,
    gru=gru,
    rnn=rnn,
    peephole_lstm=peephole_lstm,
    layernorm_lstm=layernorm_lstm,
    mgu=mgu,
    mingru=mingru,
)
LAYERS = dict(lstm=torch.nn.LSTM, gru=torch.nn.GRU, rnn=torch.nn.RNN)
STEPS = dict(lstm=torch.nn.LSTMCell, gru=torch.nn.GRUCell, rnn=torch.nn.RNNCell)


def layer_params(cell, packed):
    """Packed params under the names of PyTorch's layers, which have two biases."""
    w, u, b, *rest = packed
    second = torch.zeros_like(b)
    if rest:
        second = torch.cat([torch.zeros_like(b[rest[0].shape[0] :]), rest[0]])
    names = ["weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"]
    return dict(zip(names, [w, u, b, second]))


class Peer:
    """One way of writing a cell in PyTorch."""

    def __init__(self, way, threads):
        self.way = way
        torch.set_num_threads(threads)
        torch.set_num_interop_threads(1)

    def cells(self):
        return CATALOGUE if self.way == "layer" else CATALOGUE + OWN

    def function(self, cell, shape):
        """`f(x, *packed) -> y`, and the module whose params it is to use, if it has its own."""
        if self.way == "layer":
            module = LAYERS[cell](shape["I"], shape["H"])

            def layer(x, *packed):
                return torch.func.functional_call(module, layer_params(cell, packed), (x,))[0]

            return layer, module
        function = BY_HAND[cell]
        if self.way == "script":
            warnings.filterwarnings("ignore", "`torch.jit.script` is deprecated", FutureWarning)
            function = torch.jit.script(function)
        if self.way == "compile":
            function = torch.compile(function)
        return function, None

    def prepare(self, cell, shape, params):
        function, module = self.function(cell, shape)
        packed = pack(cell, {k: torch.tensor(v) for k, v in params.items()}, torch.cat)
        generator = torch.Generator().manual_seed(0)
        size = (shape["T"], shape["B"], shape["I"])
        x = (2 * torch.rand(size, generator=generator) - 1).requires_grad_()
        if module is None:
            learnt = [torch.nn.Parameter(array.contiguous()) for array in packed]

            def apply():
                return function(x, *learnt)

        else:
            module.load_state_dict(layer_params(cell, packed))
            learnt = list(module.parameters())

            def apply():
                return module(x)[0]

        optimizer = torch.optim.SGD(learnt, lr=LEARNING_RATE)

        def forward():
            with torch.no_grad():
                return apply()

        def train():
            optimizer.zero_grad(set_to_none=True)
            x.grad = None
            y = apply()
            loss = (y * y).mean()
            loss.backward()
            optimizer.step()
            return loss

        return {"forward": forward, "train": train}

    def prepare_step(self, cell, shape, _params):
        if self.way != "layer":
            return None
        step = STEPS[cell](shape["I"], shape["H"])
        x = torch.rand(1, shape["I"])
        state = torch.zeros(1, shape["H"])
        state = (state, state) if cell == "lstm" else state

        def one():
            nonlocal state
            with torch.inference_mode():
                state = step(x, state)

        return one

    def reference(self, cell, shape, params, x, cotangent):
        """The outputs, and the gradients of `sum(y * cotangent)` by name, for the check."""
        function, _ = self.function(cell, shape)
        leaves = {k: torch.tensor(v, requires_grad=True) for k, v in params.items()}
        x = torch.tensor(x, requires_grad=True)
        y = function(x, *pack(cell, leaves, torch.cat))
        (y * torch.tensor(cotangent)).sum().backward()
        gradients = {k: v.grad.numpy() for k, v in leaves.items()}
        gradients["x"] = x.grad.numpy()
        return np.asarray(y.detach()), gradients
