"""TikTok's Research API as a small client library for one endpoint, pinned videos. Knows no MCP."""
