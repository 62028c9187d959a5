"""What callers use: the client."""
