"""qlikgw: the sign-in gateway (external authentication module) of Qlik Sense Enterprise on Windows."""
