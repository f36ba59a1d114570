"""TikTok's side of the wire, embedded: one ASGI application, written from the documents alone.

`transport.SandboxTransport` runs it inside an httpx client, `server.serve` on a loopback port. It must not import the
client.
"""
