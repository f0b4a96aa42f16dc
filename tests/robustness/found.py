"""Cases that once went wrong: seeds by kind, beyond those of the fixed sample, a few of each fault."""

from __future__ import annotations

FOUND: dict[str, tuple[int, ...]] = {
    "h5ad": (
        *(225, 281, 239, 304, 259, 308, 328, 368, 496, 504),  # sparse matrices that break the rules
        *(209, 275, 320),  # groups within themselves, or too deep
        *(220, 224, 236, 207, 325, 384, 516),  # whatever h5py, numpy and anndata raise
        *(228, 237, 241),  # elements that this anndata does not know
        *(223, 673),  # shapes that no memory holds
        *(359, 491, 649),  # heaps of texts that HDF5 reads for ever
    ),
    "model": (
        *(201, 229, 261, 407),  # embeddings that are not finite
        *(205, 239, 270, 461, 517),  # dumps of files and networks in place of a sentence
        *(334, 367, 558, 587, 685),  # arrays and fields of a wrong shape or range
        1352,  # a difference of feature numbers that came back into range
    ),
    "archive": (
        *(279, 337),  # extra fields of a zip that are cut
        *(320, 511),  # names that no file can have
        *(465, 629, 958),  # places before the start of the file
        *(270, 274, 277),  # tar's account of all that it tried
    ),
    "bed": (311, 338, 956, 977),  # numbers of 5,000 digits
    "fasta": (638,),  # names and letters of 10,000 characters, quoted whole
    "npz": (201, 208, 219, 222),  # headers of nested parentheses
    "fastq": (9551,),  # a carriage return within a name: the count to compare with was wrong
    "tenx": (
        *(441, 569),  # a stream in which scipy's reader seeks backwards, and ends the process
        *(1175, 1212, 1308),  # row numbers that scipy's reader trusts
    ),
    "store": (63,),  # a name that is no UTF-8
    "frame": (161,),  # offsets of texts that fall, which pyarrow follows
    "table": (520, 588, 810, 9005),  # the last: a line of a Unicode line separator, miscounted likewise
}
