"""What all systems share: where a cell's text is, and its params as the systems want them."""

from pathlib import Path

HERE = Path(__file__).parent
CATALOGUE = ["lstm", "gru", "rnn"]
OWN = ["peephole_lstm", "layernorm_lstm", "mgu", "mingru"]
ALL = CATALOGUE + OWN


def source(cell):
    """What `cellc` is to be given: a name of its catalogue, or a file."""
    return cell if cell in CATALOGUE else str(HERE / "cells" / f"{cell}.cell")


def pack(cell, p, cat):
    """A cell's params, by the names of its text, as few large arrays: one of all that is multiplied
    with the input, one of all that is multiplied with the state, as people write it by hand.

    `cat` joins arrays along the first axis. Gates are in PyTorch's order: i, f, g, o and r, z, n.
    """

    def join(prefix, names):
        return cat([p[f"{prefix}_{name}"] for name in names])

    if cell == "lstm":
        # Of `concat(h, x)`.
        hidden = p["W_i"].shape[0]
        both = join("W", "ifgo")
        return [both[:, hidden:], both[:, :hidden], join("b", "ifgo")]
    if cell == "gru":
        return [join("W", "rzn"), join("U", "rzn"), join("b", "rzn"), p["c_n"]]
    if cell == "rnn":
        hidden = p["W"].shape[0]
        return [p["W"][:, hidden:], p["W"][:, :hidden], p["b"]]
    if cell == "peephole_lstm":
        peepholes = [p["p_i"], p["p_f"], p["p_o"]]
        return [join("W", "ifgo"), join("U", "ifgo"), join("b", "ifgo"), *peepholes]
    if cell == "layernorm_lstm":
        names = ["W", "U", "b", "scale_x", "scale_h", "scale_c", "shift_c"]
        return [p[name] for name in names]
    if cell == "mgu":
        return [join("W", "fn"), p["U_f"], p["U_n"], join("b", "fn")]
    if cell == "mingru":
        return [join("W", "zn"), join("b", "zn")]
    raise ValueError(f"no such cell: {cell}")
