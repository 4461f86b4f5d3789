"""What the README claims, each as one command; see benchmarks/README.md."""
