"""A small client library for one endpoint of TikTok's Research API, pinned videos. It is independent of MCP."""
