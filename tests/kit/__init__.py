"""Helpers of the tests. Import from the modules: `from kit.calls import ask`.

- `calls` (servers and clients in memory, calls of tools), `answers` (results without a server)
- `upstream` (TikTok's side on a port, byte for byte), `tiktok` (the same, scripted per account)
- `sandbox` (requests to the sandbox API), `clock` and `virtual` (time that tests move, time that passes by itself)
- `stores`, `redis_server` (stores to test, a real Redis)
- `processes` (the server in a process), `mcp_http` (its messages), `loopback` and `authority` (servers of other makers)
- `cli` (commands), `dataset`, `configurations` (of MCP clients)
- `built` (wheels and environments), `pages` (the documentation), `programs` (what must be installed)
"""
