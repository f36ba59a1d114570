"""Small values that expire, kept for one process, one user's processes or a fleet."""
