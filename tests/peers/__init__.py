"""Real peers on loopback: what they serve goes over real sockets and real TLS."""
