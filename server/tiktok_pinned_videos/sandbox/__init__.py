"""TikTok's side of the wire, embedded. Written from the documents alone; imports nothing else of the package.

`transport.SandboxTransport` plays it inside an httpx client, `server.serve` on a loopback port.
"""
