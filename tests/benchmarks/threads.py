"""Time of a fit by the number of threads, on idle cores and beside busy processes.

    python tests/benchmarks/threads.py                 # idle: 1, 2 and the default, at three sizes
    python tests/benchmarks/threads.py --busy 2        # beside two other busy processes: 1 and the default

Each figure is the median of some runs of `diffaug-bio fit --config quick` on made-up counts of
2,000 genes, of which 7 % are not zero: whole processes, the ways taken in turn. Ratios are to the best of
1 and 2 threads (idle), or to 1 thread (busy).
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import anndata
import click
import numpy as np
from scipy import sparse

BUSY = "while True: pass"


def simulate(path: Path, n_rows: int, *, n_genes: int = 2000, n_types: int = 12) -> None:
    """Write counts of cells of some types, 7 % of them not zero."""
    rng = np.random.default_rng(0)
    rates = rng.gamma(0.3, 0.25, (n_types, n_genes))
    blocks = []
    for start in range(0, n_rows, 2000):
        types = rng.integers(0, n_types, min(2000, n_rows - start))
        depth = rng.lognormal(0, 0.3, (len(types), 1))
        blocks.append(sparse.csr_matrix(rng.poisson(rates[types] * depth).astype(np.float32)))
    adata = anndata.AnnData(sparse.vstack(blocks).tocsr())
    adata.obs_names = [f"cell{number}" for number in range(n_rows)]
    adata.write_h5ad(path)


def seconds(data: Path, threads: str) -> tuple[float, str]:
    """Time one fit, and say on how many threads and why."""
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        command = [sys.executable, "-m", "diffaug_bio.cli", "fit", str(data), "-o", str(run), "--no-report"]
        command += ["--config", "quick", "--quiet"] + (
            [] if threads == "default" else ["--threads", threads]
        )
        unset = {"OMP_NUM_THREADS", "SLURM_CPUS_PER_TASK"}
        environment = {name: value for name, value in os.environ.items() if name not in unset}
        started = time.perf_counter()
        subprocess.run(command, check=True, env=environment)
        spent = time.perf_counter() - started
        record = json.loads((run / "run.json").read_text(encoding="utf-8"))
    return spent, f"{record['threads']}, {record['threads_reason']}"


def main() -> None:
    """Print a line for each size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[700, 4000, 20000])
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--busy", type=int, default=0, help="busy processes beside each fit")
    arguments = parser.parse_args()
    ways = ["1", "default"] if arguments.busy else ["1", "2", "default"]
    others = [subprocess.Popen([sys.executable, "-c", BUSY]) for _ in range(arguments.busy)]
    try:
        with tempfile.TemporaryDirectory() as folder:
            for n_rows in arguments.rows:
                data = Path(folder) / f"{n_rows}.h5ad"
                simulate(data, n_rows)
                found: dict[str, list[float]] = {way: [] for way in ways}
                chosen: set[str] = set()
                for _ in range(arguments.runs):
                    for way in ways:
                        spent, reason = seconds(data, way)
                        found[way].append(spent)
                        chosen |= {reason} if way == "default" else set()
                medians = {way: statistics.median(times) for way, times in found.items()}
                best = min(median for way, median in medians.items() if way != "default")
                said = "  ".join(f"{way}: {median / best:.2f}" for way, median in medians.items())
                took = "; ".join(sorted(chosen))
                click.echo(f"{n_rows} rows  {said}  (1.00 is {best:.1f} s; the default took {took})")
    finally:
        for process in others:
            process.kill()


if __name__ == "__main__":
    main()
