"""qlikgw: the sign-in gateway (external authentication module) of Qlik Sense Enterprise on Windows."""

__version__ = "0.1.0"
