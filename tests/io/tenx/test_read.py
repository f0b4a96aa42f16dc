"""Counts of Cell Ranger: layouts of its versions, of GEO, and of runs with several samples."""

from __future__ import annotations

import gzip
import logging
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import anndata
import h5py
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from diffaug_bio import io
from diffaug_bio.errors import InputError
from tests.io.cell_ranger import Version, write_hdf5, write_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from anndata import AnnData


def cells(n_obs: int = 12, n_vars: int = 8, *, seed: int = 0) -> AnnData:
    """Counts with barcodes and symbols; no row and no column is empty."""
    generator = np.random.default_rng(seed)
    values = generator.poisson(1.0, (n_obs, n_vars)) + np.eye(n_obs, n_vars, dtype=np.int64)
    values[:, 0] += 1
    letters = generator.choice(list("ACGT"), (n_obs, 16))
    return anndata.AnnData(
        sparse.csr_matrix(values.astype(np.float32)),
        obs=pd.DataFrame(index=["".join(row) + "-1" for row in letters]),
        var=pd.DataFrame(index=[f"GENE{number}" for number in range(n_vars)]),
    )


def check_same(found: AnnData, expected: AnnData) -> None:
    assert list(found.obs_names) == list(expected.obs_names)
    assert list(found.var_names) == list(expected.var_names)
    assert found.X.dtype == np.float32
    np.testing.assert_array_equal(found.X.toarray(), expected.X.toarray())


