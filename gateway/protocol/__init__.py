"""The protocols, without any I/O: each package turns bytes and values into values and requests.

They know neither servers, clients, clocks nor configuration files, and not each other.
"""
