"""MCP server for the pinned videos of TikTok's Research API."""
