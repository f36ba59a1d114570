"""What may be shared between processes: the `StateStore` protocol and its three implementations."""
