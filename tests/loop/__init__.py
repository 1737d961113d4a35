"""``make loop``: from chats over a journal to a better bundle in a running server."""