LAYOUTS: dict[str, Callable[[Path, AnnData], Path]] = {
    "2 as written": lambda at, a: write_text(at / "filtered_gene_bc_matrices" / "hg19", a, 2),
    "2 from above": lambda at, a: write_text(at / "filtered_gene_bc_matrices" / "hg19", a, 2).parent.parent,
    "2 gzipped": lambda at, a: write_text(at / "geo", a, 2, prefix="GSM1_", gzipped=True),
    "2 in HDF5": lambda at, a: write_hdf5(at / "filtered_gene_bc_matrices_h5.h5", a, 2),
    "3 as written": lambda at, a: write_text(at / "filtered_feature_bc_matrix", a, 3),
    "3 of STARsolo": lambda at, a: write_text(at / "Solo.out" / "Gene" / "filtered", a, 3, gzipped=False),
    "3 from above": lambda at, a: write_text(at / "outs" / "filtered_feature_bc_matrix", a, 3).parent,
    "7 in HDF5": lambda at, a: write_hdf5(at / "filtered_feature_bc_matrix.h5", a, 7),
    "7 in HDF5, from above": lambda at, a: write_hdf5(at / "outs" / "any_name.h5", a, 7).parent,
    "7 of a multi run": lambda at, a: write_text(
        at / "outs" / "per_sample_outs" / "S1" / "count" / "sample_filtered_feature_bc_matrix", a, 7
    ).parents[3],
    "a matrix by its name": lambda at, a: (
        write_text(at, a, 3, prefix="GSM1_liver_") / "GSM1_liver_matrix.mtx.gz"
    ),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_gives_the_same_cells(layout: str, tmp_path: Path) -> None:
    adata = cells()
    found = io.read(LAYOUTS[layout](tmp_path, adata))
    check_same(found, adata)
    assert found.var["gene_ids"].iloc[1] == "ENSG00000000001"
    assert "batch" not in found.obs


def test_filtered_is_preferred_to_raw_and_hdf5_to_text(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    outs, adata = tmp_path / "outs", cells()
    write_text(outs / "raw_feature_bc_matrix", cells(20, seed=1), 3)
    write_text(outs / "filtered_feature_bc_matrix", adata, 3)
    write_hdf5(outs / "filtered_feature_bc_matrix.h5", adata, 3)
    (outs / "possorted_genome_bam.bam").write_bytes(b"BAM")
    with caplog.at_level(logging.INFO):
        check_same(io.read(outs), adata)
    assert "reading 'filtered_feature_bc_matrix.h5'" in caplog.text
    assert "'raw_feature_bc_matrix/matrix.mtx.gz' hold all barcodes" in caplog.text


def test_raw_matrix_and_empty_droplets_are_warned_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_text(tmp_path / "raw_feature_bc_matrix", cells(), 3)
    io.read(tmp_path / "raw_feature_bc_matrix")
    assert "empty droplets are read as cells" in caplog.text
    caplog.clear()
    empty = cells()
    empty.X = sparse.csr_matrix(empty.X.multiply(np.arange(12)[:, None] < 4))
    io.read(write_hdf5(tmp_path / "counts.h5", empty, 3))
    assert "8 of 12 barcodes hold no counts" in caplog.text


# Types of features, genomes, symbols.


def with_types(*types: str) -> AnnData:
    adata = cells(n_vars=len(types))
    adata.var["feature_types"] = list(types)
    return adata


@pytest.mark.parametrize("write", ["text", "hdf5"])
def test_gene_expression_is_taken_and_another_type_on_request(
    write: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    adata = with_types(*["Gene Expression"] * 5, *["Antibody Capture"] * 3)
    path = write_text(tmp_path, adata, 3) if write == "text" else write_hdf5(tmp_path / "a.h5", adata, 3)
    with caplog.at_level(logging.INFO):
        check_same(io.read(path), adata[:, :5])
    assert "3 'Antibody Capture'" in caplog.text
    assert "--modality-key" in caplog.text
    check_same(io.read(path, modality_key="antibody capture"), adata[:, 5:])
    with pytest.raises(InputError, match="'Peaks'; it holds 5 'Gene Expression', 3 'Antibody Capture'"):
        io.read(path, modality_key="Peaks")


def test_only_type_is_taken_and_unclear_ones_are_asked_for(tmp_path: Path) -> None:
    peaks = with_types(*["Peaks"] * 4)
    check_same(io.read(write_text(tmp_path / "one", peaks, 3)), peaks)
    path = write_hdf5(tmp_path / "two.h5", with_types("Peaks", "Peaks", "Custom"), 7)
    with pytest.raises(InputError, match=r"several types: 2 'Peaks', 1 'Custom'.*--modality-key"):
        io.read(path)


def test_genomes_of_version_2_are_asked_for(tmp_path: Path) -> None:
    adata = cells()
    path = write_hdf5(tmp_path / "mixed.h5", adata, 2, genomes=("hg19", "mm10"))
    with pytest.raises(InputError, match="2 genomes: 'hg19', 'mm10'"):
        io.read(path)
    check_same(io.read(path, modality_key="mm10"), adata)
    with pytest.raises(InputError, match="no genome 'hg38'; it holds 'hg19', 'mm10'"):
        io.read(path, modality_key="hg38")


def test_repeated_symbols_are_numbered_and_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    adata = cells(n_vars=4)
    adata.var_names = ["TBCE", "A", "TBCE", "B"]
    for path in (write_text(tmp_path / "text", adata, 3), write_hdf5(tmp_path / "a.h5", adata, 3)):
        with caplog.at_level(logging.INFO):
            assert list(io.read(path).var_names) == ["TBCE", "A", "TBCE-1", "B"]
        assert "1 symbols stand for several genes ('TBCE')" in caplog.text
        assert "--var-key gene_ids" in caplog.text


# Several samples.


@pytest.mark.parametrize("layout", ["runs", "multi", "prefixes", "files"])
def test_samples_are_read_as_one_with_batch_and_unique_rows(
    layout: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    samples = {"GSM1_liver": cells(seed=1), "GSM2_lung": cells(9, seed=2)}
    for name, adata in samples.items():
        if layout == "runs":
            write_text(tmp_path / name / "outs" / "filtered_feature_bc_matrix", adata, 3)
            write_text(tmp_path / name / "outs" / "raw_feature_bc_matrix", adata, 3)
        elif layout == "multi":
            folder = tmp_path / "outs" / "per_sample_outs" / name / "count"
            write_text(folder / "sample_filtered_feature_bc_matrix", adata, 7)
            write_hdf5(folder / "sample_filtered_feature_bc_matrix.h5", adata, 7)
        elif layout == "prefixes":
            write_text(tmp_path, adata, 2, prefix=f"{name}_", gzipped=True)
        else:
            write_hdf5(tmp_path / f"{name}_filtered_feature_bc_matrix.h5", adata, 3)
    if layout == "multi":
        write_hdf5(tmp_path / "outs" / "multi" / "count" / "raw_feature_bc_matrix.h5", cells(30, seed=5), 7)
    with caplog.at_level(logging.INFO):
        found = io.read(tmp_path)
    assert "GSM1_liver (12 cells), GSM2_lung (9 cells)" in caplog.text
    assert "--batch-key batch" in caplog.text
    assert not [record for record in caplog.records if record.levelno > logging.INFO]
    assert list(found.obs["batch"]) == ["GSM1_liver"] * 12 + ["GSM2_lung"] * 9
    for name, adata in samples.items():
        one = found[found.obs["batch"] == name].copy()
        one.obs_names = one.obs_names.str.removeprefix(f"{name}/")
        check_same(one, adata)
    assert found.var["gene_ids"].iloc[3] == "ENSG00000000003"


def test_samples_of_other_genes_have_the_shared_ones_and_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    first, second = cells(seed=1), cells(n_vars=6, seed=2)
    write_text(tmp_path / "a", first, 3)
    write_text(tmp_path / "b", second, 3)
    found = io.read(tmp_path)
    assert list(found.var_names) == list(second.var_names)
    np.testing.assert_array_equal(found.X[:12].toarray(), first.X[:, :6].toarray())
    assert "6 to 8 features, and the 6 that all of them have" in caplog.text


def test_same_barcodes_in_two_matrices_are_warned_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("Gene", "GeneFull"):
        write_text(tmp_path / "Solo.out" / name / "filtered", cells(), 3, gzipped=False)
    io.read(tmp_path / "Solo.out")
    assert "Gene and GeneFull share 12 barcodes" in caplog.text


def test_several_matrices_of_one_sample_are_asked_for(tmp_path: Path) -> None:
    for genome in ("hg19", "mm10"):
        write_text(tmp_path / "filtered_gene_bc_matrices" / genome, cells(), 2)
    with pytest.raises(InputError, match=r"several matrices.*hg19/matrix.mtx.*mm10/matrix.mtx"):
        io.read(tmp_path)


@pytest.mark.parametrize("is_named", [False, True])
def test_libraries_of_aggr_become_batches(is_named: bool, tmp_path: Path) -> None:  # noqa: FBT001
    adata = cells()
    adata.obs_names = [f"{name[:-2]}-{1 + number % 3}" for number, name in enumerate(adata.obs_names)]
    write_text(tmp_path / "outs" / "count" / "filtered_feature_bc_matrix", adata, 7)
    if is_named:
        (tmp_path / "outs" / "aggregation.csv").write_text("sample_id,molecule_h5\nA,a\nB,b\nC,c\n")
    found = io.read(tmp_path)
    check_same(found, adata)
    assert list(found.obs["batch"].iloc[:4]) == (["A", "B", "C", "A"] if is_named else ["1", "2", "3", "1"])


def test_shared_features_and_names_of_kallisto_are_found(tmp_path: Path) -> None:
    samples = {"GSM1_a": cells(seed=1), "GSM2_b": cells(seed=2)}
    for name, adata in samples.items():
        write_text(tmp_path / "geo", adata, 3, prefix=f"{name}_")
        (tmp_path / "geo" / f"{name}_features.tsv.gz").replace(tmp_path / "geo" / "GSE1_features.tsv.gz")
    assert list(io.read(tmp_path / "geo").obs["batch"].unique()) == ["GSM1_a", "GSM2_b"]
    folder = write_text(tmp_path / "kb", samples["GSM1_a"], 2)
    for old, new in (("matrix.mtx", "mtx"), ("barcodes.tsv", "barcodes.txt"), ("genes.tsv", "genes.txt")):
        (folder / old).replace(folder / f"cells_x_genes.{new}")
    check_same(io.read(folder), samples["GSM1_a"])


def test_matrix_of_the_folder_beside_others_is_asked_for(tmp_path: Path) -> None:
    write_hdf5(tmp_path / "outs" / "filtered_feature_bc_matrix.h5", cells(), 3)
    write_hdf5(tmp_path / "outs" / "denoised.h5", cells(), 3)
    with pytest.raises(InputError, match=r"'denoised\.h5', 'filtered_feature_bc_matrix\.h5'.*name the one"):
        io.read(tmp_path / "outs")
    for size in ("008", "016"):
        write_hdf5(
            tmp_path / "hd" / "binned_outputs" / f"square_{size}um" / "filtered_feature_bc_matrix.h5",
            cells(),
            7,
        )
    with pytest.raises(InputError, match="several matrices"):
        io.read(tmp_path / "hd")


def test_folder_called_raw_is_no_raw_matrix_by_itself(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_text(tmp_path / "raw", cells(), 2, prefix="GSM1_", gzipped=True)
    io.read(tmp_path / "raw")
    assert "empty droplets" not in caplog.text
    write_text(tmp_path / "Gene" / "raw", cells(), 3)
    write_text(tmp_path / "Gene" / "filtered", cells(5), 3)
    assert io.read(tmp_path / "Gene").n_obs == 5
    io.read(tmp_path / "Gene" / "raw")
    assert "empty droplets" in caplog.text


_NAMES = st.lists(
    st.text("abcXYZ019_", min_size=1, max_size=8).filter(lambda name: name.strip("_") == name),
    min_size=2,
    max_size=4,
    unique_by=str.lower,
)


@given(names=_NAMES, layout=st.sampled_from(["runs", "prefixes"]))
@settings(max_examples=20)
def test_samples_have_the_names_of_their_folders_or_prefixes(names: list[str], layout: str) -> None:
    with tempfile.TemporaryDirectory() as place:
        for number, name in enumerate(names):
            adata = cells(3, 4, seed=number)
            if layout == "runs":
                write_text(Path(place) / name / "outs" / "filtered_feature_bc_matrix", adata, 3)
            else:
                write_text(Path(place), adata, 2, prefix=f"{name}_")
        found = io.read(place)
    assert found.obs["batch"].value_counts().to_dict() == dict.fromkeys(names, 3)
    assert found.obs_names.is_unique


# What is damaged or lacks something.


def test_matrix_without_names_says_which(tmp_path: Path) -> None:
    folder = write_text(tmp_path / "geo", cells(), 3, prefix="S1_")
    (folder / "S1_barcodes.tsv.gz").unlink()
    for path in (folder, folder / "S1_matrix.mtx.gz"):
        with pytest.raises(InputError, match=r"S1_barcodes.tsv\(.gz\) should lie beside it"):
            io.read(path)


def test_names_of_another_matrix_are_refused(tmp_path: Path) -> None:
    folder = write_text(tmp_path, cells(), 2)
    (folder / "barcodes.tsv").write_text("barcode\n" + (folder / "barcodes.tsv").read_text())
    with pytest.raises(InputError, match=r"8 rows and 12 columns, .*13 cells"):
        io.read(folder)


def test_matrix_with_cells_in_rows_is_turned(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    adata = cells()
    folder = write_text(tmp_path, adata, 2)
    other = write_text(tmp_path / "other", adata.T.copy(), 2)
    (other / "matrix.mtx").replace(folder / "matrix.mtx")
    with caplog.at_level(logging.INFO):
        check_same(io.read(folder / "matrix.mtx"), adata)
    assert "cells in rows" in caplog.text


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("%%MatrixMarket matrix coordinate integer general\n2 2 3\n1 1 5\n", "damaged"),
        ("%%MatrixMarket matrix coordinate integer general\n2 2 1\n3 1 5\n", "damaged"),
        ("%%MatrixMarket matrix coordinate integer general\n2 2 99999999999\n1 1 5\n", "cannot hold them"),
        ("%%MatrixMarket matrix coordinate integer general\n2 2 1\n1 1 5\n1 2 5\n", "holds more"),
        ("%%MatrixMarket matrix coordinate integer general\n2 2 1\n1 1\n", "missing"),
        ("%%MatrixMarket matrix coordinate integer general\n2 2 1\n1 1 5 6\n", "damaged"),
        ("%%MatrixMarket matrix coordinate integer general\n2 2 1\n0 1 5\n", "row number"),
        ("%%MatrixMarket matrix coordinate real symmetric\n2 2 1\n1 1 5\n", "symmetric"),
        ("%%MatrixMarket matrix array real general\n2 2\n1\n2\n3\n4\n", "sparse matrix"),
        ("gene\tcell\n", "Matrix Market"),
        ("", "Matrix Market"),
    ],
)
def test_damaged_matrices_are_one_sentence(content: str, words: str, tmp_path: Path) -> None:
    folder = write_text(tmp_path, cells(2, 2), 2)
    (folder / "matrix.mtx").write_text(content)
    with pytest.raises(InputError, match=words) as caught:
        io.read(folder)
    assert "matrix.mtx" in str(caught.value)


def test_matrices_may_have_no_values_comments_and_real_numbers(tmp_path: Path) -> None:
    folder = write_text(tmp_path, cells(2, 2), 2)
    start = "%%MatrixMarket matrix coordinate"
    for content, expected in (
        (f"{start} pattern general\n% by hand\n%\n2 2 2\n1 1\n2  2\n", [[1, 0], [0, 1]]),
        (f"{start} real general\n2 2 1\n2\t1\t1.5e0\n", [[0, 1.5], [0, 0]]),
        (f"{start} integer general\n2 2 0\n", [[0, 0], [0, 0]]),
    ):
        (folder / "matrix.mtx").write_text(content)
        np.testing.assert_array_equal(io.read(folder).X.toarray(), expected)


def test_cut_off_files_are_one_sentence(tmp_path: Path) -> None:
    folder = write_text(tmp_path / "text", cells(), 3)
    content = (folder / "matrix.mtx.gz").read_bytes()
    (folder / "matrix.mtx.gz").write_bytes(content[: len(content) // 2])
    with pytest.raises(InputError, match="not a complete gzip file"):
        io.read(folder)
    path = write_hdf5(tmp_path / "a.h5", cells(), 3)
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(InputError, match="cut off"):
        io.read(path)


def test_wrong_indices_and_missing_names_in_hdf5_are_refused(tmp_path: Path) -> None:
    path = write_hdf5(tmp_path / "a.h5", cells(), 3)
    with h5py.File(path, "r+") as file:
        file["matrix/indices"][0] = 99
    with pytest.raises(InputError, match="column number 99"):
        io.read(path)
    path = write_hdf5(tmp_path / "b.h5", cells(), 3)
    with h5py.File(path, "r+") as file:
        del file["matrix/features/name"]
    with pytest.raises(InputError, match="damaged"):
        io.read(path)


def test_links_to_other_files_are_refused_unless_trusted(tmp_path: Path) -> None:
    path = write_hdf5(tmp_path / "a.h5", cells(), 3)
    with h5py.File(tmp_path / "secret.h5", "w") as file:
        file["names"] = np.array([b"PRIVATE"] * 8)
    with h5py.File(path, "r+") as file:
        del file["matrix/features/name"]
        file["matrix/features/name"] = h5py.ExternalLink("secret.h5", "names")
    with pytest.raises(InputError, match="external_links"):
        io.read(path)
    assert io.read(path, external_links=True).var_names[0] == "PRIVATE"


@pytest.mark.parametrize("version", [2, 3, 7])
def test_options_that_do_not_apply_are_refused(version: Version, tmp_path: Path) -> None:
    folder = write_text(tmp_path, cells(), version)
    with pytest.raises(InputError, match="transpose"):
        io.read(folder, transpose=True)
    with pytest.raises(InputError, match="modality"):
        io.read(folder, modality_key="nothing")


def test_peaks_of_atac_are_named_by_their_intervals(tmp_path: Path) -> None:
    adata = cells(n_vars=3)
    folder = write_text(tmp_path / "filtered_peak_bc_matrix", adata, 2)
    (folder / "genes.tsv").unlink()
    (folder / "peaks.bed").write_text("# made by\nchr1\t10\t20\nchr1\t30\t40\nchr2\t5\t9\n")
    assert list(io.read(tmp_path).var_names) == ["chr1:10-20", "chr1:30-40", "chr2:5-9"]


def test_other_layouts_in_a_folder_stay_what_they_are(tmp_path: Path) -> None:
    (tmp_path / "a.fa").write_text(">x\nACGTACGT\n")
    (tmp_path / "b.fa").write_text(">y\nACGTACGA\n")
    (tmp_path / "notes.mtx.txt").write_text("")
    assert list(io.read(tmp_path).obs["label"]) == ["a", "b"]


def test_gzipped_barcodes_may_hold_a_windows_mark(tmp_path: Path) -> None:
    adata = cells()
    folder = write_text(tmp_path, adata, 3)
    lines = "\r\n".join(adata.obs_names) + "\r\n"
    (folder / "barcodes.tsv.gz").write_bytes(gzip.compress(b"\xef\xbb\xbf" + lines.encode()))
    check_same(io.read(folder), adata)
