"""The image, built and run without an engine, as far as that goes. docs/image.md says how far."""
