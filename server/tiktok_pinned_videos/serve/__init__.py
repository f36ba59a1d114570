"""The doors: stdio, HTTP, and what operators see of them."""
