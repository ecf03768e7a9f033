"""Speed and memory of the engine beside those of its peers, all measured in one run."""
