"""The version of the library, which run folders record and ``cladewise --version`` prints."""

__version__ = "0.1.0"
