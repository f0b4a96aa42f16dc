"""Matrices of observations and features: checks, summaries, and passes over them in blocks of rows."""
