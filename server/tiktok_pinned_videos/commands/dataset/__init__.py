"""`get --out DIR`: create and update a data set. Every file is derived from the journal, `responses.jsonl`."""
