// Run by both clients with the arguments `stdio COMMAND…` or `http URL TOKEN`: prints the results as JSON.
export async function report({ Client, StdioClientTransport, StreamableHTTPClientTransport }) {
  const [way, first, ...rest] = process.argv.slice(2);
  const transport =
    way === "stdio"
      ? new StdioClientTransport({ command: first, args: rest, env: process.env })
      : new StreamableHTTPClientTransport(new URL(first), {
          requestInit: { headers: { Authorization: `Bearer ${rest[0]}` } },
        });
  const client = new Client({ name: "tests", version: "0" });
  await client.connect(transport);
  const call = (username) => client.callTool({ name: "get_pinned_videos", arguments: { username } });
  const found = await call("nasa");
  const failed = await call("sandbox_missing");
  const stored = await client.readResource({ uri: "tiktok://pinned/nasa" });
  const { tools } = await client.listTools();
  console.log(
    JSON.stringify({
      server: client.getServerVersion().name,
      tools: tools.map((tool) => tool.name).sort(),
      found: [found.isError ?? false, found.content[0].text],
      failed: [failed.isError, failed.content[0].text],
      resource: stored.contents[0].text,
    }),
  );
  await client.close();
}
