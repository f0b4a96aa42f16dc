"""The machine: CPU threads, memory, and the cache of compiled code."""
