"""A simulated TikTok API as one ASGI application, written from TikTok's documents alone.

`transport.SandboxTransport` runs it inside an httpx client, `server.serve` on a loopback port. It must not import the
client.
"""
