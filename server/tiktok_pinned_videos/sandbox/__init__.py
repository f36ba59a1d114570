"""A simulated TikTok API as one ASGI application, written from TikTok's documents alone.

`httpx.ASGITransport` runs it inside an httpx client, which then ignores timeouts and gets each response as a whole;
`server.serve` runs it on a loopback port. It must not import the client.
"""
