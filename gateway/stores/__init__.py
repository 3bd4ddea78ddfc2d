"""Where one-time marks live: one port (`ports.ReplayStore`), one module per kind of store."""
