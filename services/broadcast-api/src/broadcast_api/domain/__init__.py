"""The rules: what a broadcast and an audience may do. No I/O."""
