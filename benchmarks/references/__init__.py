"""Programs to compare with. Each is run as a script, in an environment where this project need not be installed."""
