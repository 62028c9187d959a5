"""`penstock top`: a running service, live, in the terminal."""
