"""Score DiffAug beside PCA of equal width on labelled files, several seeds each.

    python tests/benchmarks/embedding_vs_pca.py a.h5ad b.h5ad --label-key cell_type --seeds 3

Every run is `diffaug-bio fit` itself, in a process of its own; scores are those of its metrics.json: 5-fold
linear probe and nearest neighbors on the frozen embedding. Labels are never used to fit or to choose.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

KEYS = ("linear_probe", "knn_accuracy", "kmeans_nmi", "kmeans_ari")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("data", nargs="+", type=Path)
    parser.add_argument("--label-key", required=True)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--options", default="", help="further options of `diffaug-bio fit`, one string")
    arguments = parser.parse_args()
    gains = []
    sys.stdout.write(
        f"{'data':32}{'method':10}" + "".join(f"{key:>22}" for key in KEYS) + f"{'fit s':>8}\n"
    )
    for path in arguments.data:
        runs = [_run(path, arguments, seed) for seed in range(arguments.seeds)]
        for method, title in (("embedding", "DiffAug"), ("pca", "PCA"), ("front_end", "front end")):
            cells = []
            for key in KEYS:
                values = 100 * np.array([scores[method][key] for scores, _ in runs])
                spread = values.std(ddof=1) if len(values) > 1 else 0.0
                cells.append(f"{values.mean():14.2f} ± {spread:5.2f}")
            seconds = np.median([fit for _, fit in runs]) if method == "embedding" else float("nan")
            sys.stdout.write(f"{path.stem:32}{title:10}" + "".join(cells) + f"{seconds:8.1f}\n")
        sys.stdout.flush()
        gain = [s["embedding"]["linear_probe"] - s["pca"]["linear_probe"] for s, _ in runs]
        gains.append(100 * float(np.mean(gain)))
    listed = ", ".join(f"{gain:+.2f}" for gain in gains)
    sys.stdout.write(f"linear probe, DiffAug less PCA, points: {listed}; mean {np.mean(gains):+.2f}\n")


def _run(path: Path, arguments: argparse.Namespace, seed: int) -> tuple[dict[str, dict[str, float]], float]:
    """Scores and seconds of one fit."""
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder, "run")
        command = [sys.executable, "-m", "diffaug_bio.cli", "fit", str(path), "-o", str(output)]
        command += ["--label-key", arguments.label_key, "--seed", str(seed), "--quiet"]
        subprocess.run([*command, *arguments.options.split()], check=True)
        scores = json.loads((output / "metrics.json").read_text(encoding="utf-8"))
        run = json.loads((output / "run.json").read_text(encoding="utf-8"))
    return scores, run["seconds"]["fit"]


if __name__ == "__main__":
    main()
