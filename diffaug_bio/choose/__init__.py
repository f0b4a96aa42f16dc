"""Choosing the matrix, names, split, labels and batches of an AnnData, and writing results into it."""
