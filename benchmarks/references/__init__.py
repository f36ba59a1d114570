"""Servers to compare with. Each runs as a script in the environment of the server that is measured."""
