"""What is remembered of earlier answers, in the store that everything is kept in, and what counts as a change."""
