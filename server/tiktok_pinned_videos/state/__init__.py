"""State stores: small values that expire, shared by one process, the processes of one user, or replicas."""
