"""One account's answer, however often and by however many it is asked: cache, single flight, the day's ledger."""
