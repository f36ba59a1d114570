// A client of the TypeScript SDK 1.x: see test_client_sdks.py.
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { report } from "./report.mjs";

await report({ Client, StdioClientTransport, StreamableHTTPClientTransport });
