"""One system in a process of its own: `worker.py PEER THREADS`.

Reads requests from standard input, one JSON object a line, and answers each with one. It keeps what it
compiled until the next `prepare`, so that it can be measured in turns with other systems.
"""

import gc
import importlib
import json
import os
import statistics
import sys
import time

# A sample that is shorter, in seconds, is made of several calls, as in `cellc bench`.
SHORT = 1e-3
PEERS = {
    "torch": ("torch_peer", "layer"),
    "torch-eager": ("torch_peer", "eager"),
    "torch-script": ("torch_peer", "script"),
    "torch-compile": ("torch_peer", "compile"),
    "jax": ("jax_peer", None),
    "onnxruntime": ("onnx_peer", None),
}


def median_seconds(work, samples, seconds):
    """The median time of a call, measured as `cellc bench` does."""

    def sample(calls):
        start = time.perf_counter()
        for _ in range(calls):
            work()
        return time.perf_counter() - start

    sample(1)
    calls = 1
    while sample(calls) < SHORT:
        calls *= 2
    times = []
    start = time.perf_counter()
    while len(times) < samples or time.perf_counter() - start < seconds:
        times.append(sample(calls) / calls)
    return statistics.median(times)


def drawn(shapes, hidden):
    """Params of either sign, by the cell's names."""
    import numpy as np

    rng = np.random.default_rng(1)
    bound = hidden**-0.5
    return {k: rng.uniform(-bound, bound, v).astype(np.float32) for k, v in shapes.items()}


def worst_error(peer, request):
    """The largest error against what `cellc run` wrote, relative to the largest number of a tensor."""
    import numpy as np
    from safetensors.numpy import load_file

    given, found = load_file(request["given"]), load_file(request["found"])
    params = {name: given[name] for name in request["params"]}
    cotangent = given["cotangent.out.h"]
    shape = request["shape"]
    y, gradients = peer.reference(request["cell"], shape, params, given["x"], cotangent)
    expected = {"out.h": y} | {f"grad.{name}": v for name, v in gradients.items()}
    errors = {
        name: float(np.abs(array - found[name]).max() / np.abs(array).max())
        for name, array in expected.items()
    }
    return max(errors.values()), len(errors)


def main():
    name, threads = sys.argv[1], int(sys.argv[2])
    # Libraries may print; answers go where standard output was.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    module, way = PEERS[name]
    peer = importlib.import_module(module).Peer(way, threads)
    ready = {}
    for line in sys.stdin:
        request = json.loads(line)
        match request["do"]:
            case "cells":
                answer = peer.cells()
            case "prepare":
                ready.clear()
                gc.collect()
                shape = request["shape"]
                params = drawn(request["params"], shape["H"])
                start = time.perf_counter()
                if request["step"]:
                    one = peer.prepare_step(request["cell"], shape, params)
                    ready |= {"step": one} if one else {}
                else:
                    ready |= peer.prepare(request["cell"], shape, params)
                # The first call compiles.
                for work in ready.values():
                    work()
                answer = time.perf_counter() - start
            case "measure":
                answer = {
                    what: median_seconds(work, request["samples"], request["seconds"])
                    for what, work in ready.items()
                }
            case "check":
                answer = worst_error(peer, request)
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


main()
