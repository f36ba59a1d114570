"""Transports of the MCP server: stdio and Streamable HTTP."""
