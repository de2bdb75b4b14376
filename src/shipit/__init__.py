"""Deploy an app to Kubernetes with Helm, and run its database migration first: once, where people can watch it."""

__version__ = "0.1.0"
