"""Whether a bundle may be published: gates, their limits, and the evaluation that they read."""
