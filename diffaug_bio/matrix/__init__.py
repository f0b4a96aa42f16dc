"""A matrix of numbers: its blocks of rows, its checks, and what it holds."""
