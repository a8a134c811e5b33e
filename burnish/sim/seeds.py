"""Seeds of episodes that follow one another in a lane."""


def next_seed(seed: int) -> int:
    """The seed of the episode after the one seeded with `seed`: SplitMix64, kept to 63 bits."""
    mask = (1 << 64) - 1
    z = (seed + 0x9E3779B97F4A7C15) & mask
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & mask
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & mask
    return (z ^ (z >> 31)) >> 1
