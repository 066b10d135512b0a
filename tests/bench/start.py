#!/usr/bin/env python3
"""How long a model's first word takes: from the start of the process to the first byte of text, and what is left
of that without reading the prompt (the bar: 50 ms, the file being in the page cache).

    tests/bench/start.py BUILD MODEL...        BUILD: a build folder, or the program itself

ROUNDS (default 7) runs of each; best and median in milliseconds. CPU: the process's own time, user and system, for a
busy machine, of a run that stops behind the first token; the time of the prompt is the program's own."""
import json
import os
import resource
import statistics
import subprocess
import sys
import time

BAR_MS = 50.0


def one_run(program, model):
    """(seconds to the first byte, seconds of the prompt, CPU seconds of all)."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.monotonic()
    process = subprocess.Popen(
        [program, "generate", model, "Say hello.", "-n", "1", "--ignore-eos", "--json", "--stream", "-q"],
        stdout=subprocess.PIPE, env={**os.environ, "OPENBLAS_NUM_THREADS": "1"})
    first = os.read(process.stdout.fileno(), 1)
    seconds = time.monotonic() - start
    rest = process.stdout.read()
    if process.wait() != 0 or not first:
        sys.exit(f"{model}: exit code {process.returncode}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    result = json.loads((first + rest).splitlines()[-1])
    return seconds, result["prompt_seconds"], cpu


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    program = sys.argv[1]
    if os.path.isdir(program):
        program = os.path.join(program, "pipelines", "lode")
    rounds = int(os.environ.get("ROUNDS", "7"))
    print(f"{'ms':36s} {'first byte':>10s} {'prompt':>8s} {'rest: best':>10s} {'median':>8s} {'CPU best':>9s}")
    for model in sys.argv[2:]:
        one_run(program, model)  # the file comes into memory
        runs = [one_run(program, model) for _ in range(rounds)]
        rest = [1e3 * (first - prompt) for first, prompt, _ in runs]
        best = min(rest)
        print(f"{os.path.basename(model):36.36s} {1e3 * statistics.median(r[0] for r in runs):10.1f} "
              f"{1e3 * statistics.median(r[1] for r in runs):8.1f} {best:10.1f} {statistics.median(rest):8.1f} "
              f"{1e3 * min(r[2] for r in runs):9.1f}   {'met' if best <= BAR_MS else 'missed'}", flush=True)


main()
