"""The runtime check: run a model in a child process and measure its activations. The only package that imports torch."""
