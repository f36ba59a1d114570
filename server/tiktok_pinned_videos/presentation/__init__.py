"""Answers as structured results, as text and as a page; used by the MCP server and the commands."""
