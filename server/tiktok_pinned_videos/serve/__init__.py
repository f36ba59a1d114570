"""How the server is reached: stdio, HTTP, and what operators see of it."""
