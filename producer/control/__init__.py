"""Commands to a service, and what its workers say to them."""
