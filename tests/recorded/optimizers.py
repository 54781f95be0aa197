"""Records what PyTorch's optimisers and schedules compute, as `tests/tests/optimizers.rs` reads it.

    optimizers.py [FILE]       # pytorch_optimizers.json beside this script, if left out

Each optimiser takes five steps on three parameters, a wide and a tall matrix and a vector, along
gradients that are drawn beforehand, in f64, with weight decay. Muon is told that bfloat16 is float64, and
takes the matrices only. Lion is not in PyTorch: it is written here from algorithm 2 of the paper.
"""

import json
import sys
from pathlib import Path
from unittest import mock

import numpy as np
import torch

SHAPES = [(3, 5), (4, 2), (6,)]
STEPS, RATE, DECAY = 5, 0.05, 0.1


class Lion(torch.optim.Optimizer):
    """Chen et al. 2023, algorithm 2."""

    def __init__(self, params, lr, weight_decay, betas=(0.9, 0.99)):
        super().__init__(params, {"lr": lr, "decay": weight_decay, "betas": betas})

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            b1, b2 = group["betas"]
            for p in group["params"]:
                m = self.state[p].setdefault("m", torch.zeros_like(p))
                c = b1 * m + (1 - b1) * p.grad
                p -= group["lr"] * (torch.sign(c) + group["decay"] * p)
                self.state[p]["m"] = b2 * m + (1 - b2) * p.grad


OPTIMIZERS = {
    "sgd": (torch.optim.SGD, {}),
    "momentum": (torch.optim.SGD, {"momentum": 0.9}),
    "nesterov": (torch.optim.SGD, {"momentum": 0.9, "nesterov": True}),
    "rmsprop": (torch.optim.RMSprop, {}),
    "rmsprop_momentum": (torch.optim.RMSprop, {"momentum": 0.9}),
    "adagrad": (torch.optim.Adagrad, {}),
    "adam": (torch.optim.Adam, {}),
    "adamw": (torch.optim.AdamW, {}),
    "lion": (Lion, {}),
    "muon": (torch.optim.Muon, {"adjust_lr_fn": "match_rms_adamw"}),
}


def path(make, options, begin, gradients):
    """All parameters after each step, one after the other."""
    params = [torch.nn.Parameter(torch.tensor(p)) for p in begin]
    matrices = [p for p in params if p.dim() == 2]
    muon = make is torch.optim.Muon
    optimizers = [make(matrices if muon else params, lr=RATE, weight_decay=DECAY, **options)]
    if muon:
        optimizers.append(torch.optim.AdamW(params[2:], lr=RATE, weight_decay=DECAY))
    rows = []
    for step in gradients:
        for p, g in zip(params, step):
            p.grad = torch.tensor(g)
        with mock.patch("torch.bfloat16", torch.float64):
            for optimizer in optimizers:
                optimizer.step()
        rows.append([x for p in params for x in p.detach().flatten().tolist()])
    return rows


def one_cycle(total):
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=1.0, momentum=0.9)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=1.0, total_steps=total)
    factors = []
    for _ in range(total):
        factors.append(schedule.get_last_lr()[0])
        optimizer.step()
        schedule.step() if len(factors) < total else None
    return factors


def plateau(losses, **options):
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=1.0)
    schedule = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, **options)
    factors = []
    for loss in losses:
        schedule.step(loss)
        factors.append(optimizer.param_groups[0]["lr"])
    return factors


def main():
    folder = Path(__file__).parent
    out = Path(sys.argv[1]) if len(sys.argv) > 1 else folder / "pytorch_optimizers.json"
    rng = np.random.default_rng(1)
    begin = [rng.standard_normal(shape) for shape in SHAPES]
    gradients = [[rng.standard_normal(shape) for shape in SHAPES] for _ in range(STEPS)]
    gradients[1][2][:2] = 0.0
    flat = lambda arrays: [x for array in arrays for x in array.flatten().tolist()]
    losses = [1.0, 0.9, 0.95, 0.94, 0.89999, 0.93, 0.8, 0.81, 0.82, 0.83, 0.84, 0.85, 0.86, 0.87, 0.88]
    options = {"factor": 0.5, "patience": 1, "threshold": 1e-3, "cooldown": 2, "min_lr": 0.1}
    record = {
        "made_by": f"PyTorch {torch.__version__.split('+')[0]}",
        "learning_rate": RATE,
        "weight_decay": DECAY,
        "shapes": SHAPES,
        "begin": flat(begin),
        "gradients": [flat(step) for step in gradients],
        "paths": {
            name: path(make, options, begin, gradients)
            for name, (make, options) in OPTIMIZERS.items()
        },
        "one_cycle": {str(total): one_cycle(total) for total in [10, 37]},
        "plateau": {"losses": losses, "factors": plateau(losses, **options)},
    }
    lines = json.dumps(record, indent=1).replace("\n   ", " ").replace("\n  ]", " ]")
    out.write_text(lines + "\n")


main()
