"""Helpers of the tests. Import from the modules: `from kit.calls import ask`.

- `calls` (servers and clients in memory, calls of tools, results without a server)
- `upstream` (TikTok's side on a port, byte for byte, and servers in a thread), `tiktok` (scripted per account)
- `sandbox` (requests to the sandbox API), `virtual` (clocks), `stores` (stores and a real Redis)
- `processes` (the server in a process, MCP over HTTP), `authority` (of OAuth)
- `cli` (commands), `dataset`, `configurations` (of MCP clients)
- `built` (wheels and environments), `pages` (the documentation), `programs` (what must be installed)
"""
