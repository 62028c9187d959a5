"""Dead letters: read, traced to their requests, and sent back."""
