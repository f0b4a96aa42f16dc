"""A disk that takes no more: an ordinary error for every kind of output, and nothing is left."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(os.name != "posix", reason="limits the size of files as POSIX does")

# A forked process for each limit: one that a library brings down ends by a signal.
SCRIPT = """
import json, os, resource, signal, sys
from pathlib import Path

import anndata
import numpy as np
import pandas as pd

from diffaug_bio import io
from diffaug_bio.output.files import staged_file, staged_folder
from diffaug_bio.errors import InputError
from diffaug_bio.io.h5ad import add_to_h5ad, write_h5ad
from tests.conftest import clustered_dna
from tests.io.h5ad.test_write import make_full

N_LIMITS = 24
cells = make_full()
dna = anndata.AnnData(obs=pd.DataFrame({"sequence": clustered_dna(60)}, index=[f"s{i}" for i in range(60)]))
pixels = np.random.default_rng(0).integers(0, 255, (60, 28, 28, 1)).astype("u1")
images = anndata.AnnData(X=pixels.reshape(60, -1), uns={"image_shape": (28, 28, 1)})

def write_cells(path):
    with staged_file(path) as stage:
        write_h5ad(stage, cells)

def write_added(path):
    with staged_file(path) as stage:
        write_h5ad(stage, cells)
        add_to_h5ad(stage, {"obsm/X_more": np.ones((120, 2000), np.float32), "uns/more": {"params": "{}"}})

def write_folder(path):
    with staged_folder(path, overwrite=False) as stage:
        io.write_embedding(stage / "embedding.csv", cells.obsm["X_diffaug"], cells.obs_names)

def end(job, path, limit):
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    try:
        job(path)
    except OSError:
        return 7
    except InputError as error:
        return 7 if "Cannot write to" in str(error) else 8
    return 0

jobs = {
    "cells.h5ad": write_cells,
    "added.h5ad": write_added,
    "cells.csv": lambda path: io.write_table(path, cells),
    "cells.csv.gz": lambda path: io.write_table(path, cells),
    "dna.fa": lambda path: io.write_fasta(path, dna),
    "dna.fa.gz": lambda path: io.write_fasta(path, dna),
    "images.npz": lambda path: io.write_images(path, images),
    "images.png": lambda path: io.write_image_grid(path, [pixels[:10]] * 2),
    "run": write_folder,
}
place = Path(sys.argv[1])
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
found = {}
for name, job in jobs.items():
    (place / "whole").mkdir(exist_ok=True)
    job(place / "whole" / name)
    written = place / "whole" / name
    size = max(path.stat().st_size for path in [written, *written.rglob("*")] if path.is_file())
    ends = set()
    for number in range(N_LIMITS):
        child = os.fork()
        if not child:
            code = end(job, place / "cut" / name, size * number // N_LIMITS)
            os._exit(code)
        ends.add(os.waitpid(child, 0)[1])
    found[name] = sorted(ends), os.listdir(place / "cut")
print(json.dumps(found))
"""


def test_every_kind_of_output_ends_in_an_error_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "cut").mkdir()
    command = [sys.executable, "-c", SCRIPT, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    found = json.loads(done.stdout)
    assert len(found) == 9
    assert found == {name: [[7 << 8], []] for name in found}
