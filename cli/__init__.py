"""Command line of diffaug-bio; installed as `diffaug_bio.cli`."""
