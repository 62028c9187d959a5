"""What is on the wire: pure data, no I/O."""
