"""The fitted model: from a matrix to networks, to rows, and to a folder and back."""
