"""Tensors only: networks, losses, diffusion and training in turn. Internal; may change at any time."""
