"""Data sets by name, as TOML files; `diffaug_bio.datasets` reads them."""
