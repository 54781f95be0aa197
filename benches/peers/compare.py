"""cellc against other systems, side by side in one run.

Each system has a process of its own, which keeps the compiled cell. They are measured in turns, round
by round, so that what the machine does meanwhile hits all alike. A ratio is the median, over the
rounds, of the system's time by cellc's time of the same round: above 1, cellc is faster.
"""

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from common import ALL, CATALOGUE, HERE, source

# B, T, I, H
SHAPES = {
    "tiny": (32, 100, 8, 32),
    "small-ptb": (20, 20, 200, 200),
    "sentiment": (32, 128, 64, 128),
    "char": (32, 64, 256, 256),
    "medium-ptb": (20, 35, 650, 650),
    "large": (64, 64, 512, 512),
}
# I, H
STEPS = [(1, 40), (64, 128), (512, 512)]
PEERS = ["torch", "torch-eager", "torch-script", "torch-compile", "jax", "onnxruntime"]
# Compiling a cell takes it minutes.
SLOW = ["torch-compile"]
# In f32, sums in another order differ by so much.
TOLERANCE = 2e-4


class Worker:
    """A system in its process, on as many cores as threads."""

    def __init__(self, name, threads):
        self.name = name
        self.process = subprocess.Popen(
            [sys.executable, str(HERE / "worker.py"), name, str(threads)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            preexec_fn=lambda: pin(threads),
            env=environment(threads),
        )
        self.cells = self.ask(do="cells")

    def ask(self, **request):
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            raise SystemExit(f"{self.name} ended early; see its message above")
        return json.loads(answer)

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def environment(threads):
    """What libraries read when they start, about threads."""
    env = os.environ | {"OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads)}
    env["JAX_PLATFORMS"] = "cpu"
    if threads == 1:
        # For more threads, the cores that the process may use decide.
        env["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
    return env


def pin(threads):
    """Binds this process to as many cores as threads."""
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])


def cellc(options, threads, words):
    """The JSON that `cellc` prints."""
    command = [options.cellc, *map(str, words)]
    result = subprocess.run(
        command, stdout=subprocess.PIPE, check=True, preexec_fn=lambda: pin(threads)
    )
    return json.loads(result.stdout)


def dims(shape):
    return f"I={shape['I']},H={shape['H']}"


def params(options, cell, shape):
    """The shapes of a cell's params, by name."""
    words = ["check", source(cell), "--dims", dims(shape), "--json"]
    report = cellc(options, 1, words)["cell"]
    return {param["name"]: param["shape"] for param in report["params"]}


def bench(options, cell, shape, threads, step=False):
    """The seconds that cellc takes, by what it does, and its whole report."""
    words = ["bench", "--cell", source(cell), "--json", "--threads", threads]
    words += ["--input", shape["I"], "--hidden", shape["H"]]
    words += ["--batch", shape["B"], "--seq", shape["T"], "--seconds", options.seconds]
    report = cellc(options, threads, words + ["--step"] * step)
    if step:
        return {"step": report["step_us"] * 1e-6}, report
    return {what: report[f"{what}_ms"] * 1e-3 for what in ("forward", "train")}, report


def measure(options, workers, cell, shape, threads, step=False):
    """For each system the times of all rounds, by what was done; and cellc's reports."""
    shapes = params(options, cell, shape)
    able = [worker for worker in workers if cell in worker.cells]
    for worker in able:
        worker.ask(do="prepare", cell=cell, shape=shape, params=shapes, step=step)
    times = {name: {} for name in ["cellc"] + [worker.name for worker in able]}
    reports = []
    for _ in range(options.rounds):
        found, report = bench(options, cell, shape, threads, step)
        reports.append(report)
        answers = {"cellc": found}
        for worker in able:
            answers[worker.name] = worker.ask(
                do="measure", samples=options.samples, seconds=options.seconds
            )
        for name, answer in answers.items():
            for what, seconds in answer.items():
                times[name].setdefault(what, []).append(seconds)
    return times, reports


def table(heads, rows):
    """A table in Markdown: the first column to the left, the others to the right."""
    rows = [heads] + rows
    widths = [max(len(row[i]) for row in rows) for i in range(len(heads))]

    def line(row):
        cells = [row[0].ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(row[1:], widths[1:])]
        return "| " + " | ".join(cells) + " |"

    marks = ["-" * widths[0]] + ["-" * (width - 1) + ":" for width in widths[1:]]
    return "\n".join(
        [line(rows[0]), "|" + "|".join(f" {m} " for m in marks) + "|"]
        + [line(row) for row in rows[1:]]
    )


def written(seconds, unit):
    number = seconds * {"ms": 1e3, "us": 1e6}[unit]
    return f"{number:.{max(0, 2 - int(math.log10(max(number, 1))))}f}"


def report(what, unit, results, peers, share=None):
    """The table of one kind of work: times, ratios, and the geometric means of those."""
    peers = [
        peer
        for peer in peers
        if any(peer in times and what in times[peer] for _, times, _ in results)
    ]
    heads = ["", f"cellc {unit}"] + (["of the peak"] if share else []) + peers
    rows, ratios = [], {peer: [] for peer in peers}
    for label, times, reports in results:
        own = times["cellc"][what]
        row = [label, written(statistics.median(own), unit)]
        if share:
            shares = [r[share] / r["peak_gflops"] for r in reports]
            row.append(f"{100 * statistics.median(shares):.0f} %")
        for peer in peers:
            theirs = times.get(peer, {}).get(what)
            if theirs is None:
                row.append("")
                continue
            ratio = statistics.median(their / our for their, our in zip(theirs, own))
            ratios[peer].append(ratio)
            row.append(f"{written(statistics.median(theirs), unit)} ({ratio:.2f})")
        rows.append(row)
    means = [f"{statistics.geometric_mean(ratios[peer]):.2f}" for peer in peers]
    rows.append(["geometric mean of the ratios", ""] + ([""] if share else []) + means)
    return table(heads, rows)


def check(options, workers):
    """Whether all systems compute the function of the cell's text, and its gradients."""
    import numpy as np
    from safetensors.numpy import save_file

    shape = {"T": 5, "B": 3, "I": 6, "H": 8}
    rng = np.random.default_rng(0)

    def normal(size):
        return rng.normal(size=size).astype(np.float32)

    good = True
    with tempfile.TemporaryDirectory() as folder:
        given, found = Path(folder, "in.safetensors"), Path(folder, "out.safetensors")
        for cell in options.cells:
            shapes = params(options, cell, shape)
            arrays = {name: 0.5 * normal(size) for name, size in shapes.items()}
            arrays["x"] = normal((shape["T"], shape["B"], shape["I"]))
            arrays["cotangent.out.h"] = normal((shape["T"], shape["B"], shape["H"]))
            save_file(arrays, given)
            words = ["run", source(cell), "--dims", dims(shape), "--arrays", given, "--out", found]
            subprocess.run([options.cellc, *words], check=True, stdout=subprocess.DEVNULL)
            for worker in workers:
                if cell not in worker.cells:
                    continue
                error, tensors = worker.ask(
                    do="check",
                    cell=cell,
                    shape=shape,
                    params=list(shapes),
                    given=str(given),
                    found=str(found),
                )
                verdict = "agrees" if error <= TOLERANCE else "DISAGREES"
                good &= error <= TOLERANCE
                print(
                    f"{cell} of {worker.name} {verdict}: {tensors} tensors, "
                    f"the worst relative error is {error:.1e}",
                    flush=True,
                )
    return good


def chosen(text, known):
    """A list of names, or `all`."""
    names = list(known) if text == "all" else text.split(",")
    for name in names:
        if name not in known:
            raise argparse.ArgumentTypeError(f"no `{name}`; there are {', '.join(known)}, all")
    return names


def threads_list(text):
    cores = len(os.sched_getaffinity(0))
    counts = [int(count) for count in text.split(",")]
    if not all(1 <= count <= cores for count in counts):
        raise argparse.ArgumentTypeError(f"there are {cores} cores, found `{text}`")
    return counts


def arguments():
    parser = argparse.ArgumentParser(
        prog="run.sh", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    fast = ",".join(peer for peer in PEERS if peer not in SLOW)
    add = parser.add_argument
    add("--cellc", required=True, help=argparse.SUPPRESS)
    add(
        "--cells",
        default=",".join(CATALOGUE),
        type=lambda text: chosen(text, ALL),
        help=f"of {','.join(ALL)}, or all (default: %(default)s)",
    )
    add(
        "--shapes",
        default="all",
        type=lambda text: chosen(text, SHAPES),
        help=f"of {','.join(SHAPES)}, or all (default)",
    )
    add(
        "--peers",
        default=fast,
        type=lambda text: chosen(text, PEERS),
        help=f"of {','.join(PEERS)}, or all (default: %(default)s)",
    )
    add("--threads", default="1", type=threads_list, help="such as 1,2 (default: 1)")
    add("--rounds", default=5, type=int, help="how often all systems take turns (default: 5)")
    add(
        "--samples",
        default=3,
        type=int,
        help="samples of another system in a round, at the least (default: 3)",
    )
    add(
        "--seconds",
        default=0.3,
        type=float,
        help="how long a round measures one thing, at the least (default: 0.3)",
    )
    add("--steps", action="store_true", help="single steps of one example too")
    add("--steps-only", action="store_true", help="nothing but those")
    add(
        "--check",
        action="store_true",
        help="whether all systems compute the same function; measures nothing",
    )
    return parser.parse_args()


def main():
    options = arguments()
    if options.check:
        workers = [Worker(peer, 1) for peer in options.peers]
        good = check(options, workers)
        for worker in workers:
            worker.close()
        sys.exit(0 if good else 1)
    for threads in [1] if options.steps_only else options.threads:
        workers = [Worker(peer, threads) for peer in options.peers]
        if not options.steps_only:
            sequences(options, workers, threads)
        # A step of one example runs on one thread.
        if threads == 1 and (options.steps or options.steps_only):
            steps(options, workers)
        for worker in workers:
            worker.close()


def plural(threads):
    return f"{threads} thread{'s' * (threads > 1)}"


def sequences(options, workers, threads):
    results = []
    for cell in options.cells:
        for name in options.shapes:
            shape = dict(zip("BTIH", SHAPES[name]))
            print(f"{cell}, {name}, {plural(threads)} ..", file=sys.stderr, flush=True)
            results.append((f"{cell}, {name}", *measure(options, workers, cell, shape, threads)))
    print(f"\n### {plural(threads)}: forward, ms (ratio to cellc)\n")
    print(report("forward", "ms", results, options.peers, "forward_gflops"))
    print(f"\n### {plural(threads)}: training step, ms (ratio to cellc)\n")
    print(report("train", "ms", results, options.peers, "train_gflops"), flush=True)


def steps(options, workers):
    results = []
    for cell in options.cells:
        for width, hidden in STEPS:
            # The sequence beside the step is of no interest here, so it is short.
            shape = {"B": 1, "T": 1, "I": width, "H": hidden}
            print(f"{cell}, step, {width} -> {hidden} ..", file=sys.stderr, flush=True)
            found = measure(options, workers, cell, shape, 1, step=True)
            results.append((f"{cell}, {width} -> {hidden}", *found))
    print("\n### 1 thread: one step of one example, us (ratio to cellc)\n")
    print(report("step", "us", results, options.peers), flush=True)


main()
