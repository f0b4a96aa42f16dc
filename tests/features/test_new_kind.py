"""How to add a kind of data: one file of preprocessing, one entry in inputs, one row in kinds."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

PACKAGE = Path(__file__).parents[2] / "diffaug_bio"

FITTED = '''
"""Fitted preprocessing of angles."""

from dataclasses import dataclass

from diffaug_bio.features._fitted import FittedFeatures


@dataclass(frozen=True, slots=True, kw_only=True)
class FittedAngles(FittedFeatures):
    """Preprocessing of angles."""

    def inputs(self, config):
        from diffaug_bio.core.inputs import AngleInput

        return AngleInput(self.n_features)
'''
INPUT = '''

class AngleInput(FeatureInput):
    """Rows of angles."""

    def limited(self, x):
        return x.clamp(-10, 10)
'''
ROW = """
STATES["angle"] = State(kind="angle", noun="angles", reads="angles", treatment="standardised")
KINDS["angle"] = Kind(
    noun="angles", title="angles", tags=(), file_ending=".csv", view="neighbor_noise", n_components=5,
    n_latent=7, noising=0.5, preprocessing="_angles.FittedAngles",
)
"""
USE = """
import numpy as np
import diffaug_bio as db
from diffaug_bio.features import FittedFeatures
from diffaug_bio.model.folder import describe_model

angles = np.random.default_rng(0).uniform(-3, 3, (60, 9))
config = {"preset": "quick", "features": {"input_state": "angle"}}
model = db.DiffAug(config, device="cpu").fit(angles)
assert type(model.features_).__name__ == "FittedAngles"
assert model.transform(angles).shape == (60, 7)
model.save("model")
again = db.DiffAug.load("model", device="cpu")
assert type(again.features_).__name__ == "FittedAngles"
np.testing.assert_array_equal(again.transform(angles), model.transform(angles))
assert describe_model(__import__("pathlib").Path("model")).kind == "angle"
assert model.augment(angles).shape == angles.shape
"""


def test_a_kind_of_data_is_three_files(tmp_path: Path) -> None:
    copy = tmp_path / "diffaug_bio"
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    (copy / "features" / "_angles.py").write_text(FITTED)
    inputs, kinds = copy / "core" / "inputs.py", copy / "config" / "kinds.py"
    inputs.write_text(inputs.read_text() + INPUT)
    text = kinds.read_text()
    known = '    "image",\n]\n"""Values that a matrix can hold'
    assert known in text
    kinds.write_text(text.replace(known, known.replace('"image",', '"image",\n    "angle",')) + ROW)
    environment = {**os.environ, "PYTHONPATH": str(tmp_path), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", USE]
    result = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
