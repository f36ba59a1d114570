"""What an assistant sees: tools, resources, prompts, the interactive view, and the words of every answer."""
