"""Networks, losses, diffusion and training, on tensors only. Internal; may change at any time."""
