"""TikTok's side of the wire, embedded. Written from the documents alone; imports nothing of `research`."""
