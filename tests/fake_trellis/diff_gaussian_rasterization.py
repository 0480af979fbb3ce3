"""What draws splats, in name."""
