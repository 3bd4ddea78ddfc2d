"""The web server: HTTP to the core's values and back, nothing else.

It decides nothing about a login. What the browser sent becomes a value of `gateway.model`, what the core answers
becomes a redirect or a page, and an error becomes the fixed sentences of its class: the browser never sees a detail.
"""
