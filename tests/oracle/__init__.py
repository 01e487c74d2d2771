"""What a spec says, worked out from its document alone, and held against what the compiler made of it."""
