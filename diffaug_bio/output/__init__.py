"""Writing results: whole or not at all, owned by a record, and never over the data that were read.

How an output reaches its place:

1. `apart.check_apart` refuses an output that would overlap with the data that are read.
2. `files.staged_folder` (a whole folder), `files.added_files` (files into a folder) or `files.staged_file`
   (one file) makes a stage: a hidden folder `.diffaug-bio.*` on the same disk (`stages`). The process holds
   the lock of its stage until it ends, so that later runs can remove stages of dead processes. All files
   are written into the stage; if that fails, the target is as it was.
3. `ownership` adds `files.json`, the record with size and hash of every file. Only files that are in such a
   record, and unchanged since, are ever replaced; a file of the user's never is.
4. With all files on the disk and the folder locked, `swap` writes a journal, moves old files out and new
   files in, and removes the journal. A run that finds a journal of a dead process makes the rest of the
   moves.
5. From the first move on, Ctrl-C waits for the last one (`interrupts`).

`digest` hashes files, `json_files` reads `run.json` and its like after a check, and `kept` tells what is
saved when a command ends early.
"""
