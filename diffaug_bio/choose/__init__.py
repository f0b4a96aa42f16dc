"""What of an AnnData is used: its matrix, names, split, labels and batches."""
