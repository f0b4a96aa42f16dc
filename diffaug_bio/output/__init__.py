"""Writing results: whole or not at all, owned by a record, and never over what was read."""
