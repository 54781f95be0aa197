"""Runs ONNX's own node tests of LSTM, GRU and RNN through `cellc convert` and `cellc run`.

    onnx_nodes.py CELLC        # the path of the command

Prints a line for each test; exits with 1 if one differs.
"""

import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file

OPERATORS = ["LSTM", "GRU", "RNN"]
DEFAULTS = {"LSTM": ["sigmoid", "tanh", "tanh"], "GRU": ["sigmoid", "tanh"], "RNN": ["tanh"]}


def attributes(node):
    import onnx

    return {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}


def cell_of(node, options):
    """The cell of the catalogue that computes the same, or why there is none."""
    operator = node.op_type
    if options.get("clip"):
        return None, "clip"
    if options.get("input_forget"):
        return None, "input_forget=1"
    default = DEFAULTS[operator]
    activations = [a.decode().lower() for a in options.get("activations", [])] or default
    halves = [activations[i : i + len(default)] for i in range(0, len(activations), len(default))]
    if operator == "RNN" and all(half == ["relu"] for half in halves):
        return "rnn_relu", None
    if any(half != default for half in halves):
        return None, f"activations {activations}"
    if operator == "GRU":
        return ("gru" if options.get("linear_before_reset") else "gru_cho"), None
    if operator == "LSTM":
        return ("lstm_peephole" if "P" in node.input else "lstm"), None
    return "rnn", None


def run(cellc, folder, cell, inputs, options):
    """The node's outputs: each direction is converted and run on its own."""
    save_file({k: np.ascontiguousarray(v) for k, v in inputs.items()}, folder / "node")
    way = options.get("direction", b"forward").decode()
    layout = options.get("layout", 0)
    results = []
    for reverse in {"forward": [False], "reverse": [True], "bidirectional": [False, True]}[way]:
        flags = ["--reverse"] if reverse else []
        batch = ["--batch-first"] if layout else []
        call(cellc, "convert", folder / "node", "--from", "onnx", "--cell", cell, *flags, *batch,
             "--out", folder / "in")
        dims = f"I={inputs['W'].shape[2]},H={inputs['R'].shape[2]}"
        call(cellc, "run", cell, "--dims", dims, "--arrays", folder / "in", *flags,
             "--out", folder / "out")
        results.append(load_file(folder / "out"))
    # [T, D, B, H] and [D, B, H]; with layout 1 [B, T, D, H] and [B, D, H].
    outputs = {"Y": np.stack([r["out.h"] for r in results], axis=1)}
    for name, state in [("Y_h", "final.h"), ("Y_c", "final.c")]:
        if state in results[0]:
            outputs[name] = np.stack([r[state] for r in results])
    if layout:
        outputs["Y"] = outputs["Y"].transpose(2, 0, 1, 3)
        outputs = {k: v if k == "Y" else v.transpose(1, 0, 2) for k, v in outputs.items()}
    return outputs


def call(*words):
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(done.stderr)


def main():
    warnings.simplefilter("ignore")
    from onnx.backend.test.case.node import collect_testcases

    cellc = Path(sys.argv[1]).resolve()
    cases = [c for c in collect_testcases() if c.model.graph.node[0].op_type in OPERATORS]
    counts = {"pass": 0, "FAIL": 0, "none": 0}
    for case in cases:
        node = case.model.graph.node[0]
        options = attributes(node)
        cell, why = cell_of(node, options)
        if cell is None:
            counts["none"] += 1
            print(f"none  {case.name}: no cell with {why}")
            continue
        verdict, note = "pass", cell
        for given, expected in case.data_sets:
            inputs = dict(zip([name for name in node.input if name], given))
            try:
                with tempfile.TemporaryDirectory() as folder:
                    found = run(cellc, Path(folder), cell, inputs, options)
                for name, want in zip([name for name in node.output if name], expected):
                    np.testing.assert_allclose(found[name], want, rtol=case.rtol, atol=case.atol)
            except (AssertionError, RuntimeError) as error:
                verdict, note = "FAIL", str(error)
        counts[verdict] += 1
        print(f"{verdict}  {case.name}: {note}")
    print(", ".join(f"{count} {name}" for name, count in counts.items()))
    sys.exit(counts["FAIL"] > 0 or not cases)


if __name__ == "__main__":
    main()
