"""Identity providers behind one port (`ports.IdentityProvider`): the protocols' pure steps, joined by HTTP and caches.

They know nothing of the web server, of Qlik Sense or of the mapping.
"""
