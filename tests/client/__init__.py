"""What programs that send through Lockgate use of it."""
