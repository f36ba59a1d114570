"""How clients reach the MCP server: stdio and Streamable HTTP."""
