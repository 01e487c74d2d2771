"""What tests, the demo and the benchmark share: namespaces, links, traffic, captures, tunnel peers, the two CLIs."""
