"""Names of columns by which a table is understood: of ids, labels, genes, and facts about genes."""

from __future__ import annotations

import re

_ID_NAMES = frozenset(
    {"", "id", "ids", "index", "name", "names", "cell", "cells", "cell_id", "barcode", "barcodes"}
    | {"sample", "samples", "sample_id", "sampleid", "gene", "genes", "gene_id", "unnamed: 0"}
)
_LABEL_NAMES = frozenset(
    {"label", "labels", "class", "target", "batch", "cell_type", "celltype", "cluster", "group"}
    | {"generated", "source"}
)
"""Names of columns that are annotations even if they hold numbers."""
_ID_WORDS = frozenset({"id", "ids", "identifier", "uid", "uuid", "mrn", "barcode", "accession"})
_COUNTER_WORDS = frozenset({"no", "nr", "num", "number", "index", "record", "row", "rownames"})
"""Last words of names that may be ids, and may be counts ("copy_number"): values decide."""
_LABEL_WORDS = frozenset(
    {"label", "class", "target", "outcome", "diagnosis", "status", "genotype", "treatment", "condition"}
    | {"disease", "phenotype", "response", "responder", "group", "cluster", "celltype", "type", "subtype"}
    | {"kind", "tissue", "organ", "site", "center", "centre", "hospital", "clinic", "plate", "batch"}
    | {"donor", "patient", "subject", "animal", "mouse", "sample", "split", "fold", "source", "generated"}
    | {"lane", "run", "operator", "instrument", "lab", "laboratory", "cohort", "study", "arm", "relapse"}
    | {"species", "strain", "organism", "annotation", "prognosis", "survival", "death", "died", "dead"}
    | {"survived", "survivor", "alive", "mortality", "event", "endpoint", "remission", "progression"}
    | {"readmission", "readmitted", "case", "control", "vital", "metastasis", "recurrence"}
    | {"experiment", "protocol", "technology", "chip"}
)
"""Words of names of columns that are to be predicted or corrected, rather than measured."""
_TIME_WORDS = frozenset({"time", "day", "days", "week", "weeks", "month", "months", "year", "years"})
_EVENT_WORDS = frozenset(
    {"os", "pfs", "dfs", "rfs", "efs", "mfs", "event", "death", "relapse", "progression"}
)
_MEASURED_WORDS = frozenset({"age", "bmi", "weight", "height", "sbp", "dbp", "pulse", "temperature"})
"""Words of names that no count has."""
_GENE_NAMES = frozenset(
    {"gene", "genes", "geneid", "geneids", "genename", "genenames", "genesymbol", "genesymbols", "symbol"}
    | {"symbols", "hugosymbol", "hgncsymbol", "mgisymbol", "hgnc", "entrez", "entrezid", "entrezgeneid"}
    | {"ensembl", "ensemblid", "ensemblgeneid", "ensg", "ensgene", "transcript", "transcripts"}
    | {"transcriptid", "targetid", "feature", "features", "featureid", "featurename", "idref", "probe"}
    | {"probes", "probeid", "probeset", "probesetid", "protein", "proteins", "proteinid", "proteinids"}
    | {"proteinname", "uniprot", "uniprotid", "otu", "otuid", "asv", "taxon", "taxa", "taxonomy", "peak"}
    | {"peaks", "peakid", "locus", "locustag", "metabolite", "metabolites", "analyte", "mirna"}
)
"""Names, without blanks and signs, of a first column that names features rather than observations."""
_FACT_NAMES = frozenset(
    {"length", "genelength", "width", "effectivelength", "efflength", "transcriptlength", "chr", "chrom"}
    | {"chromosome", "chromosomename", "seqname", "seqnames", "start", "end", "stop", "strand", "gc"}
    | {"genestart", "geneend", "genechr", "startposition", "endposition", "description", "desc", "biotype"}
    | {"genebiotype", "genetype", "product", "cytoband", "band", "map", "nexons", "exons", "gccontent"}
    | {"percentgc", "taxid", "taxonid", "organism", "feature", "featuretype", "sequencelength", "molweight"}
    | {"molweightkda", "numberofproteins", "numprobes", "probecount", "id", "name", "genbank", "gbacc"}
)
"""Names of columns that tell something about each feature of a table with features in rows."""
_CELL_NAMES = frozenset(
    {"cell", "cells", "cellid", "barcode", "barcodes", "sample", "samples", "sampleid", "patient"}
    | {"patientid", "subject", "subjectid", "donor", "mouse", "animal", "individual", "participant", "pid"}
)


def words_of(name: object) -> list[str]:
    """Split a name at blanks, signs and capitals: `Patient_ID`, `patientId` and `patient id` are alike."""
    parted = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", str(name))
    return [word.lower() for word in re.split(r"[\W_]+", parted) if word]


def joined(name: object) -> str:
    """Return a name in lower case without blanks and signs: `Entrez_Gene_Id` is `entrezgeneid`."""
    return re.sub(r"[\W_]+", "", str(name)).lower()


def is_usual_id(name: object) -> bool:
    """Return True for a usual name of a column of ids, such as `id` or `sample`."""
    text = str(name).strip().lower()
    return text in _ID_NAMES or text.startswith("unnamed: ")


def is_usual_label(name: object) -> bool:
    """Return True for a name of labels or batches whose column is an annotation, whatever it holds."""
    return str(name).lower() in _LABEL_NAMES


def has_usual_name(name: object) -> bool:
    """Return True for a usual name of a column of ids or labels."""
    text = str(name).strip().lower()
    return text in _ID_NAMES | _LABEL_NAMES


def ends_as_id(name: object) -> bool:
    """Return True if a name ends as ids do: `patient_id`, `Sample_ID`, `mrn`."""
    words = words_of(name)
    return bool(words) and words[-1] in _ID_WORDS


def may_count_rows(name: object) -> bool:
    """Return True if a name may be that of running numbers: `sampleNo`, `nr`, `row`."""
    words = words_of(name)
    return ends_as_id(name) or (bool(words) and words[-1] in _COUNTER_WORDS)


def names_a_label(name: object) -> bool:
    """Return True if a word of a name is that of a label, batch, outcome or group: `disease_status`."""
    words = words_of(name)
    singular = {word.removesuffix("s") if len(word) > 3 else word for word in words}
    return is_usual_label(name) or bool(_LABEL_WORDS & {*words, *singular, joined(name)})


def names_a_time_to_event(name: object) -> bool:
    """Return True for a name of a time until an outcome: `survival`, `os_months`, `time_to_death`."""
    words = {*words_of(name)}
    is_event = bool(words & _EVENT_WORDS) and bool(words & _TIME_WORDS)
    return is_event or "survival" in words or "followup" in joined(name)


def names_a_measurement(name: object) -> bool:
    """Return True for a name of what is measured and never counted: `age`, `bmi`."""
    return bool(_MEASURED_WORDS & {*words_of(name)})


def names_genes(name: object) -> bool:
    """Return True for a name of a column of genes or other features: `gene`, `Geneid`, `ID_REF`."""
    return joined(name) in _GENE_NAMES


def names_cells(name: object) -> bool:
    """Return True for a name of a column of observations: `cell`, `sample`, `patient_id`."""
    return joined(name) in _CELL_NAMES


def tells_of_genes(name: object) -> bool:
    """Return True for a column of facts about genes: `Length`, `Chr`, `Entrez_Gene_Id`, `biotype`."""
    return joined(name) in _FACT_NAMES | _GENE_NAMES
