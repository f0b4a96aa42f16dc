"""Writing results: whole or not at all, owned by a record, and never over the data that were read.

Files are written into a stage, a hidden folder beside the target (`stages`). `swap` then moves them into
place under a journal, with which a later run completes what a dead process began. Only files in a record,
and unchanged since, are ever replaced (`ownership`). From the first move on, Ctrl-C waits (`interrupts`).
"""
