"""`get --out DIR`: a data set that one command starts, resumes, refreshes and keeps lawful.

`responses.jsonl` is the journal everything else is derived from. See docs/adr for the order in which files are
written, and why a kill between two of them leaves nothing untrue.
"""
