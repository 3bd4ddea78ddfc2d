"""The simulated Qlik site and identity providers: used by `qlikgw demo` and by the tests, imported by nothing else."""
