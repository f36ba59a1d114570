// A client of the TypeScript SDK 2.x: see test_client_sdks.py.
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import { report } from "./report.mjs";

await report({ Client, StdioClientTransport, StreamableHTTPClientTransport });
