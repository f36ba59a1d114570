"""Answers for accounts: cache, single flight, daily quota and history."""
