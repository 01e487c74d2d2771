"""`./dev demo [STORY]`: one spec compiled, loaded and carrying real traffic. `demo.STORIES` has the stories."""
