"""``make fuzz``: inputs that nobody means, by the million, on our own parsers and a live server."""
