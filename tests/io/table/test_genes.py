"""Features in rows: noticed where nobody says so, and read with their columns of facts where one does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from diffaug_bio.errors import InputError
from diffaug_bio.io import Schema

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from anndata import AnnData

    Read = Callable[..., AnnData]

SAMPLES = ["s1", "s2", "s3"]
GENES = ["g1", "g2", "g3", "g4"]


def matrix(first: str, columns: Sequence[str], rows: Sequence[str], delimiter: str = ",") -> str:
    lines = [delimiter.join([first, *columns])]
    for number, row in enumerate(rows):
        lines.append(
            delimiter.join([row, *(str(number * len(columns) + at) for at in range(len(columns)))])
        )
    return "\n".join(lines) + "\n"


SYMBOLS = ["ACTB", "GAPDH", "TP53", "X1"]
LIKE_GENES = {
    "first column": ("gene", SAMPLES, GENES),
    "of featureCounts": ("Geneid", SAMPLES, GENES),
    "of a symbol": ("Gene Symbol", SAMPLES, GENES),
    "of GEO": ("ID_REF", SAMPLES, GENES),
    "of features": ("feature", SAMPLES, GENES),
    "ensembl": ("", SAMPLES, [f"ENSMUSG{number:011d}.3" for number in range(4)]),
    "symbols": ("", SAMPLES, SYMBOLS),
    "symbols of mouse": ("", SAMPLES, [name.title() for name in SYMBOLS]),
    "probes": ("", SAMPLES, ["1007_s_at", "1053_at", "117_at", "121_at"]),
    "barcodes": ("id", ["AAACCTGAGAAACCAT-1", "AAACCTGAGAAACCGC-1", "k_TTTCCTGAGAAACCGC"], GENES),
    "GEO samples": ("id", ["GSM1", "GSM12345", "GSM12346_ctrl"], GENES),
    "TCGA": ("sample", ["TCGA-3C-AAAU-01", "TCGA-3C-AALI-01", "TCGA-3C-AALJ-01"], GENES),
}


@pytest.mark.parametrize("kind", LIKE_GENES)
def test_genes_in_rows_are_warned_of_with_the_option(
    read: Read, warned: Callable[[], str], kind: str
) -> None:
    first, columns, rows = LIKE_GENES[kind]
    text = matrix(first, columns, rows)
    adata = read(text)
    assert "--transpose" in warned()
    assert list(adata.obs_names) == rows
    turned = read(text, transpose=True)
    assert warned() == ""
    assert list(turned.obs_names) == columns
    np.testing.assert_array_equal(turned.X, adata.X.T)


@pytest.mark.parametrize(
    ("first", "columns", "rows"),
    [
        ("id", GENES, SAMPLES),
        ("cell", SYMBOLS, ["AAACCTGAGAAACCAT-1", "AAACCTGAGAAACCGC-1", "AAACCTGAGAAACGGC-1"]),
        ("patient", ["age", "CD4", "CD8A", "weight"], ["p1", "p2", "p3"]),
        ("", ["ENSG00000000003", "ENSG00000000005", "ENSG00000000419"], ["GSM11111", "GSM11112"]),
    ],
)
def test_observations_in_rows_are_no_matter_of_warning(
    read: Read, warned: Callable[[], str], first: str, columns: list[str], rows: list[str]
) -> None:
    read(matrix(first, columns, rows))
    assert warned() == ""


def test_cells_in_rows_of_a_transposed_table_are_warned_of(read: Read, warned: Callable[[], str]) -> None:
    read(matrix("cell", SYMBOLS, ["AAACCTGAGAAACCAT-1", "AAACCTGAGAAACCGC-1"]), transpose=True)
    assert "leave `--transpose`" in warned()
    assert "'cell'" in warned()


def test_columns_about_genes_go_to_var(read: Read, caplog: pytest.LogCaptureFixture) -> None:
    text = (
        "Geneid\tChr\tStart\tEnd\tStrand\tLength\ts1\ts2\n"
        "ENSG1\tchr1;chr1\t11;22\t21;33\t+;+\t21\t1\t2\n"
        "ENSG2\tchr2\t5\t9\t-\t5\t3\t4\n"
        "ENSG3\tX\t6\t19\t-\t14\t0\t9\n"
    )
    adata = read(text, "counts.txt", transpose=True)
    assert list(adata.obs_names) == ["s1", "s2"]
    assert adata.X.tolist() == [[1, 3, 0], [2, 4, 9]]
    assert list(adata.var) == ["Chr", "Start", "End", "Strand", "Length"]
    assert list(adata.var["Chr"]) == ["chr1;chr1", "chr2", "X"]
    assert list(adata.var["Length"]) == [21, 5, 14]
    assert "'Chr', 'Start', 'End', 'Strand', 'Length'" in caplog.text


def test_columns_of_text_and_ids_of_genes_are_no_samples(read: Read) -> None:
    text = "Hugo_Symbol\tEntrez_Gene_Id\tremark\tp1\tp2\nA1BG\t1\tx\t0.5\tNA\n"
    text += "A2M\t2\t\t1.5\t2\nTP53\t\ty\t1\t3\n"
    adata = read(text, "mrna.txt", transpose=True)
    assert list(adata.obs_names) == ["p1", "p2"]
    np.testing.assert_array_equal(adata.X, np.array([[0.5, 1.5, 1], [np.nan, 2, 3]], np.float32))
    assert list(adata.var["remark"]) == ["x", "", "y"]
    assert adata.var["Entrez_Gene_Id"].tolist()[:2] == [1, 2]


def test_gct_has_descriptions_of_genes(read: Read) -> None:
    text = "#1.2\n2\t2\nName\tDescription\ts1\ts2\nENSG1\tfirst, of two\t1\t2\nENSG2\tsecond\t3\t4\n"
    adata = read(text, "expression.gct", transpose=True)
    assert adata.X.tolist() == [[1, 3], [2, 4]]
    assert list(adata.var["Description"]) == ["first, of two", "second"]


def test_a_row_of_labels_stays_one_beside_columns_about_genes(read: Read) -> None:
    text = "gene,biotype,c1,c2,c3\nkind,,x,None,NA\ng1,protein_coding,1,2,NA\ng2,lncRNA,4,5,6\n"
    adata = read(text, transpose=True)
    assert list(adata.obs["kind"].astype(str)) == ["x", "None", "NA"]
    assert list(adata.var["biotype"]) == ["protein_coding", "lncRNA"]
    np.testing.assert_array_equal(adata.X, np.array([[1, 4], [2, 5], [np.nan, 6]], np.float32))


def test_rows_of_labels_leave_samples_samples_whatever_is_blank(read: Read) -> None:
    text = "name,note,s1,s2,s3,s4\nsex,,F,M,F,M\nsite,,a,b,a,b\nstage,,x,y,x,y\n"
    text += "crp,in mg/l,1.5,,2,3\nage,years,30,,50,60\n"
    adata = read(text, transpose=True)
    assert list(adata.obs_names) == ["s1", "s2", "s3", "s4"]
    assert list(adata.var["note"]) == ["in mg/l", "years"]
    np.testing.assert_array_equal(adata.X[:, 0], np.array([1.5, np.nan, 2, 3], np.float32))


def test_features_coded_from_a_row_keep_what_is_told_of_it(read: Read) -> None:
    text = "gene,biotype,s1,s2,s3\ng1,coding,1,2,\ng2,other,1.5,2,3\nsex,label,F,M,F\n"
    adata = read(text, transpose=True, schema=Schema(categorical=["sex"], missing_indicators=True))
    assert list(adata.var_names) == ["g1", "g2", "sex=F", "sex=M", "g1=missing"]
    assert list(adata.var["biotype"]) == ["coding", "other", "label", "label", "coding"]


@pytest.mark.parametrize("first", ["gene", "Gene Symbol", "Hugo_Symbol", "name"])
def test_a_symbol_that_occurs_twice_is_numbered_as_scanpy_does(
    read: Read, warned: Callable[[], str], first: str
) -> None:
    adata = read(matrix(first, SAMPLES, ["MATR3", "HLA-A", "MATR3", "MATR3"]), transpose=True)
    assert list(adata.var_names) == ["MATR3", "HLA-A", "MATR3-1", "MATR3-2"]
    assert "'MATR3'" in warned()


def test_a_gene_without_a_name_is_an_error(read: Read) -> None:
    with pytest.raises(InputError, match="1 features without a name in column 'gene'"):
        read(matrix("gene", SAMPLES, ["g1", "", "g2"]), transpose=True)


def test_a_table_of_nothing_but_facts_has_no_observations(read: Read) -> None:
    with pytest.raises(InputError, match=r"only columns about them: 'Length'.*no observations"):
        read("gene,Length\ng1,5\ng2,6\n", transpose=True)


def test_facts_stay_with_their_genes_and_can_be_written(read: Read, tmp_path: object) -> None:
    text = "gene,Length,c1,c2\ng1,10,1,2\nlabel,,x,y\ng2,30,3,4\n"
    adata = read(text, transpose=True)
    assert adata.var["Length"].to_dict() == {"g1": 10, "g2": 30}
    assert isinstance(adata.obs["label"].dtype, pd.CategoricalDtype)
    from diffaug_bio import io

    io.write_h5ad(tmp_path / "t.h5ad", adata)  # type: ignore[operator]
    assert list(io.read(tmp_path / "t.h5ad").var["Length"]) == [10, 30]  # type: ignore[operator]


@pytest.mark.parametrize(
    ("labels", "n_labels"),
    [(("dose\tna\tna\t1\t2\n"), 1), ("cell\tna\tna\tA375\tPC3\ndose\tna\tna\t1\t2\n", 2)],
)
def test_metadata_in_gct_are_what_its_second_line_says(read: Read, labels: str, n_labels: int) -> None:
    text = f"#1.3\n2\t2\t2\t{n_labels}\nid\tsymbol\tfeature_space\ts1\ts2\n{labels}"
    adata = read(
        f"{text}200814_at\tPSME1\t1\t1.5\t2\n222103_at\tATF1\t2\t3\t4\n", "level5.gct", transpose=True
    )
    assert list(adata.obs_names) == ["s1", "s2"]
    assert list(adata.var_names) == ["200814_at", "222103_at"]
    assert adata.X.tolist() == [[1.5, 3], [2, 4]]
    assert list(adata.obs["dose"].astype(float)) == [1, 2]
    assert ("cell" in adata.obs) is (n_labels == 2)
    assert list(adata.var["symbol"]) == ["PSME1", "ATF1"]
    assert list(adata.var["feature_space"]) == [1, 2]


def test_a_row_of_labels_changes_no_number_of_the_other_rows(read: Read) -> None:
    rows = "g1,1.5,NA,3\ng2, 4,5e-1,\ng3,<2,1,2\n"
    plain = read(f"gene,s1,s2,s3\n{rows.replace('<2', '2')}", transpose=True)
    labelled = read(f"gene,s1,s2,s3\nkind,a,b,NA\n{rows.replace('<2', '2')}", transpose=True)
    np.testing.assert_array_equal(labelled.X, plain.X)
    assert list(labelled.obs["kind"]) == ["a", "b", "NA"]
    with pytest.raises(InputError, match="'<2'"):
        read(f"gene,s1,s2,s3\nkind,a,b,c\n{rows}", transpose=True)
